package ratelimit

import (
	"context"
	"time"
)

const (
	// leastBackoff is how long an instance asks for no moments after it got none. It doubles with
	// each time in a row, up to mostBackoff: other instances have the rate. If they stop, what is
	// missed meanwhile is made up for.
	leastBackoff = 50 * time.Millisecond
	mostBackoff  = 500 * time.Millisecond

	// mostLateness is how late a request is on purpose, so that it grants more.
	mostLateness = 100 * time.Millisecond
)

// directTurns says when Take asks for moments again, where it grants them itself. The limiter's mu
// guards it.
type directTurns struct {
	next    time.Time
	denials int // in a row
}

// granted takes in that as many moments as there were are granted, up to the last one. The next
// request comes as late as the slack allows.
func (d *directTurns) granted(last time.Time, r Rate) {
	lateness := min(r.slack()/4, mostLateness)
	*d = directTurns{next: last.Add(r.interval() - prepareSpan + lateness)}
}

// denied takes in that the first moment comes into reach after wait, and returns how long to wait.
// More come into reach before the first has to be used.
func (d *directTurns) denied(now time.Time, wait time.Duration, r Rate) time.Duration {
	wait += (r.ahead() - prepareSpan/2) / r.interval() * r.interval()
	wait = max(wait, min(leastBackoff<<min(d.denials, 10), mostBackoff))
	*d = directTurns{next: now.Add(wait), denials: d.denials + 1}
	return wait
}

// takeDirectly grants moments to calls that are not ready yet. Before it is their turn Redis isn't
// asked. Fast merchants have no turns: they use each moment at once.
func (l *Limiter) takeDirectly(ctx context.Context, n int, r Rate) (tickets []Ticket, wait time.Duration, err error) {
	if wait = time.Until(l.nextTurn()); wait > 0 {
		return nil, wait, nil
	}
	tickets, wait, err = l.grantTickets(ctx, n, r.slack()/2)
	if err != nil || r.fast() {
		return tickets, wait, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case len(tickets) == 0:
		wait = l.turns.denied(time.Now(), wait, r)
	case len(tickets) < n:
		l.turns.granted(tickets[len(tickets)-1].moment.at, r)
	default:
		l.turns = directTurns{}
	}
	return tickets, wait, nil
}

// nextTurn is when Take may ask for moments itself.
func (l *Limiter) nextTurn() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.turns.next
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
	if tickets, wait, err = l.grantTickets(ctx, n, r.replyDelay()); err != nil {
		return nil, wait, err
	}
	l.Count(Denied, n-len(tickets))
	if len(tickets) == 0 {
		wait = requestAgain(nil, wait, r.ahead())
	}
	return l.unlessRefusing(tickets, wait, nil)
}

// grantTickets requests up to n moments and returns their tickets. callDelay is the time from the
// grant to the call.
func (l *Limiter) grantTickets(ctx context.Context, n int, callDelay time.Duration) (tickets []Ticket, wait time.Duration, err error) {
	all, wait, err := l.grant(ctx, request{n: n, ahead: l.agreed().ahead(), callDelay: callDelay, unused: l.takeUnused()})
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
