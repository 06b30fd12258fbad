package ratelimit

import (
	"cmp"
	"context"
	"errors"
	"math"
	"slices"
	"time"

	"disburser/internal/grid"
)

// How often moments come is averaged over about a second, or over lateMoments intervals if
// that is longer. So it is little changed by a stall.
const (
	lately      = time.Second
	lateMoments = 8
	rateUnknown = 100 * time.Millisecond // for so long it counts as the whole rate
)

var errNoneInTime = errors.New("ratelimit: no moment comes in time")

// waiter is a ready call that waits for its moment.
type waiter struct {
	since    time.Time // when the call became ready
	deadline time.Time // a later moment is useless; zero = none
	answer   chan queueAnswer
}

// queueAnswer is a moment for a waiter, or the error.
type queueAnswer struct {
	grantedMoment
	err error
}

// queue holds the ready calls of this process. One goroutine requests moments for all of them;
// it only runs while calls wait.
type queue struct {
	waiting []*waiter       // the one ready longest comes first
	unused  []grantedMoment // are given back with the next request
	serving bool            // the goroutine runs
	wake    chan struct{}

	// got and during are moments that this process got, and in which time: both of late.
	got, during float64
	handed      time.Time // when it got the latest one, or when calls began to wait
}

// gotMoments takes in that so many moments came just now.
func (q *queue) gotMoments(now time.Time, n int, interval time.Duration) {
	since := now.Sub(q.handed).Seconds()
	kept := math.Exp(-since / max(lately, lateMoments*interval).Seconds())
	q.got, q.during, q.handed = q.got*kept+float64(n), q.during*kept+since, now
}

// expected is how long a call would wait that becomes ready now, if moments come as of late. How long the
// first one has waited doesn't tell: it may be the last of a chunk. The first one itself doesn't count. Of a
// slow rate its next moment is further away than calls may wait, and each instance needs one that is ready.
func (q *queue) expected() time.Duration {
	if q.got == 0 {
		return 0
	}
	return time.Duration(float64(max(0, len(q.waiting)-1)) * q.during / q.got * float64(time.Second))
}

// ownRate is how many calls a second this process got moments for of late, while calls waited. The less is
// known about that, the nearer it is to the rate.
func (q *queue) ownRate(perSecond float64) float64 {
	unknown := rateUnknown.Seconds()
	return (q.got + perSecond*unknown) / (q.during + unknown)
}

// waitInQueue waits until the call, ready since that time, is granted a moment.
func (l *Limiter) waitInQueue(ctx context.Context, since time.Time) (grantedMoment, error) {
	if ctx.Err() != nil {
		return grantedMoment{}, context.Cause(ctx)
	}
	w := &waiter{since: since, answer: make(chan queueAnswer, 1)}
	w.deadline, _ = ctx.Deadline()
	l.mu.Lock()
	at, _ := slices.BinarySearchFunc(l.queue.waiting, w, func(a, b *waiter) int { return cmp.Or(a.since.Compare(b.since), -1) })
	l.queue.waiting = slices.Insert(l.queue.waiting, at, w)
	if !l.queue.serving {
		l.queue.serving, l.queue.handed = true, time.Now()
		go l.serve()
	}
	l.mu.Unlock()
	select {
	case m := <-w.answer:
		return m.grantedMoment, m.err
	case <-ctx.Done():
		l.leaveQueue(w)
		return grantedMoment{}, context.Cause(ctx)
	}
}

// leaveQueue removes a waiter, and gives back a moment that it was granted meanwhile.
func (l *Limiter) leaveQueue(w *waiter) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if at := slices.Index(l.queue.waiting, w); at >= 0 {
		l.queue.waiting = slices.Delete(l.queue.waiting, at, at+1)
		select {
		case l.queue.wake <- struct{}{}:
		default:
		}
		return
	}
	if m := <-w.answer; m.err == nil {
		l.queue.unused = append(l.queue.unused, m.grantedMoment)
	}
}

// giveBack gives a moment back that isn't used. With the next request the schedule has it
// again, if no later one was granted.
func (l *Limiter) giveBack(g grantedMoment) {
	if g.redis == 0 { // it isn't known what it is in Redis
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.queue.unused = append(l.queue.unused, g)
	l.turns.next = time.Time{} // it is there for the next call
}

// serve requests moments while calls wait. It has no context: each caller leaves by its own,
// and Redis' client limits each request.
func (l *Limiter) serve() {
	for {
		q, ok := l.nextRequest()
		if !ok {
			return
		}
		moments, wait, err := l.grant(context.Background(), q)
		if l.handOut(moments, wait, err) {
			l.pauseRequests(min(max(requestAgain(moments, wait, q.ahead), minRequestGap), maxRequestGap))
		}
	}
}

// requestAgain is when the next request is due. After a grant it is shortly before the last
// moment. If none was free, it is when more than one is: so instances that share a rate don't
// come back for each.
func requestAgain(moments []grantedMoment, wait, ahead time.Duration) time.Duration {
	if len(moments) == 0 {
		return max(wait, ahead/2)
	}
	last := moments[0].at
	for _, m := range moments {
		if m.at.After(last) {
			last = m.at
		}
	}
	return time.Until(last) - min(requestLead, ahead/2)
}

// pauseRequests waits for the next request, or until no call waits any more.
func (l *Limiter) pauseRequests(d time.Duration) {
	timer := time.NewTimer(grid.Until(time.Now().Add(d)))
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
			return
		case <-l.queue.wake:
			if !l.callsWait() {
				return
			}
		}
	}
}

// nextRequest is the request for all calls that wait. If none waits, it returns false and the
// serving ends.
func (l *Limiter) nextRequest() (request, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.queue.waiting) == 0 {
		l.queue.serving = false
		return request{}, false
	}
	return request{
		n: len(l.queue.waiting), ahead: l.rate.ahead(), callDelay: l.rate.replyDelay(),
		queueTime: l.queue.expected(), unused: l.queue.takeUnused(),
	}, true
}

// takeUnused returns the moments to give back with a request, the latest first.
func (q *queue) takeUnused() []grantedMoment {
	unused := q.unused
	q.unused = nil
	slices.SortFunc(unused, func(a, b grantedMoment) int { return cmp.Compare(b.redis, a.redis) })
	return unused[:min(len(unused), maxGivenBack)]
}

// takeUnused is the same for requests that aren't the queue's.
func (l *Limiter) takeUnused() []grantedMoment {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.queue.takeUnused()
}

// callsWait tells whether calls of this process wait for their moments.
func (l *Limiter) callsWait() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.queue.waiting) > 0
}

// handOut gives moments to the calls that have been ready longest, and tells whether some still
// wait. A call that can't get a moment before its deadline gets an error, so that it frees its
// slot.
func (l *Limiter) handOut(moments []grantedMoment, wait time.Duration, err error) (more bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	q := &l.queue
	given := min(len(moments), len(q.waiting))
	for i, m := range moments[:given] {
		q.waiting[i].answer <- queueAnswer{grantedMoment: m}
	}
	q.waiting = slices.Delete(q.waiting, 0, given)
	if given > 0 {
		q.gotMoments(time.Now(), given, l.rate.interval())
	}
	q.unused = append(q.unused, moments[given:]...) // some waiters left meanwhile
	soonest := time.Now().Add(wait)
	q.waiting = slices.DeleteFunc(q.waiting, func(w *waiter) bool {
		switch {
		case err != nil:
			w.answer <- queueAnswer{err: err}
		case !w.deadline.IsZero() && !soonest.Before(w.deadline): // waiting longer would only occupy a slot
			w.answer <- queueAnswer{err: errNoneInTime}
		default:
			return false
		}
		return true
	})
	return len(q.waiting) > 0
}
