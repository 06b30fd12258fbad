package app

import (
	"maps"
	"testing"
	"time"

	"disburser/paypro/paysim"
)

// A rollout: an instance with the old file reads the new merchant's commands. They wait, and
// are paid once an instance with the new file is there; nobody's, they are rejected.
func TestANewMerchantInARollout(t *testing.T) {
	inTown(t, paysim.Behavior{}, func(w *town) {
		w.config.UnknownMerchantGrace = 4 * time.Minute
		_, stopOld := w.run("old", nil)
		defer stopOld()
		time.Sleep(5 * time.Second)
		command := `{"tradeNo":"new-1","merchant":"eg-new","amount":"300","payee":{"customerName":"kevin","walletId":"01123456789"}}`
		w.publishLines([]string{command, `{"tradeNo":"mars-1","merchant":"mars-main","amount":"300","payee":{}}`,
			`{"tradeNo":"new-2","merchant":"eg-new","amount":"300","payee":{"customerName":"kevin"}}`})
		time.Sleep(time.Minute)
		if w.logged(`"message":"announced"`) != 0 {
			t.Error("ended within the grace")
		}
		merchants := maps.Clone(w.config.Merchants)
		merchants["eg-new"] = merchants["eg-main"]
		w.config.Merchants = merchants
		_, stopNew := w.run("new", nil)
		defer stopNew()
		for range 30 { // either instance looks at it every few seconds, and puts it off for the other one
			if time.Sleep(5 * time.Second); w.logged("payout.paid") > 0 && w.logged("walletId is required") > 0 {
				break
			}
		}
		if w.logged("its merchant is known now") != 1 || w.logged("payout.paid") != 1 || len(w.sim.Arrivals("0000000001")) != 1 {
			t.Errorf("known %d times, paid %d times, %d sends", w.logged("its merchant is known now"), w.logged("payout.paid"), len(w.sim.Arrivals("0000000001")))
		}
		if w.logged("walletId is required") == 0 {
			t.Error("what its merchant doesn't take isn't rejected for that")
		}
		w.publishLines([]string{command, command}) // whoever reads them
		time.Sleep(4 * time.Minute)
		if w.logged("conflict") != 0 || w.logged(`"payout.rejected","reason":"merchant is not configured"`) != 1 || w.logged(`"message":"announced"`) != 3 {
			t.Errorf("%d conflicts, %d rejected for want of a merchant, %d announced", w.logged("conflict"),
				w.logged(`"payout.rejected","reason":"merchant is not configured"`), w.logged(`"message":"announced"`))
		}
	})
}
