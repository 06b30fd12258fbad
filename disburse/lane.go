package disburse

import (
	"context"
	"sync/atomic"
	"time"

	"disburser/payout"
	"disburser/payout/leases"
)

const (
	// crumbs is how long a lane waits for more free slots, where few are and more is due
	// than fits: a lease and a decision cost as much as the calls of a dozen payouts.
	crumbs = 15 * time.Millisecond

	// longestWait bounds a lane's pause for want of tokens: a provider's Retry-After may
	// be a minute, and rates may be changed meanwhile.
	longestWait = time.Second

	// largest is the most that one lease takes: one decision record of 128 payouts is
	// ten kilobytes.
	largest = 128

	// rest is the pause of a lane after an error of Redis or Kafka, doubled up to mostRest.
	rest     = 250 * time.Millisecond
	mostRest = 5 * time.Second
)

// lane is a step of a merchant, or of all; at most one batch of it is being prepared.
// Its first five fields are fixed; the others are the loop's own, and busy is cleared by
// the lane's goroutine.
type lane struct {
	step     payout.Step
	merchant *merchant // nil for announce and expire
	permits  *issuer   // the same
	work     func(leases.Agenda) leases.Work
	run      func(taking, working context.Context, la *lane, due int) (leased int, err error)

	busy      atomic.Bool
	began     time.Time    // when the last batch did; owned by the loop
	restUntil atomic.Int64 // Unix nanoseconds
	failures  int          // in a row; owned by whoever is busy
}

// lanes lists all there is to do, in the order in which slots are offered.
func (l *Loop) lanes() []*lane {
	var all []*lane
	for _, name := range l.names {
		m := l.merchants[name]
		all = append(all,
			&lane{step: payout.StepAsk, merchant: m, permits: l.issuer(m, payout.StepAsk), run: l.askBatch, work: m.asks},
			&lane{step: payout.StepSend, merchant: m, permits: l.issuer(m, payout.StepSend), run: l.sendBatch, work: func(a leases.Agenda) leases.Work { return a.Send[m.Name] }})
	}
	return append(all,
		&lane{step: payout.StepAnnounce, run: l.announceBatch, work: func(a leases.Agenda) leases.Work { return a.Announce }},
		&lane{step: payout.StepExpire, run: l.expireBatch, work: func(a leases.Agenda) leases.Work { return a.Expire }})
}

// issuer makes what hands out the permits of a merchant's sends or asks.
func (l *Loop) issuer(m *merchant, step payout.Step) *issuer {
	i := &issuer{merchant: m.Name, slots: l.slots[step], gate: m.sendGate, limiter: m.Send, logger: l.Logger}
	if step == payout.StepAsk {
		i.gate, i.limiter = m.askGate, m.Query
	}
	return i
}

// start runs a lane's batch, unless one is being prepared or the lane rests.
func (l *Loop) start(taking, working context.Context, la *lane, due int) {
	now := time.Now()
	if s := l.slots[la.step]; s != nil && now.Sub(la.began) < crumbs && s.scarce(la.merchant.Name, due) {
		return
	}
	if now.UnixNano() < la.restUntil.Load() || !la.busy.CompareAndSwap(false, true) {
		return
	}
	la.began = now
	l.calls.Add(1)
	go func() {
		defer l.calls.Done()
		leased := 0
		defer func() {
			la.busy.Store(false)
			if leased > 0 { // there may be more; where nothing was leased the loop's own pause is enough
				l.Nudge()
			}
		}()
		var err error
		for more := true; more; more = err == nil && leased > 0 && taking.Err() == nil && l.goesOn(la, due) {
			if leased, err = l.batch(taking, working, la, due); err == nil {
				la.failures = 0
			}
			due -= leased
		}
		if err == nil {
			return
		}
		la.failures++
		la.restUntil.Store(time.Now().Add(min(rest<<min(la.failures-1, 10), mostRest)).UnixNano())
		l.refused(taking, err, la.step.String())
	}()
}

// goesOn tells whether a lane may do the next batch without another look: so much was due
// at the last one that more must be, and there are slots for it.
func (l *Loop) goesOn(la *lane, due int) bool {
	s := l.slots[la.step]
	if s == nil || due <= largest {
		return false
	}
	short := func() bool { return s.scarce(la.merchant.Name, due) }
	if short() {
		gatherWhile(crumbs, short)
	}
	return !short()
}

// batch runs a lane's batch; a panic is an error like others, and the lane rests.
func (l *Loop) batch(taking, working context.Context, la *lane, due int) (leased int, err error) {
	err = errPanic
	defer l.survive("a batch to " + la.step.String())
	leased, err = la.run(taking, working, la, due)
	return leased, err
}

// lease leases a batch. It isn't interrupted by the end of taking: a lease that Redis has
// written and nobody knows of would leave its payouts sending, and somebody wondering
// about each of them. It is repeated under the same token until a third of its time is
// over.
func (l *Loop) lease(working context.Context, step payout.Step, merchant string, n int) (leases.Leased, error) {
	ctx, cancel := context.WithTimeout(working, l.Lease/3)
	defer cancel()
	r := leases.Request{Step: step, Merchant: merchant, N: n, For: l.Lease}
	if m := l.merchants[merchant]; m != nil {
		r.Account = m.Policy.Account
	}
	return l.Journal.Lease(ctx, r)
}

// pause sleeps for want of tokens; the lane stays busy meanwhile.
func pause(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
