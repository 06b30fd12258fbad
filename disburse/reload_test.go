package disburse

import (
	"context"
	"testing"
	"time"

	"disburser/payout"
	"disburser/payout/finding"
)

// A policy that changes counts for the answers that come from then on.
func TestAPolicyChangesWhileTheLoopRuns(t *testing.T) {
	inTime(t, func(t *testing.T) {
		b := newBench(t, orders(1, "a")...)
		var asked []time.Time
		m := b.merchant("a")
		p := m.Policy
		p.Poll.First, p.Poll.Factor = 10*time.Second, 1
		m.Policy = p
		m.Provider = provider{
			send: func(context.Context, string, time.Time) finding.Finding {
				return finding.Finding{Kind: finding.Accepted}
			},
			ask: func(context.Context, string, time.Time) finding.Finding {
				asked = append(asked, time.Now())
				return finding.Finding{Kind: finding.Processing, Served: true}
			},
		}
		b.start()
		time.Sleep(25 * time.Second)
		p.Poll.First = 2 * time.Second
		b.Reload(map[string]payout.Policy{"a": p, "nobody": p}, testBreaker())
		time.Sleep(30 * time.Second)
		b.stop()
		slow, fast := asked[1].Sub(asked[0]), asked[len(asked)-1].Sub(asked[len(asked)-2])
		if slow < 9*time.Second || fast > 3*time.Second {
			t.Errorf("asked every %v before, every %v after", slow, fast)
		}
	})
}
