package ratelimit

import "time"

// drift is how much faster or slower than ours Redis' clock may run: NTP bends each by
// 500 ppm at most.
const maxDrift = 0.001

// reading is one of Redis' clock, and when it was asked for by this process'.
type clockReading struct{ redis, asked time.Time }

// clock knows how far Redis' clock is before this process', from what each answer shows:
// Redis read its clock after it was asked and before the answer was received. An answer
// that was long under way says little, but what earlier ones have said still holds, less
// for each second. So a slow answer doesn't misplace its moments. Times are since any
// fixed moment of each clock. The zero clock knows nothing.
type clockEstimate struct {
	minAhead, maxAhead time.Duration
	at                 time.Duration // by this process', when it was so
	known              bool
}

// heard is the clock after an answer with Redis' time.
func (c clockEstimate) update(asked, received, redis time.Duration) clockEstimate {
	least, most := redis-received, redis-asked
	if c.known {
		crept := time.Duration(maxDrift * float64(received-c.at))
		l, m := max(least, c.minAhead-crept), min(most, c.maxAhead+crept)
		if l <= m { // else one of the clocks was set
			least, most = l, m
		}
	}
	return clockEstimate{least, most, received, true}
}

// ours is a moment of Redis' by this process' clock: never early, and late by at most
// what isn't known.
func (c clockEstimate) toLocal(redis time.Duration) time.Duration { return redis - c.minAhead }

// unknown is how wrong ours may be.
func (c clockEstimate) uncertainty() time.Duration { return c.maxAhead - c.minAhead }
