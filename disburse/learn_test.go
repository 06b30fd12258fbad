package disburse

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"disburser/payout/finding"
)

// After a payroll whose payouts all settle after half a minute, the next ones aren't asked
// about before. Until then, and with learn off, the schedule is the plain one.
func TestTheLoopLearnsWhenToAsk(t *testing.T) {
	for _, learn := range []bool{true, false} {
		inTime(t, func(t *testing.T) {
			var mu sync.Mutex
			sent, asks := map[string]time.Time{}, map[string]int{}
			var late []time.Duration
			b := newBench(t, orders(100, "a")...)
			m := b.merchant("a")
			m.Policy.Poll.Learn = learn
			m.Provider = provider{
				send: func(_ context.Context, tradeNo string, _ time.Time) finding.Finding {
					mu.Lock()
					defer mu.Unlock()
					sent[tradeNo] = time.Now()
					return finding.Finding{Kind: finding.Accepted}
				},
				ask: func(_ context.Context, tradeNo string, _ time.Time) finding.Finding {
					mu.Lock()
					defer mu.Unlock()
					asks[tradeNo]++
					wait := time.Since(sent[tradeNo]) - 30*time.Second
					if wait < 0 {
						return finding.Finding{Kind: finding.Processing, Served: true}
					}
					late = append(late, wait)
					return finding.Finding{Kind: finding.Paid, Served: true}
				},
			}
			b.start()
			time.Sleep(3 * time.Minute)
			mu.Lock()
			first := 0
			for _, n := range asks {
				first += n
			}
			clear(asks)
			late = nil
			mu.Unlock()
			for _, p := range orders(200, "a")[100:] {
				b.journal.mu.Lock()
				b.journal.rows[p.TradeNo] = &row{Payout: p}
				b.journal.mu.Unlock()
			}
			b.Nudge()
			time.Sleep(3 * time.Minute)
			b.stop()
			second := 0
			for _, n := range asks {
				second += n
			}
			if b.journal.left() > 0 {
				t.Errorf("%d are left", b.journal.left())
			}
			if first < 480 || learn && second > first/2 || !learn && second < 480 {
				t.Errorf("learn %v: %d asks for the first hundred, %d for the second", learn, first, second)
			}
			t.Logf("learn %v: %d asks for the first hundred, %d for the second", learn, first, second)
		})
	}
}

// However many merchants learn, making their intervals takes a hundredth of the time.
func TestMakingIntervalsIsRare(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, made, began := new(learning), 0, time.Now()
		for time.Since(began) < 10*time.Second {
			if now := time.Now(); l.may(now) {
				time.Sleep(2 * time.Millisecond)
				l.took(now)
				made++
			}
			time.Sleep(time.Millisecond)
		}
		if made < 45 || made > 50 {
			t.Errorf("made %d times in 10 s, 2 ms each", made)
		}
	})
}
