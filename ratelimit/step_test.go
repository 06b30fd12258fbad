package ratelimit

import (
	"context"
	"slices"
	"testing"
	"time"
)

const throttleKey = "test:{rate:eg:send}:pace"

// stepBack sets Redis' clock back: it moves the times of the stored throttle forward instead.
func (f *fleet) stepBack(d time.Duration) {
	f.t.Helper()
	text, err := f.redis.Get(throttleKey)
	if err != nil {
		f.t.Fatal(err)
	}
	p := readThrottle(text)
	for _, at := range []*time.Time{&p.loweredAt, &p.risesFrom, &p.pausedUntil, &p.refusals.pausedAt, &p.refusals.probeBegan, &p.refusals.nextProbe} {
		if !at.IsZero() {
			*at = at.Add(d)
		}
	}
	if err := f.redis.Set(throttleKey, p.String()); err != nil {
		f.t.Fatal(err)
	}
}

func (f *fleet) directions() (all []Direction) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, change := range f.changes {
		all = append(all, change.To)
	}
	return all
}

// Redis' clock is set back by an hour during a pause after refusals. The probe is still made in
// time and its answer counts. An answer "too fast" counts too.
func TestRedisClockFallsBackWhileSendsRest(t *testing.T) {
	inFleet(t, Rate{50, 5}, func(f *fleet) {
		ctx := context.Background()
		l := f.limiter()
		l.Begin(ctx)
		if err := l.Refused(ctx, time.Now(), time.Second); err != nil {
			t.Fatal(err)
		}
		f.stepBack(time.Hour)
		time.Sleep(10 * time.Second)
		var tickets []Ticket
		for range 10 {
			var err error
			if tickets, _, err = l.Take(ctx, 8); err != nil {
				t.Fatal(err)
			}
			if len(tickets) > 0 {
				break
			}
			time.Sleep(refusalLookEvery)
		}
		if len(tickets) != 1 {
			t.Fatal("no probe for as long as the clock has fallen back")
		}
		if err := l.Accepted(ctx, time.Now()); err != nil || l.Refusing() {
			t.Fatal("the probe went well, and sends rest", err)
		}
	})
}

func TestRedisClockFallsBackWhileTheProviderWantsRest(t *testing.T) {
	inFleet(t, Rate{50, 5}, func(f *fleet) {
		ctx := context.Background()
		l := f.limiter()
		l.Begin(ctx)
		if err := l.Told(ctx, time.Now(), true, 30*time.Second); err != nil {
			t.Fatal(err)
		}
		f.stepBack(time.Hour)
		l = f.limiter() // reads it anew
		l.Begin(ctx)
		if l.PerSecond() == 0 {
			t.Error("rests for as long as the clock has fallen back")
		}
		time.Sleep(2 * time.Second)
		before := l.PerSecond()
		if err := l.Told(ctx, time.Now(), true, 0); err != nil || l.PerSecond() >= before {
			t.Errorf("too fast at %v per second, and now %v, %v", before, l.PerSecond(), err)
		}
		time.Sleep(2 * time.Minute)
		l.Begin(ctx)
		if l.PerSecond() != 50 {
			t.Errorf("%v per second two minutes later", l.PerSecond())
		}
	})
}

// Every instance tells a lost throttle from one that ended by the provider's answer.
func TestWhatEndsRefusals(t *testing.T) {
	for want, end := range map[Direction]func(ctx context.Context, f *fleet, l *Limiter){
		Accepted: func(ctx context.Context, f *fleet, l *Limiter) {
			if err := l.Accepted(ctx, time.Now()); err != nil {
				f.t.Error(err)
			}
		},
		Forgotten: func(_ context.Context, f *fleet, _ *Limiter) { f.redis.FlushAll() },
	} {
		t.Run(string(want), func(t *testing.T) {
			inFleet(t, Rate{50, 5}, func(f *fleet) {
				ctx := context.Background()
				one, two := f.limiter(), f.limiter()
				one.Begin(ctx)
				if err := one.Refused(ctx, time.Now(), time.Minute); err != nil {
					t.Fatal(err)
				}
				two.Begin(ctx)
				time.Sleep(time.Second)
				end(ctx, f, one)
				time.Sleep(2 * refusalLookEvery)
				for _, l := range []*Limiter{one, two} {
					if err := l.refreshThrottle(ctx); err != nil {
						t.Error(err)
					}
				}
				got := slices.DeleteFunc(f.directions(), func(d Direction) bool { return d != Accepted && d != Forgotten })
				if len(got) != 2 || got[0] != want || got[1] != want {
					t.Errorf("told of %v, want %v twice", got, want)
				}
			})
		})
	}
}
