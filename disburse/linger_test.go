package disburse

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"disburser/payout/finding"
)

// Under a backlog a lane with free slots doesn't look what is due before each batch.
func TestABacklogNeedsNoLookForEachBatch(t *testing.T) {
	inTime(t, func(t *testing.T) {
		b := newBench(t, orders(2000, "a")...)
		b.config.Slots = 4000
		b.merchant("a").Policy.Poll.First = time.Hour
		b.start()
		time.Sleep(debounce)
		if sent := b.allSends(); sent < 2000-largest {
			t.Errorf("%d of 2000 sends within one look", sent)
		}
		b.stop()
	})
}

// Where slots come free one by one, a lease and a decision are not for each of them.
func TestFewFreeSlotsWaitForMore(t *testing.T) {
	inTime(t, func(t *testing.T) {
		b := newBench(t, orders(600, "a")...)
		b.config.Slots = 30
		b.merchant("a").Policy.Poll.First, b.merchant("a").Policy.Poll.Max = time.Hour, time.Hour
		var calls atomic.Int64
		b.merchant("a").Provider = provider{
			send: func(context.Context, string, time.Time) finding.Finding {
				time.Sleep(30*time.Millisecond + time.Duration(calls.Add(1)%30)*time.Millisecond)
				return finding.Finding{Kind: finding.Accepted}
			},
			ask: answering(0, &calls, finding.Finding{Kind: finding.Paid, Served: true}),
		}
		b.start()
		time.Sleep(2 * time.Second)
		if sent, leases := b.allSends(), b.journal.called("lease send"); sent != 600 || leases > 600/6 {
			t.Errorf("%d sends in %d leases", sent, leases)
		}
		b.stop()
	})
}

// The announcer lingers only where more is about to settle. A payout that is alone is announced
// at once.
func TestALonePayoutWaitsForNobody(t *testing.T) {
	inTime(t, func(t *testing.T) {
		b := newBench(t, settling("a1"))
		b.start()
		time.Sleep(2*lingerLook + debounce)
		if n := len(b.events("a1")); n != 1 {
			t.Errorf("announced %d times so far", n)
		}
		time.Sleep(time.Second)
		b.stop()
	})
}
