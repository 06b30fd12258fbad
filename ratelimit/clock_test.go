package ratelimit

import (
	"testing"
	"time"
)

// Redis' clock is an hour ahead of ours. The times of request and reply are on our clock.
func TestClock(t *testing.T) {
	const ms, hour = time.Millisecond, time.Hour
	type answer struct{ asked, received, redis time.Duration }
	for name, c := range map[string]struct {
		answers       []answer
		late, unknown time.Duration // how late ours places a moment, and how late it may
	}{
		"one":                             {[]answer{{0, 2 * ms, hour + 1*ms}}, 1 * ms, 2 * ms},
		"a slow one says nothing new":     {[]answer{{0, 2 * ms, hour + 1*ms}, {10 * ms, 90 * ms, hour + 20*ms}}, 1*ms + 88*time.Microsecond, 2*ms + 176*time.Microsecond},
		"a quick one after a slow one":    {[]answer{{0, 80 * ms, hour + 10*ms}, {100 * ms, 102 * ms, hour + 101*ms}}, 1 * ms, 2 * ms},
		"they go apart":                   {[]answer{{0, 2 * ms, hour + 1*ms}, {100 * time.Second, 100*time.Second + 80*ms, hour + 100*time.Second + 40*ms}}, 40 * ms, 80 * ms},
		"Redis' was set back by a minute": {[]answer{{0, 2 * ms, hour + time.Minute + 1*ms}, {100 * ms, 180 * ms, hour + 120*ms}}, 60 * ms, 80 * ms},
		"and on":                          {[]answer{{0, 2 * ms, hour - time.Minute + 1*ms}, {100 * ms, 180 * ms, hour + 120*ms}}, 60 * ms, 80 * ms},
	} {
		t.Run(name, func(t *testing.T) {
			var k clockEstimate
			for _, a := range c.answers {
				k = k.update(a.asked, a.received, a.redis)
			}
			if late := k.toLocal(hour); late != c.late || k.uncertainty() != c.unknown {
				t.Errorf("late by %v of %v, want %v of %v", late, k.uncertainty(), c.late, c.unknown)
			}
		})
	}
}
