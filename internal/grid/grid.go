// Package grid promises that what waits in this process wakes together. A process that does little wakes for
// each thing it does: for a call whose moment has come, for a lane that rests. Each time, waking costs as much
// as the work, in the kernel and in Go's scheduler. So waits end at common lines of time, and what wakes
// together also shares round trips to Redis.
package grid

import "time"

// Width is the distance of the lines: 10 ms. What may wait for longer waits for every second or fourth line, which
// are Widest apart.
const (
	Width  = 10 * time.Millisecond
	Widest = 4 * Width
)

// Until is how long to wait for a moment: until the first line that isn't before it. A moment that has come
// is waited for no longer: the answer is 0 or less, as time.Until's. Width bounds how late that is.
func Until(at time.Time) time.Duration { return UntilFine(at, Width) }

// UntilFine is Until for lines that are at most that far apart. They are a half, a quarter and so on of
// Widest, so that they fall together as often as they can.
func UntilFine(at time.Time, width time.Duration) time.Duration {
	wait := time.Until(at)
	if wait <= 0 || width <= 0 {
		return wait
	}
	fine := Widest
	for fine > width {
		fine /= 2
	}
	if after := time.Duration(at.UnixNano()) % fine; after > 0 && fine > 0 {
		wait += fine - after
	}
	return wait
}

// Slow is the distance of the lines for what looks a few times a second whether there is something new. An idle process has a
// handful of these, and wakes once for all of them.
const Slow = 250 * time.Millisecond

// UntilNext is how long to wait for the next line of that width: width at most.
func UntilNext(width time.Duration) time.Duration {
	if width <= 0 {
		return 0
	}
	return width - time.Duration(time.Now().UnixNano())%width
}
