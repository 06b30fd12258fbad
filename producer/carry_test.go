package producer

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"disburser/internal/kafkatest"
	"disburser/message"
	"disburser/payout"
	"disburser/payout/money"
)

// Only what was certainly never sent is carried as received: a journal that was wiped
// believes it, and would send anything else again. What is held stays so.
func TestOnlyWhatWasNeverSentIsCarriedAsReceived(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const commands = "payout.commands"
		k := kafkatest.Start(t, map[string]int{commands: 1})
		p := New(k.Brokers(), k.Transport, results, letters, commands)
		t.Cleanup(func() { _ = p.Close() })
		var open []payout.Payout
		want := []string{"received", "sending", "sending", "sending", "held"}
		for i, state := range []payout.State{payout.StateReceived, payout.StateReceived, payout.StateSending, payout.StateProcessing, payout.StateHeld} {
			a, _ := money.Parse("300.50")
			o := payout.Begin(payout.Command{
				TradeNo: string(rune('a' + i)), Merchant: "eg-main", Amount: a, Currency: "EGP", Payee: payout.NewPayee(map[string]string{"walletId": "1"}),
			}, "egypt", payout.Source{}, "", time.Now())
			o.State = state
			o.Sends = min(i, 1) // the second one was received again after a send; one held may never have been sent by us
			if state == payout.StateHeld {
				o.Sends = 0
			}
			open = append(open, o)
		}
		if err := p.Carry(context.Background(), open); err != nil {
			t.Fatal(err)
		}
		for i, r := range k.Read(t, commands, 0) {
			if got := kafkatest.Header(t, r.Headers, message.CarriedHeader); got != want[i] || string(r.Key) != open[i].TradeNo {
				t.Errorf("%s, %v sent %d times: carried as %q", r.Key, open[i].State, open[i].Sends, got)
			}
			orders, err := message.Decode(r.Value)
			if err != nil || orders[0].Command.Fingerprint() != open[i].Fingerprint {
				t.Errorf("%s is another payout now: %v", r.Key, err)
			}
		}
	})
}
