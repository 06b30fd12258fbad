package disburse

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"disburser/payout"
	"disburser/payout/finding"
)

// What an answer says about the calls goes to the limiter of its operation, and the
// payout stays what it may be: sent.
func TestTheLimiterIsTold(t *testing.T) {
	type told struct {
		began   time.Time
		tooFast bool
		pause   time.Duration
	}
	for _, c := range []struct {
		name string
		f    finding.Finding
		told bool
	}{
		{"429", finding.Finding{Kind: finding.Unclear, TooFast: true, HTTPStatus: 429}, true},
		{"429 with a pause", finding.Finding{Kind: finding.Unclear, TooFast: true, RetryAfter: 7 * time.Second}, true},
		{"503 with a pause", finding.Finding{Kind: finding.Unclear, RetryAfter: 7 * time.Second}, true},
		{"503", finding.Finding{Kind: finding.Unclear, HTTPStatus: 503}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			inTime(t, func(t *testing.T) {
				b := newBench(t, orders(1, "a")...)
				var mu sync.Mutex
				heard := map[string][]told{}
				listening := func(operation string) limiter {
					l := free
					l.told = func(began time.Time, tooFast bool, pause time.Duration) {
						mu.Lock()
						defer mu.Unlock()
						heard[operation] = append(heard[operation], told{began, tooFast, pause})
					}
					return l
				}
				m := b.merchant("a")
				m.Send, m.Query = listening("send"), listening("query")
				start := time.Now()
				asks := 0
				m.Provider = provider{
					send: func(context.Context, string, time.Time) finding.Finding {
						time.Sleep(time.Second)
						return c.f
					},
					ask: func(context.Context, string, time.Time) finding.Finding {
						if asks++; asks == 1 {
							return c.f
						}
						return finding.Finding{Kind: finding.Paid, Served: true}
					},
				}
				b.start()
				time.Sleep(2 * time.Second)
				if p := b.journal.get("a0000"); p.State != payout.StateSending || p.LastSend != finding.Unclear {
					t.Errorf("%v, sent %v", p.State, p.LastSend)
				}
				time.Sleep(time.Minute)
				b.stop()
				if b.sends("a0000") != 1 || b.journal.forgotten("a0000") != payout.StatePaid {
					t.Errorf("sent %d times, now %v", b.sends("a0000"), b.journal.forgotten("a0000"))
				}
				want := 0
				if c.told {
					want = 1
				}
				if len(heard["send"]) != want || len(heard["query"]) != want {
					t.Fatalf("%+v", heard)
				}
				if c.told && (heard["send"][0] != told{start, c.f.TooFast, c.f.RetryAfter}) {
					t.Errorf("%+v, started at %v", heard["send"][0], start)
				}
			})
		})
	}
}

// While a provider rests, its lane holds no slot and no pass, and takes a look once a second.
func TestALaneThatRests(t *testing.T) {
	inTime(t, func(t *testing.T) {
		b := newBench(t, append(orders(3, "a"), orders(3, "b")...)...)
		until := time.Now().Add(20 * time.Second)
		var takes atomic.Int64
		m := b.merchant("a")
		m.Send = limiter{
			take: func(ctx context.Context, n int) ([]time.Time, time.Duration, error) {
				takes.Add(1)
				if rest := time.Until(until); rest > 0 {
					return nil, rest, nil
				}
				return free.take(ctx, n)
			},
			wait: free.wait,
		}
		b.start()
		time.Sleep(10 * time.Second)
		if busy := b.busySlots(); busy > 0 {
			t.Errorf("%d slots are held", busy)
		}
		if b.journal.forgotten("b0000") != payout.StatePaid {
			t.Error("the other merchant waited too")
		}
		if takes.Load() > 12 {
			t.Errorf("asked %d times in 10 s", takes.Load())
		}
		time.Sleep(30 * time.Second)
		b.stop()
		if b.journal.left() > 0 {
			t.Errorf("%d are left", b.journal.left())
		}
	})
}
