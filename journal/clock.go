package journal

import (
	"sync/atomic"
	"time"
)

// clock is Redis' clock, as far as it was heard of.
type clock struct{ last atomic.Pointer[hearing] }

// hearing is what Redis' clock showed, and when that was heard, by this process.
type hearing struct{ shown, at time.Time }

// heard notes what an answer says of Redis' clock.
func (c *clock) heard(shown time.Time) {
	if !shown.IsZero() {
		c.last.Store(&hearing{shown, time.Now()})
	}
}

// Now answers Redis' time, as this process can tell: late by the way of the last answer of an
// insert. It goes on by the monotonic clock, so that the process' own time doesn't count.
// Before the first answer it is the process' own.
func (j *Journal) Now() time.Time {
	if h := j.clock.last.Load(); h != nil {
		return h.shown.Add(time.Since(h.at))
	}
	return time.Now()
}
