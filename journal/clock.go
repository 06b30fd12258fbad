package journal

import (
	"sync/atomic"
	"time"
)

// clock is the latest reading of Redis' clock.
type clock struct{ last atomic.Pointer[clockReading] }

// clockReading is what Redis' clock showed, and when the answer came by this process' clock.
type clockReading struct{ shown, at time.Time }

// note notes what an answer says of Redis' clock.
func (c *clock) note(shown time.Time) {
	if !shown.IsZero() {
		c.last.Store(&clockReading{shown, time.Now()})
	}
}

// Now answers Redis' time by the last answer of an insert. It is late by the time that this answer
// took. It goes on by the monotonic clock, so that the process' own time doesn't count. Before the
// first answer it is the process' own time.
func (j *Journal) Now() time.Time {
	if h := j.clock.last.Load(); h != nil {
		return h.shown.Add(time.Since(h.at))
	}
	return time.Now()
}
