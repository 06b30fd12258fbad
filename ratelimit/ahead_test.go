package ratelimit

import (
	"context"
	_ "embed"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// among is a limiter whose schedule has been running for so long that moments are granted as far
// ahead as its rate allows.
func (f *fleet) among() *Limiter {
	l := f.limiter()
	l.Begin(context.Background())
	time.Sleep(11 * time.Second)
	return l
}

// now takes moments for up to n calls.
func (f *fleet) now(l *Limiter, n int) []Ticket {
	f.t.Helper()
	tickets, _, err := l.TakeNow(context.Background(), n)
	if err != nil {
		f.t.Fatal(err)
	}
	return tickets
}

// What was granted ahead is stopped before it leaves: by "too fast", a pause, refusals and a new
// epoch. It makes no difference who asked for the moment.
func TestWhatWasGrantedAheadIsStopped(t *testing.T) {
	for name, c := range map[string]struct {
		happens func(ctx context.Context, l *Limiter, epoch *atomic.Int64) error
		after   time.Duration // no call before
		err     error         // no call at all
	}{
		"nothing": {func(context.Context, *Limiter, *atomic.Int64) error { return nil }, 120 * time.Millisecond, nil},
		"too fast": {func(ctx context.Context, l *Limiter, _ *atomic.Int64) error {
			return l.Told(ctx, time.Now(), true, 0)
		}, 200 * time.Millisecond, nil}, // 160 if what was stopped were caught up on
		"a pause": {func(ctx context.Context, l *Limiter, _ *atomic.Int64) error {
			return l.Told(ctx, time.Now(), false, 3*time.Second)
		}, 3050 * time.Millisecond, nil},
		"refusals": {func(ctx context.Context, l *Limiter, _ *atomic.Int64) error {
			return l.Refused(ctx, time.Now(), time.Second)
		}, 0, errNotTheProbe},
		"a new epoch": {func(_ context.Context, _ *Limiter, epoch *atomic.Int64) error {
			epoch.Store(8)
			return nil
		}, epochPause, nil},
	} {
		for from, ticket := range map[string]func(f *fleet, l *Limiter) *Ticket{
			"TakeNow": func(f *fleet, l *Limiter) *Ticket {
				tickets := f.now(l, 8)
				return &tickets[len(tickets)-1]
			},
			"the queue": func(f *fleet, l *Limiter) *Ticket {
				f.now(l, 7)
				return &f.take(l, 1, 1)[0]
			},
		} {
			t.Run(name+", "+from, func(t *testing.T) {
				inFleet(t, Rate{25, 5}, func(f *fleet) {
					var epoch atomic.Int64
					epoch.Store(7)
					f.epoch = func() int { return int(epoch.Load()) }
					ctx, l := context.Background(), f.among()
					last, began := ticket(f, l), time.Now()
					time.AfterFunc(50*time.Millisecond, func() {
						if err := c.happens(ctx, l, &epoch); err != nil {
							t.Error(err)
						}
					})
					err := last.Wait(ctx)
					if took := time.Since(began); !errors.Is(err, c.err) || took < c.after || took > c.after+2*time.Second {
						t.Errorf("%v after %v", err, took)
					}
				})
			})
		}
	}
}

// A schedule outlives an idle minute: then a lone call is made at once.
func TestALoneCallAfterAnIdleMinute(t *testing.T) {
	for _, idle := range []time.Duration{61 * time.Second, 23 * time.Hour} {
		inFleet(t, Rate{5, 5}, func(f *fleet) {
			ctx, l := context.Background(), f.among()
			for name, take := range map[string]func(context.Context, int) ([]Ticket, time.Duration, error){"Take": l.Take, "TakeNow": l.TakeNow} {
				time.Sleep(idle)
				began := time.Now()
				tickets, _, err := take(ctx, 1)
				if err != nil || len(tickets) != 1 {
					t.Fatal(name, tickets, err)
				}
				if err := tickets[0].Wait(ctx); err != nil || time.Since(began) > 0 {
					t.Errorf("%s: %v after %v", name, err, time.Since(began))
				}
			}
		})
	}
}

// TakeNow gets moments with one request, as many as there are. If there are none, it says when
// there will be some.
func TestTakeNow(t *testing.T) {
	inFleet(t, Rate{50, 5}, func(f *fleet) {
		l := f.among()
		before := f.redis.CommandCount()
		tickets := f.now(l, 128)
		if n := len(tickets); n < 8 || n > 11 || time.Until(tickets[n-1].moment.at) > f.rate.ahead() {
			t.Fatalf("%d moments, want those of the slack and of %v", n, f.rate.ahead())
		}
		none, wait, err := l.TakeNow(context.Background(), 128)
		if err != nil || len(none) > 0 || wait < f.rate.ahead()/2 || wait > f.rate.ahead() {
			t.Fatal(len(none), wait, err)
		}
		if n := f.redis.CommandCount() - before; n > 22 {
			t.Errorf("%d commands for two requests", n)
		}
		time.Sleep(wait)
		if n := len(f.now(l, 128)); n < 2 { // two or three intervals have passed
			t.Errorf("%d moments after %v", n, wait)
		}
		if f.counted(Denied) == 0 || f.counted(Granted) == 0 {
			t.Error("nothing was counted")
		}
	})
}

// A moment that is returned is granted again, and one whose call has left is not.
func TestAReturnedMomentIsGrantedAgain(t *testing.T) {
	inFleet(t, Rate{25, 5}, func(f *fleet) {
		l := f.among()
		tickets := f.now(l, 16)
		last := &tickets[len(tickets)-1]
		if err := tickets[0].Wait(context.Background()); err != nil {
			t.Fatal(err)
		}
		tickets[0].Return()
		last.Return()
		last.Return()
		again := f.now(l, 16)
		if len(again) != 1 || again[0].moment.redis != last.moment.redis {
			t.Errorf("%d were granted again", len(again))
		}
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Millisecond)
		defer cancel()
		if again[0].Wait(ctx) == nil {
			t.Fatal("it was made early")
		}
		if again = f.now(l, 16); len(again) == 0 || again[0].moment.redis != last.moment.redis { // the next one may have come into reach
			t.Errorf("%d were granted after the call was given up", len(again))
		}
	})
}

// Calls that wait for their moments come before those that leave right away.
func TestTakeNowLetsTheQueueGoFirst(t *testing.T) {
	inFleet(t, Rate{25, 5}, func(f *fleet) {
		l := f.among()
		f.now(l, 16)
		waits := f.take(l, 1, 1)
		f.group.Go(func() {
			if err := waits[0].Wait(context.Background()); err != nil {
				t.Error(err)
			}
		})
		time.Sleep(time.Millisecond)
		tickets := f.now(l, 1)
		if len(tickets) != 1 || tickets[0].granted {
			t.Fatal("it got a moment before the call that waits")
		}
		f.group.Wait()
		tickets[0].Return()
	})
}

// While sends pause after refusals, TakeNow has a ticket for the probe only.
func TestTakeNowWhileSendsPause(t *testing.T) {
	inFleet(t, Rate{50, 5}, func(f *fleet) {
		ctx, l, other := context.Background(), f.among(), f.limiter()
		other.Begin(ctx)
		if err := l.Refused(ctx, time.Now(), time.Minute); err != nil {
			t.Fatal(err)
		}
		for range 2 { // the other hears of it from the first reply
			for _, l := range []*Limiter{l, other} {
				if n := len(f.now(l, 8)); n > 0 {
					t.Errorf("%d tickets during the pause", n)
				}
			}
		}
		time.Sleep(time.Minute)
		if tickets := f.now(l, 8); len(tickets) != 1 || tickets[0].probe == "" {
			t.Error("no probe after the pause")
		}
	})
}

//go:embed testdata/take-0.1.lua
var takeOfVersion01 string

// instance01 makes calls as an instance of version 0.1 does: it asks for moments 20 ms ahead, every
// 10 ms. A missing schedule begins 100 ms from now.
func (f *fleet) instance01(ctx context.Context) {
	script := redis.NewScript(takeOfVersion01)
	keys := f.limiter().keys
	f.group.Go(func() {
		for ctx.Err() == nil {
			answer, err := script.Run(context.Background(), f.client, keys, micros(f.rate.interval()), 8, micros(f.rate.slack()-f.rate.replyDelay()),
				micros(20*time.Millisecond), micros(100*time.Millisecond), micros(maxQueueTime), f.rate.catchUp(), 0, "", 0, micros(epochPause)).Slice()
			if err != nil {
				f.t.Error(err)
				return
			}
			now, first := time.Now(), duration(float(answer, 1)-float(answer, 0))
			for i := range int(float(answer, 2)) {
				f.group.Go(func() {
					time.Sleep(time.Until(now.Add(first + time.Duration(i)*f.rate.interval())))
					f.called()
				})
			}
			time.Sleep(10 * time.Millisecond)
		}
	})
}

// Beside instances of version 0.1 no moment is further ahead than these begin a schedule.
func TestBesideInstancesOfVersion01(t *testing.T) {
	inFleet(t, Rate{20, 5}, func(f *fleet) {
		furthest := func(l *Limiter) time.Duration {
			time.Sleep(time.Second)
			tickets := f.now(l, 20)
			return time.Until(tickets[len(tickets)-1].moment.at)
		}
		l := f.among()
		if ahead := furthest(l); ahead < 200*time.Millisecond {
			t.Errorf("%v ahead without them", ahead)
		}
		ctx, stop := context.WithTimeout(context.Background(), 500*time.Millisecond)
		defer stop()
		f.instance01(ctx)
		f.group.Wait()
		for range 9 {
			if ahead := furthest(l); ahead > 100*time.Millisecond {
				t.Errorf("%v ahead beside them", ahead)
			}
		}
		time.Sleep(3 * time.Second)
		if ahead := furthest(l); ahead < 200*time.Millisecond {
			t.Errorf("%v ahead after them", ahead)
		}
	})
}

// A fleet of both versions keeps the rate and uses it, also after wipes.
func TestAFleetOfBothVersions(t *testing.T) {
	for _, wipes := range []int{0, 4} {
		inFleet(t, Rate{50, 5}, func(f *fleet) {
			const d = 20 * time.Second
			ctx, cancel := context.WithTimeout(context.Background(), d)
			defer cancel()
			f.instance01(ctx)
			f.instance(ctx)
			f.instance(ctx)
			for range wipes {
				time.Sleep(4 * time.Second)
				f.redis.FlushAll()
			}
			f.group.Wait()
			f.keptRate()
			if wipes == 0 {
				f.used(0.99, d)
			}
		})
	}
}
