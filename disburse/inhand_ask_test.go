package disburse

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"disburser/payout"
	"disburser/payout/epochs"
	"disburser/payout/finding"
)

// What was accepted and is asked about soon needs no second lease; everything else does.
func TestWhatStaysInHandFromItsSendToItsAsk(t *testing.T) {
	for _, c := range []struct {
		name   string
		b      func(b *bench)
		leases bool
	}{
		{"accepted", func(*bench) {}, false},
		{"asked about late", func(b *bench) {
			b.merchant("a").Policy.Poll.First = askInHandFor + time.Second
		}, true},
		{"the lease leaves no whole call after it", func(b *bench) {
			b.config.Lease, b.merchant("a").Timeout = 6*time.Second, 3*time.Second
		}, true},
		{"unclear: nobody knows what the ask will lead to", func(b *bench) {
			b.merchant("a").Provider = provider{
				send: func(context.Context, string, time.Time) finding.Finding {
					return finding.Finding{Kind: finding.Unclear}
				},
				ask: b.merchant("a").Provider.(provider).ask,
			}
		}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			inTime(t, func(t *testing.T) {
				b := newBench(t, orders(20, "a")...)
				c.b(b)
				b.start()
				time.Sleep(time.Minute)
				b.stop()
				if b.journal.left() != 0 || b.allSends() != 20 {
					t.Errorf("%d are left after %d sends", b.journal.left(), b.allSends())
				}
				if n := b.journal.called("lease ask"); n > 0 != c.leases {
					t.Errorf("%d leases for asks", n)
				}
			})
		})
	}
}

// The journal isn't told of an acceptance that needs no word there. With resend it needs one: a payout
// that was accepted is never sent again, whoever has it. So does what may prove an end later.
func TestWhatIsInHandMayBeUnwritten(t *testing.T) {
	for _, c := range []struct {
		name    string
		answer  finding.Kind
		then    payout.Choice
		written payout.State
	}{
		{"accepted, and absence is held", finding.Accepted, payout.Hold, payout.StateSending},
		{"accepted, and absence sends again", finding.Accepted, payout.Resend, payout.StateProcessing},
		{"answered with an end", finding.SettledFailed, payout.Hold, payout.StateProcessing},
	} {
		t.Run(c.name, func(t *testing.T) {
			inTime(t, func(t *testing.T) {
				b := newBench(t, orders(20, "a")...)
				b.merchant("a").Policy.NoRecord.Then = c.then
				b.merchant("a").Provider = provider{
					send: func(context.Context, string, time.Time) finding.Finding {
						return finding.Finding{Kind: c.answer}
					},
					ask: b.merchant("a").Provider.(provider).ask,
				}
				b.start()
				time.Sleep(time.Second) // the first ask comes later
				b.journal.mu.Lock()
				for name, r := range b.journal.rows {
					if r.State != c.written || r.until.IsZero() {
						t.Errorf("%s is %v, leased until %v", name, r.State, r.until)
					}
				}
				b.journal.mu.Unlock()
				time.Sleep(time.Minute)
				b.stop()
				if b.journal.left() != 0 || b.allSends() != 20 || b.journal.called("lease ask") > 0 {
					t.Errorf("%d are left after %d sends and %d leases for asks", b.journal.left(), b.allSends(), b.journal.called("lease ask"))
				}
			})
		})
	}
}

// Whoever stops gives them back at once, due when they were: somebody else asks in time.
func TestWhatIsInHandIsGivenBackAtTheEnd(t *testing.T) {
	for _, when := range []string{"waiting", "being written"} {
		inTime(t, func(t *testing.T) {
			b := newBench(t, orders(20, "a")...)
			b.journal.fault = func(op string) error {
				if op == "apply" && when == "being written" {
					time.Sleep(2 * time.Second)
				}
				return nil
			}
			began := time.Now()
			b.start()
			time.Sleep(time.Second)
			b.stop()
			for i := range 20 {
				r := b.journal.rows[fmt.Sprintf("a%04d", i)]
				if r.State != payout.StateProcessing || !r.until.IsZero() {
					t.Fatalf("%s: %s is %v, leased until %v", when, r.TradeNo, r.State, r.until)
				}
				if wait := r.Due.Sub(began); wait < time.Second || wait > 3*time.Second {
					t.Errorf("%s is due after %v", r.TradeNo, wait)
				}
			}
		})
	}
}

// The drain may take as long as a call; what is in hand doesn't wait for it.
func TestWhatIsInHandDoesntWaitForTheDrain(t *testing.T) {
	inTime(t, func(t *testing.T) {
		b := newBench(t, append(orders(20, "a"), orders(1, "b")...)...)
		b.merchant("b").Provider = provider{
			send: func(context.Context, string, time.Time) finding.Finding {
				time.Sleep(9 * time.Second)
				return finding.Finding{Kind: finding.Accepted}
			},
			ask: b.merchant("b").Provider.(provider).ask,
		}
		b.start()
		time.Sleep(time.Second)
		b.stopTaking()
		time.Sleep(time.Second)
		if n := b.journal.leased(); n != 1 {
			t.Errorf("%d are leased besides the one that is being sent", n-1)
		}
		b.stop()
	})
}

// Where asks are short of something for longer, the journal has them all, and its order is
// the fair one. None is taken in hand then for a while.
func TestAsksThatAreLateGoBackToTheJournal(t *testing.T) {
	inTime(t, func(t *testing.T) {
		b := newBench(t, orders(20, "a")...)
		closed := atomic.Bool{}
		closed.Store(true)
		b.merchant("a").Query = limiter{
			take: func(ctx context.Context, n int) ([]time.Time, time.Duration, error) {
				if closed.Load() {
					return nil, 100 * time.Millisecond, nil
				}
				return free.take(ctx, n)
			},
			wait: free.wait,
		}
		b.start()
		time.Sleep(5 * time.Second)
		if n := b.journal.leased(); n != 0 || b.allSends() != 20 {
			t.Errorf("%d of %d are leased", n, b.allSends())
		}
		if b.merchants["a"].toAsk.reserve() {
			t.Error("more would be taken in hand")
		}
		closed.Store(false)
		time.Sleep(5 * time.Second)
		b.stop()
		if b.journal.left() != 0 {
			t.Errorf("%d are left", b.journal.left())
		}
	})
}

// What waits in the journal isn't starved by a stream of payouts that were just sent.
func TestOldAsksArentStarvedByWhatWasJustSent(t *testing.T) {
	inTime(t, func(t *testing.T) {
		all := orders(4000, "a")
		for i := range all { // 20 a second
			all[i].Due = time.Now().Add(time.Duration(i) * 50 * time.Millisecond)
		}
		for i := range 100 {
			all = append(all, settling(fmt.Sprintf("old%04d", i)))
		}
		b := newBench(t, all...)
		var mu sync.Mutex
		last := time.Now()
		b.merchant("a").Query = limiter{ // 22 asks a second
			take: func(_ context.Context, n int) (moments []time.Time, wait time.Duration, _ error) {
				mu.Lock()
				defer mu.Unlock()
				for now := time.Now(); len(moments) < n && now.Sub(last) >= 45*time.Millisecond; last = last.Add(45 * time.Millisecond) {
					moments = append(moments, now)
				}
				return moments, 10 * time.Millisecond, nil
			},
			wait: free.wait,
		}
		b.start()
		time.Sleep(time.Minute)
		asked := 0
		for i := range 100 {
			asked += len(b.events(fmt.Sprintf("old%04d", i)))
		}
		if asked < 100 {
			t.Errorf("%d of 100 old ones have come to their end in a minute", asked)
		}
		b.stop()
	})
}

// A write shows that the epoch under which they were leased is over: nothing could be
// written, so nobody is asked. What was leased in another one stays.
func TestALostEpochForgetsWhatIsInHand(t *testing.T) {
	inTime(t, func(t *testing.T) {
		b := newBench(t, append(orders(20, "a"), orders(1, "b")...)...)
		b.merchant("b").Provider = provider{
			send: func(context.Context, string, time.Time) finding.Finding {
				time.Sleep(time.Second)
				return finding.Finding{Kind: finding.Unclear} // which is written
			},
			ask: b.merchant("b").Provider.(provider).ask,
		}
		b.start()
		time.Sleep(900 * time.Millisecond)
		later := b.merchants["a"].toAsk.take(time.Now().Add(time.Hour), 1)[0]
		if !b.merchants["a"].toAsk.reserve() {
			t.Fatal("nothing is taken in hand")
		}
		later.lease.Epoch = "e2"
		b.merchants["a"].toAsk.fill(later)
		over := time.Now().Add(300 * time.Millisecond)
		b.journal.mu.Lock()
		b.journal.fault = func(op string) error {
			if op == "apply" && time.Now().Before(over) {
				return epochs.ErrOver
			}
			return nil
		}
		b.journal.mu.Unlock()
		time.Sleep(10 * time.Second)
		b.stop()
		for _, what := range b.noted() {
			if strings.HasPrefix(what, "ask") && what != "ask "+later.payout.TradeNo {
				t.Fatal(what)
			}
		}
		if !slices.Contains(b.noted(), "ask "+later.payout.TradeNo) {
			t.Error("what was leased in the other epoch is forgotten too")
		}
	})
}

func TestHowAsksAreShared(t *testing.T) {
	for _, c := range []struct{ n, stored, least, most int }{
		{128, 0, 0, 0}, {128, 5, 5, 5}, {128, 1000, 32, 32}, {1, 1000, 0, 1}, {6, 1000, 1, 2},
	} {
		low, high := c.n, 0
		for range 200 {
			n := ofJournal(c.n, c.stored)
			low, high = min(low, n), max(high, n)
		}
		if low != c.least || high != c.most {
			t.Errorf("of %d asks, %d due in the journal: %d to %d, not %d to %d", c.n, c.stored, low, high, c.least, c.most)
		}
	}
}

func TestTheOneThatIsDueFirstIsTakenFirst(t *testing.T) {
	now := time.Now()
	k := newInHand(asksInHand, nil)
	for _, n := range rand.Perm(100) {
		if !k.reserve() {
			t.Fatal("no room")
		}
		k.fill(&task{due: now.Add(time.Duration(n) * time.Second), payout: payout.Payout{Asks: n}})
	}
	if due, next := k.work(now.Add(-time.Second)); due != 0 || !next.Equal(now) {
		t.Errorf("%d are due before all, the next at %v", due, next.Sub(now))
	}
	if due, _ := k.work(now.Add(29 * time.Second)); due != 30 {
		t.Errorf("%d are due", due)
	}
	for n, p := range append(k.take(now.Add(29*time.Second), 10), k.take(now.Add(29*time.Second), 100)...) {
		if p.payout.Asks != n || n >= 30 {
			t.Errorf("number %d is %d", n, p.payout.Asks)
		}
	}
	k.close()
	if left := k.all(); len(left) != 70 || k.reserve() {
		t.Errorf("%d are left", len(left))
	}
}

// A lane may have leased more than the last look found: the look was made before the lease, and heard after it.
// Then nothing is due in the journal. A number below zero would take more asks in hand than there are permits.
func TestMoreWasLeasedThanTheLookFound(t *testing.T) {
	la := &lane{}
	la.left.Store(2)
	la.leased(4, 4)
	if due, _ := la.work(time.Now()); due != 0 || la.stored() != 0 {
		t.Errorf("%d to work on, %d in the journal", due, la.stored())
	}
}
