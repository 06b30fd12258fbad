package disburse

import (
	"cmp"
	"context"
	"sync"
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
		time.Sleep(2*slotLook + debounce)
		if n := len(b.events("a1")); n != 1 {
			t.Errorf("announced %d times so far", n)
		}
		time.Sleep(time.Second)
		b.stop()
	})
}

// atTheLimit is a limiter that has a few tickets ten times a second. It counts how often it is asked.
func atTheLimit(few int, asked *atomic.Int64) limiter {
	var next atomic.Int64 // Unix nanoseconds
	return limiter{wait: free.wait, take: func(ctx context.Context, n int) ([]time.Time, time.Duration, error) {
		asked.Add(1)
		if wait := time.Until(time.Unix(0, next.Load())); wait > 0 {
			return nil, wait, nil
		}
		next.Store(time.Now().Add(100 * time.Millisecond).UnixNano())
		moments, _, err := free.take(ctx, min(n, few))
		return moments, 0, err
	}}
}

// A merchant with a backlog, held back by its limit, costs a look now and then, not one for each group.
// What it sends is asked about in groups, each within 100 ms, and written in groups.
func TestAMerchantAtItsLimitCostsFewCalls(t *testing.T) {
	inTime(t, func(t *testing.T) {
		b := newBench(t, orders(1000, "a")...)
		var asked, asks atomic.Int64
		b.merchant("a").Send = atTheLimit(5, &asked)
		b.merchant("a").Query = limiter{wait: free.wait, take: func(ctx context.Context, n int) ([]time.Time, time.Duration, error) {
			asks.Add(1)
			return free.take(ctx, n)
		}}
		var mu sync.Mutex
		sent := map[string]time.Time{}
		var latest, earliest time.Duration
		b.merchant("a").Provider = provider{
			send: func(_ context.Context, tradeNo string, _ time.Time) finding.Finding {
				time.Sleep(40 * time.Millisecond)
				mu.Lock()
				defer mu.Unlock()
				sent[tradeNo] = time.Now()
				return finding.Finding{Kind: finding.Accepted}
			},
			ask: func(_ context.Context, tradeNo string, _ time.Time) finding.Finding {
				mu.Lock()
				after := time.Since(sent[tradeNo])
				latest, earliest = max(latest, after), min(cmp.Or(earliest, after), after)
				mu.Unlock()
				time.Sleep(40 * time.Millisecond)
				return finding.Finding{Kind: finding.Paid, Served: true}
			},
		}
		b.merchant("a").Policy.Poll.Learn = false
		b.start()
		time.Sleep(5 * time.Second)
		counted := func() [5]int64 {
			return [5]int64{int64(b.allSends()), int64(b.journal.called("due")), int64(b.journal.called("apply")), asked.Load(), asks.Load()}
		}
		before := counted()
		time.Sleep(10 * time.Second)
		after := counted()
		for i, c := range []struct {
			what        string
			least, most int64
		}{{"sends", 490, 510}, {"looks", 30, 60}, {"writes", 0, 350}, {"requests for sends", 0, 210}, {"requests for asks", 0, 260}} {
			if n := after[i] - before[i]; n < c.least || n > c.most {
				t.Errorf("%d %s in 10 s, not %d to %d", n, c.what, c.least, c.most)
			}
		}
		b.stop()
		mu.Lock()
		defer mu.Unlock()
		if first := b.merchant("a").Policy.Poll.First; earliest < first*9/10 || latest > first*11/10+100*time.Millisecond {
			t.Errorf("asked %v to %v after the send", earliest, latest)
		}
	})
}

// fills is when a task is due that is put in hand, and whether that wakes who waits.
type fills struct {
	due   time.Duration
	wakes bool
}

// A task that comes before all others wakes whoever waits for them. So does the last one that is expected, where all are due at once.
func TestATaskThatComesFirstWakes(t *testing.T) {
	var told []time.Time
	now, h, atOnce := time.Now(), newInHand(10, func(at time.Time) { told = append(told, at) }), newInHand(10, nil)
	fill := func(h *inHand, c fills) {
		t.Helper()
		h.fill(&task{due: now.Add(c.due)})
		woken := len(h.more) > 0
		if woken {
			<-h.more
		}
		if woken != c.wakes {
			t.Errorf("due in %v: wakes %v", c.due, woken)
		}
	}
	for range 4 {
		h.reserve()
		atOnce.reserve()
	}
	for _, c := range []fills{{2 * time.Second, true}, {3 * time.Second, false}, {time.Second, true}, {4 * time.Second, false}} {
		fill(h, c)
	}
	for _, c := range []fills{{0, true}, {1, false}, {2, false}, {3, true}} {
		fill(atOnce, c)
	}
	if len(told) != 2 || !told[1].Equal(now.Add(time.Second)) {
		t.Errorf("told of %v", told)
	}
	if due, next := h.work(now.Add(time.Second - 1)); due != 0 || !next.Equal(now.Add(time.Second)) {
		t.Errorf("%d to take before the first is due, the next at %v", due, next)
	}
}
