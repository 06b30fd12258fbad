package disburse

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"disburser/payout"
	"disburser/payout/finding"
)

func answering(takes time.Duration, count *atomic.Int64, f finding.Finding) func(context.Context, string, time.Time) finding.Finding {
	return func(context.Context, string, time.Time) finding.Finding {
		time.Sleep(takes)
		count.Add(1)
		return f
	}
}

// A merchant whose answers take 10 s was there first and has taken all it can get. One that
// answers within a second gets as many slots as it, not what was left over.
func TestSlotsAreSharedEvenly(t *testing.T) {
	inTime(t, func(t *testing.T) {
		b := newBench(t, orders(300, "a")...)
		b.config.Slots = 40
		var slow, quick, other atomic.Int64
		asked := answering(0, &other, finding.Finding{Kind: finding.Paid, Served: true})
		b.merchant("a").Provider = provider{send: answering(9*time.Second, &slow, finding.Finding{Kind: finding.Accepted}), ask: asked}
		b.merchant("a").Policy.Poll.First, b.merchant("b").Policy.Poll.First = time.Hour, time.Hour
		b.merchant("a").Policy.Poll.Max, b.merchant("b").Policy.Poll.Max = time.Hour, time.Hour
		b.merchant("b").Provider = provider{send: answering(time.Second, &quick, finding.Finding{Kind: finding.Accepted}), ask: asked}
		b.start()
		time.Sleep(30 * time.Second)
		for _, p := range orders(700, "b") {
			b.journal.mu.Lock()
			b.journal.rows[p.TradeNo] = &row{Payout: p}
			b.journal.mu.Unlock()
		}
		b.Nudge()
		time.Sleep(5 * time.Second)
		if quick.Load() < 20 { // 5 slots are free for one that has been quiet, at once
			t.Errorf("%d calls in the first 5 s", quick.Load())
		}
		time.Sleep(5 * time.Second) // the slow ones have ended once
		before := quick.Load()
		time.Sleep(20 * time.Second)
		if got := quick.Load() - before; got < 18*20 {
			t.Errorf("%d calls in 20 s, 20 slots make 400", got)
		}
		if slow.Load() < 60 {
			t.Errorf("the slow one made %d calls", slow.Load())
		}
		b.stop()
	})
}

// Out of tokens, or with an open breaker, a merchant lacks no slots and keeps none from others.
func TestOneThatCantCallKeepsNoSlots(t *testing.T) {
	for _, why := range []string{"tokens", "breaker"} {
		t.Run(why, func(t *testing.T) {
			inTime(t, func(t *testing.T) {
				b := newBench(t, append(orders(100, "a"), orders(700, "b")...)...)
				b.config.Slots = 40
				var calls, tried atomic.Int64
				down := b.merchant("a")
				down.Provider = provider{send: answering(0, &tried, finding.Finding{Kind: finding.Unclear}), ask: answering(0, &tried, finding.Finding{Kind: finding.Unclear})}
				if why == "tokens" {
					down.Send = limiter{
						take: func(context.Context, int) ([]time.Time, time.Duration, error) { return nil, 50 * time.Millisecond, nil },
						wait: free.wait,
					}
				}
				b.merchant("b").Policy.Poll.First, b.merchant("b").Policy.Poll.Max = time.Hour, time.Hour
				b.merchant("b").Provider = provider{send: answering(time.Second, &calls, finding.Finding{Kind: finding.Accepted}), ask: answering(0, &tried, finding.Finding{Kind: finding.Paid})}
				b.start()
				time.Sleep(20 * time.Second)
				if calls.Load() < 27*20 { // 30 of 40 slots: half an even share stays free for the other
					t.Errorf("%d calls in 20 s, 30 slots make 600", calls.Load())
				}
				b.stop()
			})
		})
	}
}

// Passes that were given before a breaker opened are no good any more: what was leased
// with them goes back, unsent.
func TestAnOpenBreakerStopsWhatWaitsForItsMoment(t *testing.T) {
	inTime(t, func(t *testing.T) {
		b := newBench(t, orders(100, "a")...)
		b.config.Breaker.OpenFor, b.config.Breaker.MaxOpenFor = time.Hour, time.Hour
		m := b.merchant("a")
		m.Send = limiter{
			take: func(_ context.Context, n int) (moments []time.Time, _ time.Duration, _ error) {
				for i := range n {
					moments = append(moments, time.Now().Add(time.Duration(i)*10*time.Millisecond))
				}
				return moments, 0, nil
			},
			wait: func(_ context.Context, moment time.Time) error { time.Sleep(time.Until(moment)); return nil },
		}
		m.Provider = provider{
			send: func(context.Context, string, time.Time) finding.Finding {
				return finding.Finding{Kind: finding.Unclear}
			},
			ask: func(context.Context, string, time.Time) finding.Finding {
				return finding.Finding{Kind: finding.Processing}
			},
		}
		b.start()
		time.Sleep(10 * time.Second)
		if n := b.allSends(); n != 20 {
			t.Errorf("%d sends, the breaker opens after 20", n)
		}
		received := 0
		for _, p := range orders(100, "a") {
			if q := b.journal.get(p.TradeNo); q.State == payout.StateReceived && q.Sends == 0 {
				received++
			}
		}
		if received != 80 {
			t.Errorf("%d of the 80 others are as if nothing had been tried", received)
		}
		b.stop()
	})
}

// A row of refusals is said loudly, with what to do about it.
func TestRefusalsAreSaidLoudly(t *testing.T) {
	inTime(t, func(t *testing.T) {
		b := newBench(t, orders(60, "a")...)
		var asks atomic.Int64
		m := b.merchant("a")
		m.Provider = provider{
			send: func(context.Context, string, time.Time) finding.Finding {
				return finding.Finding{Kind: finding.Refused}
			},
			ask: answering(0, &asks, finding.Finding{Kind: finding.Processing, Served: true}),
		}
		b.config.Slots = 1 // one after the other, so that the row is exact
		b.start()
		time.Sleep(9 * time.Second)
		if b.allSends() != 20 || b.logged(`"level":"error"`) != 1 || b.logged("refuses one send after the other") != 1 {
			t.Errorf("%d sends, said %d times", b.allSends(), b.logged("refuses one send after the other"))
		}
		before := b.allSends()
		time.Sleep(50 * time.Second) // 10 s and 20 s of rest: two probes
		if n := b.allSends() - before; n != 2 {
			t.Errorf("%d probes within a minute, want 2", n)
		}
		if asks.Load() < 40 {
			t.Errorf("%d asks: they go on while sends rest", asks.Load())
		}
		b.stop()
	})
}

// Loops of several shards share the gauges: slots add up, the worst breaker shows.
func TestShardsShareTheGauges(t *testing.T) {
	registry := prometheus.NewRegistry()
	m := NewMetrics(registry, []string{"a"}, nil)
	for range 2 {
		New(Config{Merchants: []Merchant{{Name: "a"}}, Slots: 4, Breaker: testBreaker(), Metrics: m})
	}
	m.loops[0].slots[payout.StepSend].take("a", 1)
	m.loops[1].merchants["a"].sendGate.pass(20, bad)
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	sums := map[string]float64{}
	for _, family := range families {
		for _, metric := range family.GetMetric() {
			sums[family.GetName()] += metric.GetGauge().GetValue()
		}
	}
	if sums["disburser_slots"] != 16 || sums["disburser_breaker_state"] != 2 {
		t.Errorf("%v", sums)
	}
}
