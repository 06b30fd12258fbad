package disburse

import (
	"sync/atomic"
	"time"
)

// leastStandstill is how much time this machine must have missed before it counts: the clocks of two machines
// don't run alike, and Redis tells milliseconds.
const leastStandstill = 20 * time.Millisecond

// standstill notices that this machine stood still together with its clocks, by a clock of another one. It is
// safe for concurrent use.
type standstill struct{ last atomic.Pointer[readClock] }

// readClock is a reading of another machine's clock, and when it was asked for by this process' clock.
type readClock struct{ theirs, asked time.Time }

// saw takes a reading that was received by now. It answers for how long this machine stood still for sure since
// the reading before it, 0 if it may have been awake.
func (s *standstill) saw(theirs, asked, now time.Time) time.Duration {
	if theirs.IsZero() {
		return 0
	}
	for {
		before := s.last.Load()
		if before != nil && !asked.After(before.asked) {
			return 0 // the same one again, or an older one
		}
		if !s.last.CompareAndSwap(before, &readClock{theirs, asked}) {
			continue
		}
		if before == nil {
			return 0
		}
		missed := theirs.Sub(before.theirs) - now.Sub(before.asked)
		if missed < leastStandstill {
			return 0
		}
		return missed
	}
}

// sawStandstill tells the actions how much time was missed. What people said meanwhile isn't known: what was read
// before counts as older by that (protocol A2).
func (l *Loop) sawStandstill(by *standstill, theirs, asked, now time.Time) {
	if missed := by.saw(theirs, asked, now); missed > 0 && l.StoodStill != nil {
		l.StoodStill(missed)
	}
}
