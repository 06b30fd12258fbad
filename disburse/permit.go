package disburse

import (
	"cmp"
	"context"
	"time"

	"github.com/rs/zerolog"

	"disburser/payout/finding"
)

// permit is the right to make one call: a slot, a pass of the breakers and the limiter's
// ticket. It belongs to one goroutine at a time and is ended exactly once. How it ends
// follows from what was done with it: unused, by what the call found, or by a panic.
type permit struct {
	issuer *issuer
	pass   pass
	ticket Ticket
	state  permitState
}

type permitState byte

const (
	permitUnused   permitState = iota // nothing was called with it yet
	permitCalling                     // the call has begun, and nobody knows yet what it found
	permitAnswered                    // the breakers know what the call found
	permitEnded
)

// good tells whether the call may still be made: no breaker has opened since.
func (p *permit) good() bool { return p.state == permitUnused && p.pass.good() }

// begin says that the call is made now. False means that the permit was used before: then
// nothing may be called.
func (p *permit) begin() bool {
	if p.state != permitUnused {
		p.issuer.misused("a permit was used for a second call")
		return false
	}
	p.state = permitCalling
	return true
}

// answered tells the breakers what the call found: they don't wait for the result to be
// written. The slot stays taken until the permit's end.
func (p *permit) answered(f finding.Finding) {
	if p.state != permitCalling {
		p.issuer.misused("a permit was answered without a call")
		return
	}
	p.state = permitAnswered
	p.pass.done(f)
}

// end gives the permit back after its worker is done with it, also after a panic.
func (p *permit) end() {
	if p.finish() {
		p.issuer.slots.release(p.issuer.merchant, 1)
	}
}

// endUnused gives back a permit that no worker has had. It wakes nobody; see slots.returnUnused.
func (p *permit) endUnused() {
	if p.finish() {
		p.issuer.slots.returnUnused(p.issuer.merchant, 1)
	}
}

// finish ends the pass, unless the permit is ended already: a slot that came back twice
// would let more calls out than there are slots.
func (p *permit) finish() bool {
	before := p.state
	p.state = permitEnded
	switch before {
	case permitUnused:
		p.pass.unused()
		p.ticket.Return()
	case permitCalling:
		p.pass.panicked()
	case permitAnswered:
	case permitEnded:
		p.issuer.misused("a permit was ended twice")
		return false
	}
	return true
}

// permits are those that a lane has, but no worker yet. They must be ended, see end.
type permits struct{ free []permit }

func (p *permits) len() int { return len(p.free) }

// next hands out one of them; ending it is the receiver's.
func (p *permits) next() *permit {
	first := &p.free[0]
	p.free = p.free[1:]
	return first
}

// limit gives back the permits beyond n.
func (p *permits) limit(n int) {
	for i := n; i < len(p.free); i++ {
		p.free[i].endUnused()
	}
	p.free = p.free[:min(n, len(p.free))]
}

// end gives all of them back.
func (p *permits) end() { p.limit(0) }

// issuer hands out the permits of one merchant and operation.
type issuer struct {
	merchant string
	slots    *slots // the operation's, which all merchants share
	gate     *gate
	limiter  Limiter
	logger   zerolog.Logger
	most     int // for how many permits the limiter is asked at most, 0: not known yet; owned by the lane's goroutine
}

// gateWait is how long a lane rests that no breaker lets through.
const gateWait = 100 * time.Millisecond

// leastAsked is for how many permits the limiter is asked at least, however few it had last. unknownAsked
// is the same once it had none, and nobody knows how many it will have.
const (
	leastAsked   = 4
	unknownAsked = 32
)

// askTickets asks the limiter for tickets: by its Take, or by TakeNow.
type askTickets func(ctx context.Context, n int) (tickets []Ticket, wait time.Duration, err error)

// take hands out as many permits as there are slots, passes and tickets for, up to due and to
// what fits a lease. Where it is tickets that lack, wait says when to ask again.
//
// It takes no more slots than twice the tickets that there were last. A merchant at its limit would
// take all slots from the others, only to return them when the limiter has answered.
func (i *issuer) take(ctx context.Context, due int, ask askTickets) (taken permits, wait time.Duration, err error) {
	wanted := min(due, largest)
	if i.most > 0 {
		wanted = min(wanted, i.most)
	}
	slots := i.slots.take(i.merchant, wanted)
	if slots == 0 {
		// With an open breaker it needs no slots. Nobody can tell whether there are tickets without taking them.
		i.slots.lacks(i.merchant, i.gate.state() == 0)
		return permits{}, 0, nil
	}
	var passes []pass
	defer func() { // passes and slots that have not become permits, also after a panic
		for _, p := range passes[min(taken.len(), len(passes)):] {
			p.unused()
		}
		if left := slots - taken.len(); left > 0 {
			i.slots.returnUnused(i.merchant, left)
		}
	}()
	// A closed breaker has a pass for each call: none is taken that no ticket comes for. One that
	// isn't may have few or none, and what has no pass must take no ticket: it might be the probe's.
	asked := slots
	if i.gate.state() != 0 {
		passes = i.gate.admit(slots)
		if asked = len(passes); asked == 0 {
			wait = gateWait
		}
	}
	var tickets []Ticket
	if asked > 0 {
		if tickets, wait, err = ask(ctx, asked); err != nil {
			return permits{}, wait, err
		}
		tickets = tickets[:min(len(tickets), asked)]
		i.learn(asked, len(tickets))
	}
	if passes == nil && len(tickets) > 0 {
		passes = i.gate.admit(len(tickets))
		for _, t := range tickets[len(passes):] { // a breaker has opened meanwhile
			t.Return()
		}
		tickets = tickets[:len(passes)]
	}
	// It may have work for more than it asked for. Else its share would go to others until it asks again.
	i.slots.lacks(i.merchant, slots < min(due, largest) && len(tickets) == slots)
	if len(tickets) == 0 {
		return permits{}, wait, err
	}
	taken.free = make([]permit, len(tickets))
	for n, ticket := range tickets {
		taken.free[n] = permit{issuer: i, pass: passes[n], ticket: ticket}
	}
	return taken, wait, nil
}

// learn sets for how many permits to ask next time: double where all came, else double of what came. Where
// none came it was too early to ask, which says nothing about the rate.
func (i *issuer) learn(asked, came int) {
	switch came {
	case 0:
		i.most = cmp.Or(i.most, unknownAsked)
	case asked:
		i.most = min(max(i.most, 2*came), largest)
	default:
		i.most = min(max(leastAsked, 2*came), largest)
	}
}

// misused reports a mistake of the program.
func (i *issuer) misused(what string) {
	i.logger.Error().Str("merchant", i.merchant).Msg(programmingError + what)
}

// programmingError begins the lines that tell of a mistake in this package. Tests look for it.
const programmingError = "programming error: "
