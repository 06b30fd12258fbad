package ratelimit

import "time"

// maxDrift is the greatest difference in speed of Redis' clock and ours. NTP changes the speed
// of each by 500 ppm at most.
const maxDrift = 0.001

// clockReading is a time on Redis' clock, and when it was requested on ours.
type clockReading struct{ redis, asked time.Time }

// clockEstimate is how far Redis' clock is ahead of this process' clock: between minAhead and
// maxAhead. Redis read its clock between the request and the reply, so each reply narrows the
// range. A slow reply narrows it little, but the earlier range still holds; it only grows with
// the drift. So a slow reply doesn't misplace its moments.
//
// Times count from any fixed moment of each clock. The zero value knows nothing.
type clockEstimate struct {
	minAhead, maxAhead time.Duration
	at                 time.Duration // when the range was computed, on our clock
	known              bool
}

// update returns the estimate after a reply with Redis' time.
func (c clockEstimate) update(asked, received, redis time.Duration) clockEstimate {
	least, most := redis-received, redis-asked
	if c.known {
		crept := time.Duration(maxDrift * float64(received-c.at))
		l, m := max(least, c.minAhead-crept), min(most, c.maxAhead+crept)
		if l <= m { // else one of the clocks was set: start again
			least, most = l, m
		}
	}
	return clockEstimate{least, most, received, true}
}

// toLocal converts a moment of Redis' clock to ours. The result is never early, and late by the
// uncertainty at most.
func (c clockEstimate) toLocal(redis time.Duration) time.Duration { return redis - c.minAhead }

// uncertainty is how wrong toLocal may be.
func (c clockEstimate) uncertainty() time.Duration { return c.maxAhead - c.minAhead }
