package ratelimit

import (
	"context"
	"math/rand/v2"
	"time"
)

const (
	// leastBackoff is how long an instance asks for no moments after it got none. It doubles with
	// each time in a row, up to mostBackoff: other instances have the rate. If they die, nobody uses it for so long.
	leastBackoff = 50 * time.Millisecond
	mostBackoff  = 600 * time.Millisecond

	// mostLateness is how late a request is on purpose, so that it grants more.
	mostLateness = 150 * time.Millisecond

	// courtesy is how much later than that an instance asks whose last request was denied. Others use the rate,
	// and it takes only what they leave.
	courtesy = 50 * time.Millisecond
)

// lateness is how long after the next free moment an instance asks that has the rate.
func (r Rate) lateness() time.Duration { return min(r.slack()*3/8, mostLateness) }

// preparing is the part of the slack that is left for a lease and a decision, where moments are granted before.
func (r Rate) preparing() time.Duration { return min(r.slack()/2, prepareSpan*3/2) }

// courteous is how old a moment must be for an instance whose last request was denied. Older ones than the
// slack allows aren't granted.
func (r Rate) courteous() time.Duration {
	return min(r.lateness()+courtesy, r.slack()-r.preparing()-replyMargin)
}

// directTurns says when Take asks for moments again, where it grants them itself. The limiter's mu
// guards it.
type directTurns struct {
	next    time.Time
	denials int // in a row

	// free was the schedule's next moment after the latest grant. had is how many moments that grant had; 0 =
	// nothing is known of it.
	free time.Time
	had  int
}

// granted takes in the moments that are granted, and whether there were as many as wanted. Then the next one
// isn't asked for before it has come: a call would wait for it in a slot. Else the next request comes as late as
// the slack allows, and later if another instance uses the rate too.
func (d *directTurns) granted(tickets []Ticket, enough bool, r Rate) {
	first, last := tickets[0].moment, tickets[len(tickets)-1].moment
	before, free := *d, last.at.Add(r.interval())
	*d = directTurns{next: free}
	switch {
	case enough && last.caught: // there may be others that have come
		d.next = time.Time{}
	case enough:
	case !first.caught && before.givesWay(first.at, r):
		d.next, d.denials = free.Add(r.courteous()), 1
	default:
		d.next = free.Add(r.lateness())
		if !first.caught { // a catch-up doesn't tell where the schedule is
			d.free, d.had = free, len(tickets)
		}
	}
}

// givesWay tells whether others have had more moments since the latest grant than it had, by the next one. Of
// two that have as many chance decides. So one works for a merchant, with fewer requests, leases and decisions.
func (d *directTurns) givesWay(next time.Time, r Rate) bool {
	others := int((next.Sub(d.free) + r.interval()/2) / r.interval())
	return d.had > 0 && (others > d.had || others == d.had && rand.IntN(2) == 0)
}

// denied takes in that the first moment comes into reach after wait, and returns how long to wait.
// From now on only what others leave is asked for.
func (d *directTurns) denied(now time.Time, wait time.Duration, r Rate) time.Duration {
	if d.denials == 0 {
		wait += r.ahead() + r.courteous()
	}
	wait = max(wait, min(leastBackoff<<min(d.denials, 10), mostBackoff))
	*d = directTurns{next: now.Add(wait), denials: d.denials + 1}
	return wait
}

// takeDirectly grants moments to calls that are not ready yet. Before it is their turn Redis isn't
// asked. Fast merchants have no turns: they use each moment at once.
func (l *Limiter) takeDirectly(ctx context.Context, n int, r Rate) (tickets []Ticket, wait time.Duration, err error) {
	turn := l.turn()
	if wait = time.Until(turn.next); wait > 0 {
		return nil, wait, nil
	}
	ahead := r.ahead()
	if turn.denials > 0 {
		ahead = -r.courteous()
	}
	tickets, wait, err = l.grantTickets(ctx, n, ahead, r.preparing())
	if err != nil || r.fast() {
		return tickets, wait, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(tickets) == 0 {
		wait = l.turns.denied(time.Now(), wait, r)
	} else {
		l.turns.granted(tickets, len(tickets) == n, r)
	}
	return tickets, wait, nil
}

// turn is when Take may ask for moments itself, and how often it was denied.
func (l *Limiter) turn() directTurns {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.turns
}

// take is Take without the pause after refusals.
func (l *Limiter) take(ctx context.Context, n int) (tickets []Ticket, wait time.Duration, err error) {
	if r := l.agreed(); r.grantsDirectly() {
		tickets, wait, err = l.takeDirectly(ctx, n, r)
	} else {
		tickets, wait, err = l.reserve(ctx, n)
	}
	if err == nil {
		l.Count(Denied, n-len(tickets))
	}
	return tickets, wait, err
}

// TakeNow is Take for calls that leave right away: nothing is to be done between. It requests
// their moments itself, whatever the rate. While other calls of this process wait for theirs, it only reserves,
// so that these come first.
func (l *Limiter) TakeNow(ctx context.Context, n int) (tickets []Ticket, wait time.Duration, err error) {
	r := l.agreed()
	if l.Refusing() || l.callsWait() || r.grantsDirectly() {
		return l.Take(ctx, n)
	}
	if tickets, wait, err = l.grantTickets(ctx, n, r.ahead(), r.replyDelay()); err != nil {
		return nil, wait, err
	}
	l.Count(Denied, n-len(tickets))
	if len(tickets) == 0 {
		wait = requestAgain(nil, wait, r.ahead())
	}
	return l.unlessRefusing(tickets, wait, nil)
}

// grantTickets requests up to n moments and returns their tickets. No moment is further ahead; below 0 each is
// so old at least. callDelay is the time from the grant to the call.
func (l *Limiter) grantTickets(ctx context.Context, n int, ahead, callDelay time.Duration) (tickets []Ticket, wait time.Duration, err error) {
	all, wait, err := l.grant(ctx, request{n: n, ahead: ahead, callDelay: callDelay, unused: l.takeUnused()})
	for _, m := range all {
		tickets = append(tickets, Ticket{limiter: l, moment: m, granted: true})
	}
	return tickets, wait, err
}

// unlessRefusing returns no tickets if the latest reply brought news of a pause after refusals.
func (l *Limiter) unlessRefusing(tickets []Ticket, wait time.Duration, err error) ([]Ticket, time.Duration, error) {
	if !l.Refusing() {
		return tickets, wait, err
	}
	for i := range tickets {
		tickets[i].Return()
	}
	return nil, minRequestGap, err
}
