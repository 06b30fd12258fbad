package disburse

import (
	"context"
	"sync/atomic"
	"time"

	"disburser/internal/grid"
	"disburser/payout"
	"disburser/payout/leases"
)

const (
	// slotLinger is how long a lane waits for more free slots, where few are free and more is
	// due than fits. A lease and a decision cost as much as the calls of a dozen payouts.
	slotLinger = 15 * time.Millisecond
	slotLook   = 2 * time.Millisecond // how often it looks meanwhile

	// leastRest and longestRest bound a lane's rest for want of permits. Each try costs Redis a
	// script. A provider's Retry-After may be a minute, and rates may be changed meanwhile.
	leastRest   = 20 * time.Millisecond
	longestRest = time.Second

	// largest is the most that one lease takes: one decision record of 128 payouts is
	// ten kilobytes.
	largest = 128

	// leastBackoff is the pause of a lane after an error of Redis or Kafka. It doubles with each
	// error in a row, up to mostBackoff.
	leastBackoff = 250 * time.Millisecond
	mostBackoff  = 5 * time.Second
)

// lane is one step of one merchant, or of all merchants. At most one goroutine prepares its groups. The
// first five fields are fixed, the others change while it works.
type lane struct {
	leases.Lane
	merchant *merchant // nil for announce and review
	toAsk    *inHand   // of an ask's: what waits here and not in the journal; else nil
	permits  *issuer   // nil for announce and review
	run      func(taking, working context.Context, la *lane, due int) (group, error)

	busy        atomic.Bool  // its goroutine is there, which clears it
	left        atomic.Int64 // due in the journal by the last look, less what was leased since
	leftOut     atomic.Bool  // the last look didn't count it
	began       time.Time    // when its goroutine was started last; owned by Run
	pausedUntil atomic.Int64 // Unix nanoseconds
	failures    int          // in a row; owned by its goroutine
	sifts       bool         // of sends: it has met what people stop, and looks before it leases; owned by its goroutine
}

// group is what became of one group of a lane.
type group struct {
	done int           // payouts that were leased or were in hand
	rest time.Duration // where nothing was done: how long there will be no permit, 0 if nobody knows
}

// lanes lists all lanes. Each round begins at a random one.
func (l *Loop) lanes() []*lane {
	var all []*lane
	for _, name := range l.names {
		m := l.merchants[name]
		all = append(all,
			&lane{Lane: leases.Lane{Step: payout.StepAsk, Merchant: name}, merchant: m, toAsk: m.toAsk, permits: l.issuer(m, payout.StepAsk), run: l.askGroup},
			&lane{Lane: leases.Lane{Step: payout.StepSend, Merchant: name}, merchant: m, permits: l.issuer(m, payout.StepSend), run: l.sendGroup})
	}
	return append(all,
		&lane{Lane: leases.Lane{Step: payout.StepAnnounce}, run: l.announceGroup},
		&lane{Lane: leases.Lane{Step: payout.StepReview}, run: l.reviewGroup})
}

// issuer makes what hands out the permits of a merchant's sends or asks.
func (l *Loop) issuer(m *merchant, step payout.Step) *issuer {
	i := &issuer{merchant: m.Name, slots: l.slots[step], gate: m.sendGate, limiter: m.Send, logger: l.Logger}
	if step == payout.StepAsk {
		i.gate, i.limiter = m.askGate, m.Query
	}
	return i
}

// work is how many payouts the lane has to work on now. If there are none, next is when it will have
// some in hand, zero if it has none there.
func (la *lane) work(now time.Time) (due int, next time.Time) {
	due = la.stored()
	if la.toAsk == nil {
		return due, time.Time{}
	}
	inHand, next := la.toAsk.work(now)
	if due+inHand > 0 {
		next = time.Time{}
	}
	return due + inHand, next
}

// stored is how many are due in the journal, as far as this lane knows. A look that was made before a lease
// may be heard after it. Then more were leased than are left.
func (la *lane) stored() int { return int(max(0, la.left.Load())) }

// workingOnEnough are the lanes that work and have payouts left by the last look. Until they have leased
// these nobody need count them again. When they are done, they want a look.
func workingOnEnough(lanes []*lane) (some []leases.Lane) {
	for _, la := range lanes {
		leftOut := la.busy.Load() && la.stored() > 0
		if la.leftOut.Store(leftOut); leftOut {
			some = append(some, la.Lane)
		}
	}
	return some
}

// leased notes how many of the payouts that were asked for a lease had. Where it had fewer, no more are
// due. A look that was in flight meanwhile may say that there are: then the next lease is in vain.
func (la *lane) leased(asked, had int) {
	if had < asked {
		la.left.Store(0)
	} else {
		la.left.Add(-int64(had))
	}
}

// lacksSlots tells whether there are too few slots to be worth a group. Then the loop is told of the
// next one that comes free.
func (l *Loop) lacksSlots(la *lane, due int) bool {
	s := l.slots[la.Step]
	return s != nil && s.scarce(la.Merchant, due)
}

// start has a lane work, unless it does so already, or pauses after an error.
func (l *Loop) start(taking, working context.Context, la *lane, due int) {
	now := time.Now()
	if now.Sub(la.began) < slotLinger && l.lacksSlots(la, due) {
		l.starved.Store(true)
		return
	}
	if now.UnixNano() < la.pausedUntil.Load() || !la.busy.CompareAndSwap(false, true) {
		return
	}
	la.began = now
	l.worker(func() {
		defer func() {
			la.busy.Store(false)
			switch due, next := la.work(time.Now()); {
			case due == 0 && la.leftOut.Swap(false): // there may be more than it knows of
				l.Nudge()
			case due > 0: // a look has brought it just now, or it lacks slots
				l.starved.Store(l.starved.Load() || l.lacksSlots(la, due))
				l.hasRoomAgain()
			case !next.IsZero():
				l.comesDue(next)
			}
		}()
		err := l.keepOn(taking, working, la)
		if err == nil {
			return
		}
		la.failures++
		la.pausedUntil.Store(time.Now().Add(min(leastBackoff<<min(la.failures-1, 10), mostBackoff)).UnixNano())
		l.reportError(taking, err, la.Step.String())
	})
}

// keepOn has a lane work on one group after the other, as long as it has work and slots. While it lacks
// permits, or what it has in hand is due in a moment, it rests. None of that costs the loop a look.
func (l *Loop) keepOn(taking, working context.Context, la *lane) error {
	for first := true; taking.Err() == nil && time.Now().UnixNano() >= la.pausedUntil.Load(); first = false {
		due, next := la.work(time.Now())
		switch {
		case due > 0 && !first && !l.hasRoom(la, due):
			return nil
		case due > 0:
		case next.IsZero() || time.Until(next) > idle:
			return nil
		default:
			la.restUntil(taking, next)
			continue
		}
		did, err := l.runOnce(taking, working, la, due)
		if err != nil {
			return err
		}
		la.failures = 0
		switch {
		case did.done > 0:
		case did.rest == 0:
			return nil
		default:
			rest := min(max(did.rest, leastRest), longestRest)
			pause(taking, grid.UntilFine(time.Now().Add(rest), max(grid.Width, rest/4)))
		}
	}
	return nil
}

// restUntil sleeps until then. It ends sooner if another payout in hand comes due before.
func (la *lane) restUntil(taking context.Context, then time.Time) {
	t := time.NewTimer(grid.UntilFine(then, grid.Widest))
	defer t.Stop()
	select {
	case <-taking.Done():
	case <-la.toAsk.more:
	case <-t.C:
	}
}

// hasRoom tells whether there are slots that are worth another group. It waits a moment for more.
func (l *Loop) hasRoom(la *lane, due int) bool {
	for waited := time.Duration(0); waited < slotLinger && l.lacksSlots(la, due); waited += slotLook {
		time.Sleep(slotLook)
	}
	return !l.lacksSlots(la, due)
}

// runOnce has a lane work on one group. A panic is an error like others: the lane pauses.
func (l *Loop) runOnce(taking, working context.Context, la *lane, due int) (did group, err error) {
	err = errPanic
	defer l.survive("a group to " + la.Step.String())
	did, err = la.run(taking, working, la, due)
	return did, err
}

// lease leases a group. The end of taking doesn't interrupt it. If Redis writes a lease that nobody
// hears of, its payouts are sending, and each must be asked about. The call is repeated under
// the same token until a third of the lease's time is over.
func (l *Loop) lease(working context.Context, r leases.Request) (leases.Leased, error) {
	ctx, cancel := context.WithTimeout(working, l.Lease/3)
	defer cancel()
	r.For = l.Lease
	if m := l.merchants[r.Merchant]; m != nil {
		r.Account = m.Policy.Account
	}
	leased, err := l.Journal.Lease(ctx, r)
	if r.Step == payout.StepSend {
		l.sawStandstill(&l.stoodStill, leased.LeasedAt, leased.Asked, time.Now())
	}
	return leased, err
}

// pause sleeps, or until ctx ends.
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
