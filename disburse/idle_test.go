package disburse

import (
	"sync/atomic"
	"testing"
	"time"

	"disburser/payout/epochs"
	"disburser/payout/finding"
)

// An idle instance looks cheaply, and starts what another instance takes in within 250 ms. What comes
// due by its own time is started at that time.
func TestAnIdleLoopSeesWhatOthersTakeIn(t *testing.T) {
	inTime(t, func(t *testing.T) {
		b := newBench(t, order("gone", "nobody's"))
		var sends atomic.Int64
		other := b.merchant("a").Provider.(provider)
		b.merchant("a").Provider = provider{send: answering(0, &sends, finding.Finding{Kind: finding.Accepted}), ask: other.ask}
		b.merchant("a").Policy.Poll.First, b.merchant("a").Policy.Poll.Max = time.Hour, time.Hour
		scheduled := order("a0", "a")
		scheduled.Due = time.Now().Add(10*time.Second + 30*time.Millisecond)
		b.journal.rows["a0"] = &row{Payout: scheduled}
		b.start()
		time.Sleep(10 * time.Second)
		if dues, cheap := b.journal.called("due"), b.journal.called("may be due"); dues > 7 || cheap < 25 || cheap > 40 {
			t.Errorf("%d looks and %d cheap ones in 10 s", dues, cheap)
		}
		time.Sleep(busyPause + 20*time.Millisecond)
		if sends.Load() != 1 {
			t.Error("what was scheduled isn't sent at its time")
		}
		for i, wait := range []time.Duration{7 * time.Second, 3333 * time.Millisecond, 111 * time.Millisecond} {
			time.Sleep(wait)
			p := order("by another"+string(rune('0'+i)), "a")
			b.journal.mu.Lock()
			b.journal.rows[p.TradeNo] = &row{Payout: p}
			b.journal.mu.Unlock()
			time.Sleep(idle + 10*time.Millisecond)
			if got := sends.Load(); got != int64(i+2) {
				t.Fatalf("%d are sent, not %d", got, i+2)
			}
		}
		b.stop()
	})
}

// A journal that was wiped is noticed by the cheap looks. A server that was replaced by one with the same
// data is noticed by the believing ones.
func TestAnIdleLoopNoticesALostEpoch(t *testing.T) {
	for name, c := range map[string]struct {
		cheap  bool
		within time.Duration
	}{"wiped": {true, idle}, "replaced": {false, believedFor}} {
		t.Run(name, func(t *testing.T) {
			inTime(t, func(t *testing.T) {
				b := newBench(t)
				var lost atomic.Bool
				b.config.EpochLost = func() { lost.Store(true) }
				b.start()
				time.Sleep(9111 * time.Millisecond)
				b.journal.mu.Lock()
				b.journal.fault = func(op string) error {
					if op == "may be due" && !c.cheap {
						return nil
					}
					return epochs.ErrOver
				}
				b.journal.mu.Unlock()
				time.Sleep(c.within + 10*time.Millisecond)
				if !lost.Load() {
					t.Error("not noticed")
				}
				b.journal.mu.Lock()
				b.journal.fault = nil
				b.journal.mu.Unlock()
				b.stop()
			})
		})
	}
}
