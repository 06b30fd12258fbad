package embedded

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// Keys expire as the process' clock goes on, or the one that was set.
func TestKeysExpire(t *testing.T) {
	for name, c := range map[string]struct {
		ttl  time.Duration
		pass func(r *Redis)
		left int64
	}{
		"not yet":              {time.Second, func(*Redis) { time.Sleep(999 * time.Millisecond) }, 1},
		"at its end":           {time.Second, func(*Redis) { time.Sleep(time.Second) }, 0},
		"in small steps":       {time.Second, func(*Redis) { sleepOften(1100, 900*time.Microsecond) }, 1},
		"by the clock set":     {time.Second, func(r *Redis) { r.SetTime(time.Now().Add(time.Second)) }, 0},
		"the clock was behind": {time.Second, func(r *Redis) { r.SetTime(time.Now().Add(-time.Hour)); time.Sleep(time.Hour) }, 1},
		"and goes on": {time.Second, func(r *Redis) {
			r.SetTime(time.Now().Add(-time.Hour))
			r.SetTime(time.Time{})
		}, 0},
		"time stands still": {time.Second, func(r *Redis) { r.ClockTTL(false); time.Sleep(time.Hour) }, 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r, err := NewRedis()
				if err != nil {
					t.Fatal(err)
				}
				defer r.Close()
				client := redis.NewClient(&redis.Options{
					Dialer: r.Dial, DisableIdentity: true,
					MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
				})
				defer func() { _ = client.Close() }()
				ctx := context.Background()
				if err := client.Set(ctx, "key", "x", c.ttl).Err(); err != nil {
					t.Fatal(err)
				}
				c.pass(r)
				if left, err := client.Exists(ctx, "key").Result(); err != nil || left != c.left {
					t.Errorf("%d left, want %d; %v", left, c.left, err)
				}
			})
		})
	}
}

func sleepOften(times int, d time.Duration) {
	for range times {
		time.Sleep(d)
	}
}
