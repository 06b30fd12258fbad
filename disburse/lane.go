package disburse

import (
	"context"
	"sync/atomic"
	"time"

	"disburser/payout"
	"disburser/payout/leases"
)

const (
	// slotLinger is how long a lane waits for more free slots, where few are free and more is
	// due than fits. A lease and a decision cost as much as the calls of a dozen payouts.
	slotLinger = 15 * time.Millisecond

	// longestWait bounds a lane's pause for want of tickets. A provider's Retry-After may be a
	// minute, and rates may be changed meanwhile.
	longestWait = time.Second

	// largest is the most that one lease takes: one decision record of 128 payouts is
	// ten kilobytes.
	largest = 128

	// leastBackoff is the pause of a lane after an error of Redis or Kafka. It doubles with each
	// error in a row, up to mostBackoff.
	leastBackoff = 250 * time.Millisecond
	mostBackoff  = 5 * time.Second
)

// lane is one step of one merchant, or of all merchants. At most one goroutine prepares a group of
// it. The first five fields are fixed, the others change while it works.
type lane struct {
	step     payout.Step
	merchant *merchant                                     // nil for announce and review
	permits  *issuer                                       // the same
	work     func(leases.Agenda) (due int, next time.Time) // next: by this process' clock, of what is in hand
	run      func(taking, working context.Context, la *lane, due int) (leased int, err error)

	busy        atomic.Bool  // its goroutine is there, which clears it
	began       time.Time    // when its goroutine was started last; owned by Run
	pausedUntil atomic.Int64 // Unix nanoseconds
	failures    int          // in a row; owned by its goroutine
}

// lanes lists all lanes. Each round begins at a random one.
func (l *Loop) lanes() []*lane {
	var all []*lane
	for _, name := range l.names {
		m := l.merchants[name]
		all = append(all,
			&lane{step: payout.StepAsk, merchant: m, permits: l.issuer(m, payout.StepAsk), run: l.askGroup, work: m.asks},
			&lane{step: payout.StepSend, merchant: m, permits: l.issuer(m, payout.StepSend), run: l.sendGroup, work: inJournal(payout.StepSend, name)})
	}
	return append(all,
		&lane{step: payout.StepAnnounce, run: l.announceGroup, work: inJournal(payout.StepAnnounce, "")},
		&lane{step: payout.StepReview, run: l.reviewGroup, work: inJournal(payout.StepReview, "")})
}

// inJournal is the work of a lane that has none in hand.
func inJournal(step payout.Step, merchant string) func(leases.Agenda) (int, time.Time) {
	return func(a leases.Agenda) (int, time.Time) {
		return a.Due[leases.Lane{Step: step, Merchant: merchant}], time.Time{}
	}
}

// issuer makes what hands out the permits of a merchant's sends or asks.
func (l *Loop) issuer(m *merchant, step payout.Step) *issuer {
	i := &issuer{merchant: m.Name, slots: l.slots[step], gate: m.sendGate, limiter: m.Send, logger: l.Logger}
	if step == payout.StepAsk {
		i.gate, i.limiter = m.askGate, m.Query
	}
	return i
}

// start has a lane work, unless it does so already, or pauses after an error.
func (l *Loop) start(taking, working context.Context, la *lane, due int) {
	now := time.Now()
	if s := l.slots[la.step]; s != nil && now.Sub(la.began) < slotLinger && s.scarce(la.merchant.Name, due) {
		return
	}
	if now.UnixNano() < la.pausedUntil.Load() || !la.busy.CompareAndSwap(false, true) {
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
			if leased, err = l.runOnce(taking, working, la, due); err == nil {
				la.failures = 0
			}
			due -= leased
		}
		if err == nil {
			return
		}
		la.failures++
		la.pausedUntil.Store(time.Now().Add(min(leastBackoff<<min(la.failures-1, 10), mostBackoff)).UnixNano())
		l.reportError(taking, err, la.step.String())
	}()
}

// goesOn tells whether a lane may lease the next group without another round of the loop. So much
// was due in the last round that more must be, and there are slots for it.
func (l *Loop) goesOn(la *lane, due int) bool {
	s := l.slots[la.step]
	if s == nil || due <= largest {
		return false
	}
	short := func() bool { return s.scarce(la.merchant.Name, due) }
	if short() {
		lingerWhile(slotLinger, short)
	}
	return !short()
}

// runOnce has a lane work on one group. A panic is an error like others: the lane pauses.
func (l *Loop) runOnce(taking, working context.Context, la *lane, due int) (leased int, err error) {
	err = errPanic
	defer l.survive("a group to " + la.step.String())
	leased, err = la.run(taking, working, la, due)
	return leased, err
}

// lease leases a group. The end of taking doesn't interrupt it. If Redis writes a lease that nobody
// hears of, its payouts are sending, and each must be asked about. The call is repeated under
// the same token until a third of the lease's time is over.
func (l *Loop) lease(working context.Context, step payout.Step, merchant string, n int) (leases.Leased, error) {
	ctx, cancel := context.WithTimeout(working, l.Lease/3)
	defer cancel()
	r := leases.Request{Step: step, Merchant: merchant, N: n, For: l.Lease}
	if m := l.merchants[merchant]; m != nil {
		r.Account = m.Policy.Account
	}
	return l.Journal.Lease(ctx, r)
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
