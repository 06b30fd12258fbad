package disburse

import (
	"context"
	"testing"
	"time"

	"disburser/payout"
)

// What the provider answered about a payout says nothing about whether its absence can be
// believed; only another one's answer does.
func TestAPayoutIsNoWitnessOfItself(t *testing.T) {
	inTime(t, func(t *testing.T) {
		b := newBench(t).build() // its provider answers whoever asks
		m, now := b.merchants["a"], time.Now()
		itself := payout.Evidence{ServedAt: now, About: "a1", Settled: "a1"}
		m.served = payout.Served{Merchant: "a", At: now, About: "a1"}
		if at := m.servedOther(itself, "a1"); !at.IsZero() {
			t.Errorf("served at %v, about itself", at)
		}
		if at := m.servedOther(itself, "a2"); !at.Equal(now) {
			t.Errorf("served at %v, about another", at)
		}
		batch := payout.Batch{Lease: payout.Lease{LeasedAt: now, Until: now.Add(30 * time.Second), Asked: now}, Evidence: itself}
		for tradeNo, want := range map[string]bool{"a1": false, "a2": true} {
			if got := b.believable(context.Background(), context.Background(), m, batch, doubtful(tradeNo)); got != want {
				t.Errorf("%s: believable %v", tradeNo, got)
			}
		}
	})
}
