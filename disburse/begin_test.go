package disburse

import (
	"testing"
	"time"

	"disburser/payout"
	"disburser/payout/acts"
	"disburser/payout/leases"
)

// leasedNow is a lease of 30 s that was just taken.
func leasedNow() leases.Leased {
	now := time.Now()
	return leases.Leased{Lease: leases.Lease{Token: "t1", Epoch: "e1", LeasedAt: now, EndsAt: now.Add(30 * time.Second), Asked: now}}
}

// sendingNow is a payout as a lease for its send hands it out.
func sendingNow(tradeNo string) payout.Payout {
	p := order(tradeNo, "a")
	p.State, p.Step, p.Sends, p.LastSentAt = payout.StateSending, payout.StepAsk, 1, time.Now()
	return p
}

func TestWhatMayBegin(t *testing.T) {
	// The lease ends after 30 s, its margin is 2 s, and the call may take 10 s.
	for name, c := range map[string]struct {
		step   payout.Step
		spoil  func(k *task, at *callConditions)
		after  time.Duration // since the lease
		reason reason
		latest time.Duration // since the lease
	}{
		"a send":                          {payout.StepSend, nil, time.Second, mayCall, 11 * time.Second},
		"an ask":                          {payout.StepAsk, nil, time.Second, mayCall, 11 * time.Second},
		"a send, late":                    {payout.StepSend, nil, 23*time.Second - 1, mayCall, 28 * time.Second},
		"a send with half of its time":    {payout.StepSend, nil, 23 * time.Second, leaseOver, 0},
		"an ask, late":                    {payout.StepAsk, nil, 28*time.Second - 1, mayCall, 28 * time.Second},
		"an ask at the lease's end":       {payout.StepAsk, nil, 28 * time.Second, leaseOver, 0},
		"a send after its lease":          {payout.StepSend, nil, time.Hour, leaseOver, 0},
		"a send that isn't decided":       {payout.StepSend, func(k *task, _ *callConditions) { k.stage = stagePrepared }, 0, notDecided, 0},
		"a send whose turn didn't come":   {payout.StepSend, func(_ *task, at *callConditions) { at.turn = errTooLate }, 0, notItsTurn, 0},
		"an ask whose turn didn't come":   {payout.StepAsk, func(_ *task, at *callConditions) { at.turn = errTooLate }, 0, notItsTurn, 0},
		"a send whose breaker has opened": {payout.StepSend, func(_ *task, at *callConditions) { at.good = false }, 0, breakerOpened, 0},
		"an ask whose breaker has opened": {payout.StepAsk, func(_ *task, at *callConditions) { at.good = false }, 0, breakerOpened, 0},
		"a send that is stopped":          {payout.StepSend, func(_ *task, at *callConditions) { at.stop = acts.Stop{Why: acts.Paused} }, 0, stopped, 0},
		"a send of which nobody knows":    {payout.StepSend, func(_ *task, at *callConditions) { at.stop = acts.Stop{Why: acts.NotFresh} }, 0, stopped, 0},
		"an ask that is stopped":          {payout.StepAsk, func(_ *task, at *callConditions) { at.stop = acts.Stop{Why: acts.Paused} }, 0, mayCall, 10 * time.Second},
		"a send before its notBefore":     {payout.StepSend, func(k *task, at *callConditions) { k.payout.NotBefore = at.now.Add(1) }, 0, notItsTime, 0},
		"a send at its notBefore":         {payout.StepSend, func(k *task, at *callConditions) { k.payout.NotBefore = at.now }, 0, mayCall, 10 * time.Second},
		"a send at its expiresAt":         {payout.StepSend, func(k *task, at *callConditions) { k.payout.ExpiresAt = at.now }, 0, notItsTime, 0},
		"a send before its expiresAt":     {payout.StepSend, func(k *task, at *callConditions) { k.payout.ExpiresAt = at.now.Add(time.Second) }, 0, mayCall, time.Second},
		"an ask after its expiresAt":      {payout.StepAsk, func(k *task, at *callConditions) { k.payout.ExpiresAt = at.now.Add(-time.Hour) }, 0, mayCall, 10 * time.Second},
		"a send whose grant says that a little was missed": {payout.StepSend, func(_ *task, at *callConditions) {
			at.asked, at.redis = at.now, at.now.Add(10*time.Second)
		}, 5 * time.Second, mayCall, 15 * time.Second},
		"a send whose grant says that the lease is over": {payout.StepSend, func(_ *task, at *callConditions) {
			at.asked, at.redis = at.now, at.now.Add(time.Hour)
		}, 5 * time.Second, leaseOverByGrant, 0},
		"a send whose lease is over by both": {payout.StepSend, func(_ *task, at *callConditions) {
			at.asked, at.redis = at.now, at.now.Add(time.Hour)
		}, 29 * time.Second, leaseOver, 0},
	} {
		t.Run(name, func(t *testing.T) {
			inTime(t, func(t *testing.T) {
				b := newBench(t).build()
				k := b.newTask(c.step, b.merchants["a"], leasedNow(), sendingNow("a1"))
				k.stage = stagePrepared
				if c.step == payout.StepSend {
					k.stage = stageDecided
				}
				leasedAt := time.Now()
				time.Sleep(c.after)
				at := callConditions{now: time.Now(), good: true}
				if c.spoil != nil {
					c.spoil(k, &at)
				}
				v := mayBegin(k, at)
				if v.reason != c.reason {
					t.Fatalf("%d, not %d", v.reason, c.reason)
				}
				if v.reason == mayCall && (v.latest.Sub(leasedAt) != c.latest || v.at != at.now) {
					t.Errorf("the call may take until %v after the lease, not %v", v.latest.Sub(leasedAt), c.latest)
				}
				if v.reason == leaseOverByGrant && (v.lease != k.lease || v.missed < 59*time.Minute) {
					t.Errorf("it can't be given back under its lease: %+v", v)
				}
			})
		})
	}
}
