package ratelimit

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

// Sight is how fast a fleet may call now, for a person who asks. Times are on Redis' clock.
type Sight struct {
	PerSecond float64   // without the pauses
	RestUntil time.Time // the provider has asked for a pause until then; zero if it hasn't
	NextProbe time.Time // when the next send tries whether the provider still refuses all; zero if it doesn't
}

// Look reads the throttle of a limiter of the given options, as all instances share it. It writes nothing.
func Look(ctx context.Context, client redis.Cmdable, o Options, now time.Time) (Sight, error) {
	key := throttleOf(scheduleKey(o))
	text, err := client.Get(ctx, key).Result()
	if err != nil && !errors.Is(err, redis.Nil) {
		return Sight{}, fmt.Errorf("ratelimit: read the throttle %s: %w", key, err)
	}
	t := readThrottle(text).withoutFuture(now, o.MaxPause)
	s := Sight{PerSecond: o.Rate.PerSecond * t.factorAt(now)}
	if t.pausedUntil.After(now) {
		s.RestUntil = t.pausedUntil
	}
	if t.refusals.count > 0 {
		s.NextProbe = t.refusals.nextProbe
	}
	return s, nil
}
