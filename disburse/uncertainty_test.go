package disburse

import (
	"testing"
	"time"

	"disburser/payout"
	"disburser/payout/leases"
)

// What needs a time to have passed waits for it by both clocks: one of them may have stepped.
func TestAbsenceCountsByTheSlowerClock(t *testing.T) {
	l := &Loop{}
	m := &merchant{Merchant: Merchant{Send: free}}
	now := time.Now()
	asked := &task{merchant: m, lease: leases.Lease{LeasedAt: now.Add(20 * time.Minute), Asked: now}}
	policyOf := func(apart time.Duration) payout.Policy {
		l.journalAhead.Store(int64(apart))
		_, policy := l.judging(asked, time.Now())
		policy.NoRecord.Every = 5 * time.Minute
		return policy
	}
	p := payout.Payout{State: payout.StateSending, Sends: 1, SendBy: now.Add(time.Minute)} // by the clock before it stepped
	if p.NoRecordMayCount(now.Add(20*time.Minute), policyOf(20*time.Minute)) {
		t.Error("an absence counts at once, after a step of Redis' clock")
	}
	if !p.NoRecordMayCount(now.Add(20*time.Minute), policyOf(0)) {
		t.Error("an absence doesn't count where the clocks agree")
	}
	for _, apart := range []time.Duration{20 * time.Minute, -20 * time.Minute} {
		if uncertainty := policyOf(apart).ClockUncertainty; uncertainty < 20*time.Minute {
			t.Errorf("%v apart: a clock uncertainty of %v", apart, uncertainty)
		}
	}
}
