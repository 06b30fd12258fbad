package disburse

import (
	"testing"
	"time"

	"disburser/payout"
	"disburser/payout/acts"
	"disburser/payout/leases"
)

// An instance that lacks the merchant doesn't know its account. It holds nothing for having
// been sent to another one, and leaves it to those that know.
func TestAnUnknownMerchantsAccountIsNotAnotherOne(t *testing.T) {
	now := time.Now()
	lease := leases.Lease{LeasedAt: now, EndsAt: now.Add(time.Minute), Asked: now}
	p := payout.Begin(payout.Command{TradeNo: "a", Merchant: "gone"}, "egypt", payout.Source{}, "", now.Add(-time.Hour))
	p.Sends, p.Account, p.Step = 1, "there000", payout.StepReview
	l := &Loop{Config: Config{Actions: people(func(string, string, string) acts.Stop { return acts.Stop{} })}, merchants: map[string]*merchant{}}
	after, _, err := l.notSendable(&task{lease: lease, payout: p}, &lane{}, now)
	if err != nil || after.State != payout.StateReceived || after.Step != payout.StepSend || !after.Due.After(now) {
		t.Errorf("%v, to %v: %q %v", after.State, after.Step, after.Reason, err)
	}
	p.ExpiresAt = now.Add(-time.Second)
	if after, _, err = l.notSendable(&task{lease: lease, payout: p}, &lane{}, now); err != nil || after.State != payout.StateHeld || after.Reason != "expiresAt passed after a send that may have happened" {
		t.Errorf("expired: %v %q %v", after.State, after.Reason, err)
	}
}
