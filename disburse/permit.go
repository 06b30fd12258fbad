package disburse

import (
	"context"
	"time"
)

// allowance is what a lane may lease: bounded by what is due, what fits a lease, free
// slots, the gate and the tokens. Whatever is not used must be handed back.
type allowance struct {
	loop     *Loop
	merchant *merchant
	of       *slots // the operation's
	passes   []pass
	tickets  []Ticket
	slots    int
	used     int // by workers, who end them
}

// gather makes an allowance of up to due; wait says when to ask again if it is empty
// for want of tokens.
func (a *allowance) gather(ctx context.Context, g *gate, limiter Limiter, due int) (wait time.Duration, err error) {
	wanted := min(due, largest)
	if a.slots = a.of.take(a.merchant.Name, wanted); a.slots == 0 {
		// One that rests needs none. Whether there are tokens nobody can tell without taking them.
		a.of.lacks(a.merchant.Name, g.state() == 0)
		return 0, nil
	}
	if a.passes = g.admit(a.slots); len(a.passes) > 0 {
		a.tickets, wait, err = limiter.Take(ctx, len(a.passes))
	}
	a.of.lacks(a.merchant.Name, a.slots < wanted && len(a.tickets) == a.slots)
	a.shrink(len(a.tickets))
	return wait, err
}

// work hands the next slot, pass and ticket to a worker.
func (a *allowance) work(f func(ticket Ticket, pass pass)) {
	ticket, pass := a.tickets[a.used], a.passes[a.used]
	a.used++
	a.loop.worker(func() { f(ticket, pass) })
}

// end hands back what no worker was given, also after a panic.
func (a *allowance) end() { a.shrink(a.used) }

// shrink hands back what is beyond n.
func (a *allowance) shrink(n int) {
	for _, p := range a.passes[min(n, len(a.passes)):] {
		p.unused()
	}
	a.passes = a.passes[:min(n, len(a.passes))]
	a.tickets = a.tickets[:min(n, len(a.tickets))]
	if a.slots > n {
		a.of.handBack(a.merchant.Name, a.slots-n)
		a.slots = n
	}
}
