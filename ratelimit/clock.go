package ratelimit

import "time"

// drift is how much faster or slower than ours Redis' clock may run: NTP bends each by
// 500 ppm at most.
const drift = 0.001

// reading is one of Redis' clock, and when it was asked for by this process'.
type reading struct{ redis, asked time.Time }

// clock knows how far Redis' clock is before this process', from what each answer shows:
// Redis read its clock after it was asked and before the answer was received. An answer
// that was long under way says little, but what earlier ones have said still holds, less
// for each second. So a slow answer doesn't misplace its moments. Times are since any
// fixed moment of each clock. The zero clock knows nothing.
type clock struct {
	least, most time.Duration
	at          time.Duration // by this process', when it was so
	known       bool
}

// heard is the clock after an answer with Redis' time.
func (c clock) heard(asked, received, redis time.Duration) clock {
	least, most := redis-received, redis-asked
	if c.known {
		crept := time.Duration(drift * float64(received-c.at))
		l, m := max(least, c.least-crept), min(most, c.most+crept)
		if l <= m { // else one of the clocks was set
			least, most = l, m
		}
	}
	return clock{least, most, received, true}
}

// ours is a moment of Redis' by this process' clock: never early, and late by at most
// what isn't known.
func (c clock) ours(redis time.Duration) time.Duration { return redis - c.least }

// unknown is how wrong ours may be.
func (c clock) unknown() time.Duration { return c.most - c.least }
