package app

import (
	"fmt"
	"testing"
	"time"

	"disburser/paypro/paysim"
)

// Another merchant number under open payouts. What was sent to the old account is held and never
// sent to the new one. That is so with resend too, before and after the journal is lost. What
// was never sent goes to the new account.
func TestAnAccountChangedUnderOpenPayouts(t *testing.T) {
	inTown(t, paysim.Behavior{SettleMin: 10 * time.Hour, SettleMax: 20 * time.Hour}, func(w *town) {
		m := w.config.Merchants["eg-main"]
		m.NoRecord.Then, m.NoRecord.Answers, m.NoRecord.Every = "resend", 2, time.Minute
		w.config.Merchants["eg-main"] = m
		order := func(tradeNo, more string) string {
			return fmt.Sprintf(`{"tradeNo":%q,"merchant":"eg-main","amount":"300","payee":{"customerName":"kevin","walletId":"01123456789"}%s}`, tradeNo, more)
		}
		_, stop := w.run("one", nil)
		w.publishLines([]string{order("sent-1", ""), order("sent-2", ""), order("later", fmt.Sprintf(`,"notBefore":%q`, time.Now().Add(5*time.Minute).UTC().Format(time.RFC3339)))})
		time.Sleep(10 * time.Second)
		stop()
		if n := len(w.sim.Arrivals("0000000001")); n != 2 {
			t.Fatalf("%d sends to the old account", n)
		}
		m.MerchantNo, m.BaseURL = "0000000003", "http://paysim/egy-two"
		w.config.Merchants["eg-main"] = m
		_, stop = w.run("two", nil)
		time.Sleep(3 * time.Minute)
		if n := w.logged("open payouts were sent to another account"); n != 1 {
			t.Errorf("the start warns %d times", n)
		}
		if n := w.logged(`"payouts":2,`); n != 1 {
			t.Errorf("the warning says another number:\n%s", w.text())
		}
		if n := w.logged(`"payout.held","reason":"it may have been sent to another account`); n != 2 {
			t.Errorf("%d are held for that reason", n)
		}
		time.Sleep(5 * time.Minute)
		if n := len(w.sim.Arrivals("0000000003")); n != 1 {
			t.Errorf("%d sends to the new account, want one of what was never sent", n)
		}
		stop()
		w.redis.FlushAll()
		_, stop = w.run("three", nil)
		time.Sleep(5 * time.Minute)
		stop()
		if old, now := len(w.sim.Arrivals("0000000001")), len(w.sim.Arrivals("0000000003")); old != 2 || now != 1 {
			t.Errorf("after a wipe: %d and %d sends", old, now)
		}
	})
}
