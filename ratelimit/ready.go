package ratelimit

import "time"

const (
	// chunkSpan is for how long an instance makes calls ready at a time, at its own rate of late. So
	// it reserves, leases and decides a few times a second, whatever the rate. Ready calls occupy
	// slots: instances that share a rate must not each have ready what all of them can call.
	chunkSpan = 300 * time.Millisecond

	// refillSpan is what it has left when it reserves the next ones. It covers the time from Take
	// to the call, also if the other instances stand still.
	refillSpan = 150 * time.Millisecond

	// leastSpan is for how long an instance reserves calls at least, if it wants so many.
	leastSpan = 100 * time.Millisecond

	// preparedTimeout is how long a ticket counts that is neither waited for nor returned. It is
	// longer than a lease and a decision usually take.
	preparedTimeout = time.Second
)

// chunk is how many calls an instance has ready at most.
func (r Rate) chunk() int { return max(1, r.callsIn(chunkSpan)) }

// refillAt is how many calls an instance has left when it makes more ready. A chunk of one is used
// up first: the next moment is far enough away.
func (r Rate) refillAt() int {
	if r.chunk() == 1 {
		return 0
	}
	return max(1, int(r.PerSecond*refillSpan.Seconds()+1e-6))
}

// callsIn is how many calls the rate makes in that time, rounded up.
func (r Rate) callsIn(d time.Duration) int { return int(r.PerSecond*d.Seconds() + 1 - 1e-6) }

// readyCalls counts the calls of this process that are reserved and not made yet. The limiter's mu
// guards it.
type readyCalls struct {
	prepared []*preparedCalls // the oldest first
	waiting  int              // are in Wait
}

// preparedCalls are the tickets of one reservation that nobody waits for yet.
type preparedCalls struct {
	reserved time.Time
	left     int
}

// add counts the tickets of a reservation.
func (c *readyCalls) add(now time.Time, n int) *preparedCalls {
	group := &preparedCalls{reserved: now, left: n}
	c.prepared = append(c.prepared, group)
	return group
}

// count is how many calls are ready. Tickets that somebody forgot don't count for long.
func (c *readyCalls) count(now time.Time) int {
	for len(c.prepared) > 0 && (c.prepared[0].left == 0 || now.Sub(c.prepared[0].reserved) > preparedTimeout) {
		c.prepared = c.prepared[1:]
	}
	n := c.waiting
	for _, group := range c.prepared {
		n += group.left
	}
	return n
}

// mayReserve returns how many more calls may be made ready, up to n. If none, wait is the time
// until more may be, if this instance is granted the whole rate meanwhile.
func (l *Limiter) mayReserve(n int) (most int, wait time.Duration) {
	r, _, _ := l.current()
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	if l.queue.expected() > maxQueueTime {
		return 0, minRequestGap // however short the fleet's queue is
	}
	ready, own := l.ready.count(now), Rate{PerSecond: min(r.PerSecond, l.queue.ownRate(r.PerSecond)), Burst: r.Burst}
	if surplus := ready - own.refillAt(); surplus > 0 {
		return 0, max(time.Duration(surplus)*r.interval(), minRequestGap)
	}
	return min(n, own.chunk()-ready), 0
}

// prepare counts the calls of a reservation.
func (l *Limiter) prepare(n int) *preparedCalls {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.ready.add(time.Now(), n)
}

// unprepare says that a prepared call is waited for, or that it won't be made.
func (l *Limiter) unprepare(group *preparedCalls, waits bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	group.left = max(0, group.left-1)
	if waits {
		l.ready.waiting++
	}
}

// endWait says that a reserved call isn't waited for any more.
func (l *Limiter) endWait() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ready.waiting--
}
