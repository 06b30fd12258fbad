package ratelimit

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"disburser/internal/embedded"
)

// If the schedule is missing, instances may still have moments of the lost one. The new one begins
// after the last of these.
func TestAMissingScheduleBeginsBehindWhatWasGranted(t *testing.T) {
	inFleet(t, Rate{2000, 200}, func(f *fleet) { // its slack is the horizon: moments are granted at once
		take := func() []Ticket {
			for l := f.limiter(); ; {
				tickets, wait, err := l.Take(context.Background(), 1000)
				if err != nil {
					t.Fatal(tickets, err)
				}
				if len(tickets) > 0 {
					return tickets
				}
				time.Sleep(wait)
			}
		}
		take()
		time.Sleep(time.Second)
		before := take()
		f.redis.FlushAll()
		after := take()
		if last := before[len(before)-1]; after[0].moment.at.Before(last.moment.at) {
			t.Errorf("%v before one that was granted already", last.moment.at.Sub(after[0].moment.at))
		}
	})
}

// Right before a call, the latest reading of Redis' clock is that of the grant of its moment.
func TestTheGrantTellsRedisTime(t *testing.T) {
	inFleet(t, Rate{50, 5}, func(f *fleet) {
		l := f.limiter()
		if redis, asked := l.LastReading(); !redis.IsZero() || !asked.IsZero() {
			t.Error("a reading before it has asked")
		}
		tickets, _, err := l.Take(context.Background(), 1)
		if err != nil || len(tickets) != 1 {
			t.Fatal(tickets, err)
		}
		time.Sleep(time.Second)
		f.redis.SetTime(time.Now().Add(time.Hour)) // while the call is made ready
		before := time.Now()
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = tickets[0].Wait(ctx) // this Redis' clock stands still now: the moment never comes
		redis, asked := l.LastReading()
		if asked.Before(before) || redis.Sub(before).Round(time.Second) != time.Hour {
			t.Errorf("%v, asked for %v after the moment was waited for", redis.Sub(asked), asked.Sub(before))
		}
	})
}

// The same where the moment was granted long before the call: then the clock is read again. Without
// Redis there is no call.
func TestAnOldGrantTellsNothing(t *testing.T) {
	inFleet(t, Rate{1, 5}, func(f *fleet) { // a moment may be used 2 s late
		ctx, l := context.Background(), f.among()
		tickets := f.now(l, 8)
		if len(tickets) < 3 {
			t.Fatal(tickets)
		}
		first, last := &tickets[len(tickets)-2], &tickets[len(tickets)-1]
		time.Sleep(maxReadingAge + 100*time.Millisecond)
		if err := first.Wait(ctx); err != nil {
			t.Fatal(err)
		}
		if _, asked := l.LastReading(); time.Since(asked) > maxReadingAge {
			t.Errorf("the clock was read %v before the call", time.Since(asked))
		}
		time.Sleep(maxReadingAge + time.Millisecond)
		f.redis.SetError("LOADING not now")
		if err := last.Wait(ctx); err == nil {
			t.Error("a call by an old reading")
		}
		f.redis.SetError("")
	})
}

// Two moments come at once, as from a split Redis. The rate of the process delays the second one
// beyond its slack. So it is lost, and another moment is requested.
func TestAMomentThatTheLocalRateMakesTooLateIsReplaced(t *testing.T) {
	inFleet(t, Rate{2, 1}, func(f *fleet) {
		l := f.limiter()
		time.Sleep(time.Second) // its local rate allows one call
		moment := time.Now()
		for range 2 {
			if err := l.ticket(moment).Wait(context.Background()); err != nil {
				t.Fatal(err)
			}
		}
		if f.counted(Late) == 0 {
			t.Errorf("both were used, within %v", time.Since(moment))
		}
	})
}

// After a minute without a reply the clocks may have drifted apart, and a slow reply doesn't show
// how far.
func TestMomentsThatNobodyCanPlaceAreThrownAway(t *testing.T) {
	inFleet(t, Rate{2000, 200}, func(f *fleet) {
		l := f.limiter()
		l.Begin(context.Background())
		for _, c := range []struct {
			slow    time.Duration
			granted bool
		}{{0, true}, {80 * time.Millisecond, false}, {0, true}} {
			time.Sleep(time.Minute)
			f.slow.Store(int64(c.slow))
			tickets, _, err := l.Take(context.Background(), 10)
			if err != nil || len(tickets) > 0 != c.granted {
				t.Errorf("%d moments after an answer that took %v (%v)", len(tickets), c.slow, err)
			}
		}
	})
}

// A split Redis grants the same moments on both halves. The half with the new epoch pauses until
// the calls of the other half are over.
func TestASplitScheduleRestsBeforeItGoesOn(t *testing.T) {
	for _, r := range []Rate{{10, 3}, {50, 1}, {200, 5}} {
		for _, epoch := range []int{8, 7} { // begun already, or not noticed yet
			t.Run(fmt.Sprintf("%v a second, burst %d, epoch %d", r.PerSecond, r.Burst, epoch), func(t *testing.T) {
				inFleet(t, r, func(f *fleet) { splitInTwo(t, f, epoch) })
			})
		}
	}
}

func splitInTwo(t *testing.T, f *fleet, epoch int) {
	stale, stop := context.WithCancel(context.Background())
	defer stop()
	f.epoch = func() int { return 7 }
	f.instance(stale)
	time.Sleep(3 * time.Second)
	half, other := f.copied()
	defer half.Close()
	defer func() { _ = other.Close() }()
	whole := f.client
	f.client, f.epoch = other, func() int { return epoch }
	fresh, end := context.WithTimeout(context.Background(), 6*time.Second)
	defer end()
	f.instance(fresh)
	time.Sleep(maxQueueTime) // what was decided before the fence
	stop()
	f.group.Wait()
	f.client = whole
	f.keptRate()
	if calls := len(f.calls); calls < int((3+6*0.7)*f.rate.PerSecond) {
		t.Errorf("%d calls: the new half makes none", calls)
	}
}

// A schedule that is new begins while the instance still looks for an epoch. The epoch makes it wait no longer.
func TestAScheduleBeginsBeforeTheEpoch(t *testing.T) {
	number := 0
	inFleet(t, Rate{50_000, 5000}, func(f *fleet) {
		f.epoch = func() int { return number }
		l := f.limiter()
		l.Begin(context.Background())
		time.Sleep(prepareSpan)
		number = 1
		l.Begin(context.Background())
		f.take(l, 1, 1)
	})
}

// An instance that still is in the old epoch is granted nothing.
func TestAnOldEpochIsGrantedNothing(t *testing.T) {
	inFleet(t, Rate{50, 5}, func(f *fleet) {
		granted := func(epoch int) bool {
			f.epoch = func() int { return epoch }
			ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
			defer cancel()
			_, err := f.limiter().waitInQueue(ctx, time.Now())
			return err == nil
		}
		for i, c := range []struct {
			epoch int
			want  bool
		}{{7, true}, {8, true}, {7, false}, {0, true}, {8, true}} { // in none one has what was decided before
			if got := granted(c.epoch); got != c.want {
				t.Errorf("step %d: epoch %d was granted a moment: %v", i, c.epoch, got)
			}
		}
	})
}

// copied is the other half of a split: a Redis with a copy of all data.
func (f *fleet) copied() (*embedded.Redis, *redis.Client) {
	half, err := embedded.NewRedis()
	if err != nil {
		f.t.Fatal(err)
	}
	whole := f.redis
	f.redis = half
	ctx, client := context.Background(), f.connect(1)
	f.redis = whole
	for _, key := range f.client.Keys(ctx, "*").Val() {
		if err := client.Set(ctx, key, f.client.Get(ctx, key).Val(), f.client.PTTL(ctx, key).Val()).Err(); err != nil {
			f.t.Fatal(err)
		}
	}
	return half, client
}
