package ratelimit

import (
	"context"
	"fmt"
	"testing"
	"time"
)

// take takes n tickets and fails the test if the limiter gives another number.
func (f *fleet) take(l *Limiter, n, want int) []Ticket {
	f.t.Helper()
	tickets, wait, err := l.Take(context.Background(), n)
	if err != nil || len(tickets) != want || want == 0 && wait <= 0 {
		f.t.Fatalf("%d tickets, want %d; wait %v, %v", len(tickets), want, wait, err)
	}
	return tickets
}

// A chunk is what the rate makes in 300 ms. While enough of it is left, Redis isn't asked.
func TestAnInstanceReservesAChunkAtATime(t *testing.T) {
	inFleet(t, Rate{50, 5}, func(f *fleet) {
		l := f.limiter()
		l.Begin(context.Background())
		tickets := f.take(l, 128, 15)
		before := f.redis.CommandCount()
		f.take(l, 128, 0)
		for range 7 {
			tickets[0].Return()
			tickets[0].Return() // the second time does nothing
			tickets = tickets[1:]
		}
		f.take(l, 128, 0) // eight are left, seven are enough
		if asked := f.redis.CommandCount() - before; asked > 0 {
			t.Errorf("%d commands while enough calls are ready", asked)
		}
		tickets[0].Return()
		f.take(l, 128, 8)
	})
}

// An instance that gets a third of the moments has a third of the calls ready, and the margin of what it
// doesn't know yet.
func TestTheChunkIsByTheOwnRate(t *testing.T) {
	for _, c := range []struct {
		share float64
		chunk int
	}{{1, 15}, {1. / 3, 6}, {0.1, 3}} {
		q, now := queue{}, time.Now()
		q.handed = now
		every := time.Duration(float64(20*time.Millisecond) / c.share)
		for range 200 {
			now = now.Add(every)
			q.gotMoments(now, 1, 20*time.Millisecond)
		}
		if chunk := (Rate{PerSecond: min(50, q.ownRate(50))}).chunk(); chunk != c.chunk {
			t.Errorf("a chunk of %d with %.2f of the moments, not %d", chunk, c.share, c.chunk)
		}
	}
}

// Nothing is ready: a lone call gets its ticket at once.
func TestALoneCallIsMadeReadyAtOnce(t *testing.T) {
	for _, perSecond := range []float64{0.5, 4, 50, 1000} {
		inFleet(t, Rate{perSecond, 1}, func(f *fleet) {
			l := f.limiter()
			l.Begin(context.Background())
			for range 3 {
				tickets := f.take(l, 1, 1)
				tickets[0].Return()
				time.Sleep(3 * time.Second)
			}
		})
	}
}

// A ticket that was dropped without a word stops nothing for long.
func TestForgottenTicketsDontCountForLong(t *testing.T) {
	inFleet(t, Rate{50, 5}, func(f *fleet) {
		l := f.limiter()
		l.Begin(context.Background())
		f.take(l, 128, 15)
		f.take(l, 1, 0)
		time.Sleep(preparedTimeout + time.Millisecond)
		f.take(l, 128, 15)
	})
}

// A call that waits for its moment counts, however long it took to make it ready.
func TestCallsThatWaitCount(t *testing.T) {
	inFleet(t, Rate{10, 1}, func(f *fleet) {
		ctx, stop := context.WithCancel(context.Background())
		l := f.limiter()
		l.Begin(ctx)
		tickets := f.take(l, 128, 3)
		time.Sleep(preparedTimeout)
		for i := range tickets {
			f.group.Go(func() { _ = tickets[i].Wait(ctx) })
		}
		time.Sleep(10 * time.Millisecond)
		f.take(l, 1, 0)
		stop()
		f.group.Wait()
		f.take(l, 128, 3)
	})
}

// While little room is left in the fleet's queue, an instance gets none instead of one at a time.
// What it wants at least is a tenth of a second's calls.
func TestFewAreNotReservedOneByOne(t *testing.T) {
	inFleet(t, Rate{50, 5}, func(f *fleet) {
		ctx := context.Background()
		instances := []*Limiter{f.limiter(), f.limiter(), f.limiter()}
		got := []int{}
		var wait time.Duration
		for _, l := range instances {
			l.Begin(ctx)
			tickets, w, err := l.Take(ctx, 128)
			if err != nil {
				t.Fatal(err)
			}
			got, wait = append(got, len(tickets)), w
		}
		if fmt.Sprint(got) != "[15 12 0]" || wait < 50*time.Millisecond || wait > 100*time.Millisecond {
			t.Fatalf("reserved %v, wait %v", got, wait)
		}
		time.Sleep(20 * time.Millisecond)
		f.take(instances[2], 1, 1) // who wants one gets one
		time.Sleep(wait + 20*time.Millisecond)
		f.take(instances[2], 128, 6)
	})
}

// At the limit a call costs few commands, with one instance and with several.
func TestWhatACallCosts(t *testing.T) {
	for _, c := range []struct {
		perSecond float64
		instances int
		most      float64 // commands for each call
	}{{5, 1, 6}, {5, 3, 15}, {50, 1, 5}, {50, 3, 13}, {200, 3, 9}} {
		t.Run(fmt.Sprintf("%v a second, %d instances", c.perSecond, c.instances), func(t *testing.T) {
			if c.perSecond > 50 {
				long(t)
			}
			inFleet(t, Rate{c.perSecond, 5}, func(f *fleet) {
				const d, warm = 30 * time.Second, 11 * time.Second // before that it isn't known who else is there
				ctx, cancel := context.WithTimeout(context.Background(), d)
				defer cancel()
				for range c.instances {
					f.atOnce(ctx, f.limiter())
				}
				time.Sleep(warm)
				began, before := time.Now(), f.redis.CommandCount()
				f.group.Wait()
				cost := float64(f.redis.CommandCount()-before) / float64(f.between(began, began.Add(d)))
				if cost > c.most {
					t.Errorf("%.1f commands for each call, at most %v", cost, c.most)
				}
				f.keptRate()
				f.used(0.99, d)
				t.Logf("%.1f commands for each call", cost)
			})
		})
	}
}

// Each instance has a call ready, however slow the rate: none of the moments is lost because nobody asks.
func TestEachInstanceHasACallReady(t *testing.T) {
	times := 40
	if testing.Short() {
		times = 8
	}
	for range times {
		inFleet(t, Rate{1, 1}, func(f *fleet) {
			f.run(3, 30*time.Second)
			if len(f.calls) < 29 {
				t.Errorf("%d calls in 30 s", len(f.calls))
			}
		})
	}
}
