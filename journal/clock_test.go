package journal

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"disburser/internal/embedded"
	"disburser/payout"
	"disburser/payout/epochs"
	"disburser/payout/leases"
)

// onClock runs a test on a Redis whose clock can be set.
func onClock(t *testing.T, window time.Duration, test func(t *testing.T, r *embedded.Redis, j *Journal)) {
	t.Helper()
	r, err := embedded.NewRedis()
	if err != nil {
		t.Fatal(err)
	}
	client := redis.NewClient(&redis.Options{Dialer: r.Dial})
	t.Cleanup(func() { _ = client.Close(); r.Close() })
	test(t, r, newJournal(t, client, window))
}

// What was remembered before the clock went back, over whatever boundary, is remembered
// after it: a repeat isn't sent again.
func TestAClockThatGoesBackHidesNothing(t *testing.T) {
	const window = 3 * time.Hour
	for _, back := range []time.Duration{time.Minute, window / 3, 2 * window, 1000 * time.Hour} {
		onClock(t, window, func(t *testing.T, r *embedded.Redis, j *Journal) {
			now := time.Now().Truncate(window / 3).Add(window / 3) // a generation has just begun
			r.SetTime(now)
			insert(t, j, 4, order("a", "300"))
			write(t, j, lease(t, j, payout.StepSend, "eg", 1), func(p *payout.Payout) {
				p.State, p.Step, p.Due = payout.StatePaid, payout.StepAnnounce, now
			})
			b := lease(t, j, payout.StepAnnounce, "", 1)
			if got := apply(t, j, leases.Change{Token: b.Token, Epoch: b.Epoch, Before: payout.StatePaid, After: b.Payouts[0], Forget: true}); !got[0] {
				t.Fatal("not forgotten")
			}
			r.SetTime(now.Add(-back))
			again := order("a", "300")
			again.Source.Time = now
			if got := insert(t, j, 5, again); got != "d" {
				t.Errorf("%v back: outcome %q", back, got)
			}
		})
	}
}

// An end counts before a send that is remembered in a later generation.
func TestAnEndIsRecalledBeforeASend(t *testing.T) {
	const window = 3 * time.Hour
	onClock(t, window, func(t *testing.T, r *embedded.Redis, j *Journal) {
		now := time.Now()
		r.SetTime(now)
		open(t, j, build(t, j, was(epochs.WasDecided, "a", 0)))
		r.SetTime(now.Add(-window))
		open(t, j, build(t, j, was(epochs.WasAnnounced, "a", payout.StatePaid)))
		if got := insert(t, j, 4, at("a", 3)); got != "d" {
			t.Errorf("outcome %q", got)
		}
		if census, err := j.Count(context.Background(), []int{0}); err != nil || census.Open != 0 {
			t.Errorf("it is open again: %+v %v", census, err)
		}
	})
}

// Outside of what the keepers have stamped no script runs; within it, and where nobody has
// stamped anything, all do.
func TestAClockOutOfBoundsIsRefused(t *testing.T) {
	onClock(t, time.Hour, func(t *testing.T, r *embedded.Redis, j *Journal) {
		ctx, now, id := context.Background(), time.Now(), j.epoch.id()
		refused := func(what string, ahead time.Duration, want bool) {
			t.Helper()
			r.SetTime(now.Add(ahead))
			for _, name := range Scripts {
				if unbelieving[name] || name == "insert" {
					continue
				}
				args := map[string][]any{"apply": {3600000, 0}, "lease": {"n", "", "token-token-", 1, 1, noAccount}, "accounts": {0, "eg", noAccount, "", 1}}[name]
				if args == nil {
					args = []any{"0", "0", "0"}
				}
				if name == "watermark" || name == "due" {
					args = nil
				}
				if _, err := j.run(ctx, name, args...); errors.Is(err, epochs.ErrOver) != want {
					t.Errorf("%s: %s: %v", what, name, err)
				}
			}
		}
		refused("nobody has stamped it", 50*time.Hour, false)
		r.SetTime(now)
		if shown, vouched, err := j.Clock(ctx, id, now, false); err != nil || !vouched || shown.Sub(now).Abs() > time.Second {
			t.Fatal(shown, vouched, err)
		}
		refused("as it was", 0, false)
		refused("half a minute back", -30*time.Second, false)
		refused("two minutes back", -2*time.Minute, true)
		refused("a little ahead", 59*time.Minute, false)
		refused("far ahead", 61*time.Minute, true)
		refused("back from there", 0, true)
		if _, _, err := j.Clock(ctx, id, now, false); !errors.Is(err, epochs.ErrOver) {
			t.Errorf("it is stamped over: %v", err)
		}
		s, err := j.Standing(ctx)
		if err != nil || s.ClockFrom.Sub(s.Now) < 59*time.Minute || s.ClockJumped {
			t.Errorf("%+v %v", s, err)
		}
		open(t, j, build(t, j))
		refused("in the next epoch", 50*time.Hour, false)
		id = j.epoch.id()
		r.SetTime(now)
		if _, vouched, err := j.Clock(ctx, id, now.Add(-2*time.Hour), false); err != nil || vouched {
			t.Errorf("a slow instance vouches: %v %v", vouched, err)
		}
		if _, vouched, err := j.Clock(ctx, id, now, true); err != nil || !vouched {
			t.Errorf("%v %v", vouched, err)
		}
		if s, err := j.Standing(ctx); err != nil || !s.ClockJumped {
			t.Errorf("%+v %v", s, err)
		}
		if _, _, err := j.Clock(ctx, "another", now, false); !errors.Is(err, epochs.ErrOver) {
			t.Errorf("%v", err)
		}
	})
}
