package disburse

import (
	"context"
	"testing"
	"time"

	"disburser/payout"
	"disburser/payout/finding"
	"disburser/payout/leases"
)

// What the provider answered about a payout says nothing about whether its absence can be
// believed; only another one's answer does.
func TestAPayoutIsNoEvidenceForItself(t *testing.T) {
	inTime(t, func(t *testing.T) {
		b := newBench(t).build() // its provider answers whoever asks
		m, now := b.merchants["a"], time.Now()
		itself := leases.Evidence{ServedAt: now, About: "a1", Settled: "a1"}
		m.served = leases.Served{Merchant: "a", At: now, About: "a1"}
		if at := m.servedOther(itself, "a1"); !at.IsZero() {
			t.Errorf("served at %v, about itself", at)
		}
		if at := m.servedOther(itself, "a2"); !at.Equal(now) {
			t.Errorf("served at %v, about another", at)
		}
		batch := leases.Leased{Lease: leases.Lease{LeasedAt: now, EndsAt: now.Add(30 * time.Second), Asked: now}, Evidence: itself}
		for tradeNo, want := range map[string]bool{"a1": false, "a2": true} {
			if got := b.believable(context.Background(), context.Background(), b.newTask(payout.StepAsk, m, batch, doubtful(tradeNo)), now); got != want {
				t.Errorf("%s: believable %v", tradeNo, got)
			}
		}
	})
}

// A lease that took its time, as one does that the client repeated, and a slow answer make
// nothing older than it is.
func TestASlowLeaseAndASlowAnswerAreNoEvidence(t *testing.T) {
	for name, c := range map[string]struct {
		from time.Duration // from then on an answer counts
		slow func(b *bench, p *provider)
	}{
		"lease": {10 * time.Second, func(b *bench, _ *provider) {
			b.journal.fault = func(op string) error {
				if op == "lease ask" {
					time.Sleep(8 * time.Second)
				}
				return nil
			}
		}},
		"answer": {5 * time.Second, func(_ *bench, p *provider) {
			ask := p.ask
			p.ask = func(ctx context.Context, tradeNo string, latest time.Time) finding.Finding {
				f := ask(ctx, tradeNo, latest)
				time.Sleep(8 * time.Second)
				return f
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			inTime(t, func(t *testing.T) {
				p := doubtful("a1")
				p.SendBy = time.Now().Add(c.from - 5*time.Minute)
				b := newBench(t, p)
				b.journal.served["a"] = leases.Evidence{ServedAt: time.Now(), About: "a9"}
				asks := provider{ask: func(context.Context, string, time.Time) finding.Finding {
					return finding.Finding{Kind: finding.NoRecord}
				}}
				c.slow(b, &asks)
				b.merchant("a").Provider = asks
				b.merchant("a").Policy.Poll.First, b.merchant("a").Policy.Poll.Factor = 9*time.Second, 1
				b.start()
				time.Sleep(9*time.Second + time.Millisecond)
				if got := b.journal.get("a1"); got.Asks != 1 || got.NoRecords != 0 {
					t.Errorf("%d asks, %d counted: what was said belongs to a moment before %v", got.Asks, got.NoRecords, p.SendBy.Add(5*time.Minute))
				}
				time.Sleep(20 * time.Second)
				if got := b.journal.get("a1"); got.NoRecords != 1 {
					t.Errorf("%d counted of %d", got.NoRecords, got.Asks)
				}
				b.stop()
			})
		})
	}
}
