package ratelimit

import (
	"context"
	"testing"
	"time"
)

// Where the schedule is missing, somebody may still hold moments of the one that was lost:
// the new one begins behind the last of them.
func TestAMissingScheduleBeginsBehindWhatWasGranted(t *testing.T) {
	inFleet(t, Rate{2000, 200}, func(f *fleet) { // its slack is the horizon: moments are granted at once
		take := func() []time.Time {
			moments, _, err := f.limiter().Take(context.Background(), 1000)
			if err != nil || len(moments) == 0 {
				t.Fatal(moments, err)
			}
			return moments
		}
		take()
		time.Sleep(time.Second)
		before := take()
		f.redis.FlushAll()
		after := take()
		if last := before[len(before)-1]; after[0].Before(last) {
			t.Errorf("%v before one that was granted already", last.Sub(after[0]))
		}
	})
}

// Two moments that come at once, as from a split Redis: the process' own pace moves the
// second one beyond its slack, so it is lost and another one is taken.
func TestAMomentThatTheOwnPaceMakesTooLateIsReplaced(t *testing.T) {
	inFleet(t, Rate{2, 1}, func(f *fleet) {
		l := f.limiter()
		time.Sleep(time.Second) // its own pace has room for one
		moment := time.Now()
		for range 2 {
			if err := l.Wait(context.Background(), moment); err != nil {
				t.Fatal(err)
			}
		}
		if f.counted(Late) == 0 {
			t.Errorf("both were used, within %v", time.Since(moment))
		}
	})
}

// After a minute without an answer the clocks may have gone apart, and an answer that was
// long under way doesn't tell.
func TestMomentsThatNobodyCanPlaceAreThrownAway(t *testing.T) {
	inFleet(t, Rate{2000, 200}, func(f *fleet) {
		l := f.limiter()
		for _, c := range []struct {
			slow    time.Duration
			granted bool
		}{{0, true}, {80 * time.Millisecond, false}, {0, true}} {
			time.Sleep(time.Minute)
			f.slow.Store(int64(c.slow))
			moments, _, err := l.Take(context.Background(), 10)
			if err != nil || len(moments) > 0 != c.granted {
				t.Errorf("%d moments after an answer that took %v (%v)", len(moments), c.slow, err)
			}
		}
	})
}
