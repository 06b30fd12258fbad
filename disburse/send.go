package disburse

import (
	"context"
	"fmt"
	"time"

	"disburser/payout"
	"disburser/payout/finding"
	"disburser/payout/leases"
)

// patience is how long a send that is prepared waits for its moment at least, if its lease
// allows: to give it back and prepare it anew costs a decision, and should the journal be
// lost then, a hold. A rate's schedule rests for a second in a new epoch, and calls queue
// for half a second.
const patience = 2 * time.Second

// sendBatch takes received payouts through the gate to the provider. The order of its
// steps is the protocol: everything that may refuse comes first; then the lease writes
// sending; then the decision is acknowledged; only then does anything leave.
func (l *Loop) sendBatch(taking, working context.Context, la *lane, due int) (int, error) {
	m := la.merchant
	permits, wait, err := la.permits.take(taking, due)
	defer permits.end() // what no worker has got, also after a panic
	if permits.len() == 0 {
		if err == nil {
			pause(taking, min(wait, longestWait))
		}
		return 0, err
	}
	batch, err := l.lease(working, payout.StepSend, m.Name, permits.len())
	permits.limit(len(batch.Payouts))
	if len(batch.Payouts) == 0 {
		return 0, err
	}
	if err != nil { // some records can't be read; the others go on
		l.refused(taking, err, "read a record")
	}
	batch = l.timely(batch)
	if permits.limit(len(batch.Payouts)); len(batch.Payouts) == 0 {
		return 0, nil
	}
	if err := l.decide(working, m, batch); err != nil {
		permits.end()
		for _, p := range batch.Payouts {
			l.giveBack(batch, p, true)
		}
		return 0, err
	}
	for _, p := range batch.Payouts {
		permit := permits.next()
		l.worker(func() { l.send(taking, working, m, batch, p, permit) })
	}
	return len(batch.Payouts), nil
}

// decide has the batch written down and acknowledged while the lease still leaves room
// for the calls.
func (l *Loop) decide(ctx context.Context, m *merchant, batch leases.Leased) error {
	ctx, cancel := context.WithDeadline(ctx, batch.Deadline().Add(-l.margin()-m.Timeout))
	defer cancel()
	return l.Decisions.Send(ctx, batch.Epoch, batch.Payouts)
}

// send makes one call. Whatever happens, the payout is written: with the finding, or
// given back because it certainly was not sent.
func (l *Loop) send(taking, working context.Context, m *merchant, batch leases.Leased, p payout.Payout, permit *permit) {
	defer permit.end()
	defer l.survive("a send") // the payout stays sending; it is asked about after its lease
	// A call cut short is Unclear, and may end up before a person: it begins while at least
	// half of its time is left.
	if err := ready(taking, permit.ticket, l.beginBy(batch, m.Timeout)); err != nil || !permit.good() {
		l.giveBack(batch, p, false)
		return
	}
	theirs, asked := m.Send.Heard()
	known := batch.Lease
	batch.Lease = known.Heard(theirs, asked)
	began, latest := time.Now(), lastByte(batch.Lease, p, l.latestFor(batch, m.Timeout))
	l.sawGrantClock(theirs, asked, began)
	if !began.Before(l.mustBegin(batch, m.Timeout)) || !began.Before(latest) {
		if missed := batch.Missed - known.Missed; missed > 0 && began.Before(l.mustBegin(leases.Leased{Lease: known}, m.Timeout)) {
			batch.Lease = known // by the journal's own clock it may still be given back
			l.overByGrant(m, batch, p, missed)
		} else {
			l.giveBack(batch, p, false)
		}
		return
	}
	if !permit.begin() {
		l.giveBack(batch, p, false)
		return
	}
	f := m.Provider.Send(working, p.Command, latest)
	permit.answered(f)
	l.Metrics.called(m.Name, OperationSend, f, time.Since(began))
	p.SendBy = batch.Now(latest)
	l.found(m, batch, p, payout.OwnSend, f, began)
	l.listen(working, m.Send, began, f)
	l.refusals(working, m, began, f)
}

// refusals tells the fleet that the provider refuses one send after the other, and what
// became of the probe that looks whether it is over.
func (l *Loop) refusals(ctx context.Context, m *merchant, began time.Time, f finding.Finding) {
	var err error
	switch resting := m.Send.Refusing(); {
	case f.Kind == finding.Refused && (resting || m.sendGate.refusing()):
		err = m.Send.Refused(ctx, began, l.breaker.Load().OpenFor)
	case resting && refusal(f) == nil:
		err = m.Send.Accepted(ctx, began)
	}
	if err != nil { // the next one tells it again
		l.refused(ctx, err, "tell what the provider refuses")
	}
}

// listen passes on what an answer says about the calls themselves. It comes after the
// result was handed over: what happened to a payout goes first.
func (l *Loop) listen(ctx context.Context, limiter Limiter, began time.Time, f finding.Finding) {
	if !f.TooFast && f.RetryAfter == 0 {
		return
	}
	if err := limiter.Told(ctx, began, f.TooFast, f.RetryAfter); err != nil { // the next such answer tells it again
		l.refused(ctx, err, "slow down")
	}
}

// latestFor is the moment by which a call that begins now must be over: its timeout,
// and in any case before the lease ends.
func (l *Loop) latestFor(batch leases.Leased, timeout time.Duration) time.Time {
	end := batch.Deadline().Add(-l.margin())
	if byTimeout := time.Now().Add(timeout); byTimeout.Before(end) {
		return byTimeout
	}
	return end
}

// beginBy is the moment by which a call must have begun to have at least half of its time
// before the lease ends. It waits for no longer than patience: it has a slot.
func (l *Loop) beginBy(batch leases.Leased, timeout time.Duration) time.Time {
	end := l.mustBegin(batch, timeout)
	if impatient := time.Now().Add(max(patience, timeout/2)); impatient.Before(end) {
		return impatient
	}
	return end
}

func (l *Loop) mustBegin(batch leases.Leased, timeout time.Duration) time.Time {
	return batch.Deadline().Add(-l.margin() - timeout/2)
}

// ready waits for the call's moment, and refuses if that leaves no time to call.
func ready(taking context.Context, ticket Ticket, latest time.Time) error {
	ctx, cancel := context.WithDeadline(taking, latest)
	defer cancel()
	if err := ticket.Wait(ctx); err != nil {
		return err
	}
	if !time.Now().Before(latest) {
		return fmt.Errorf("the lease leaves no time for the call")
	}
	return nil
}

// giveBack makes received of a payout that was leased to be sent and certainly was not.
// unheard says that its decision may still land in the log. Where the clocks disagree about
// it, it is left alone for a while.
func (l *Loop) giveBack(batch leases.Leased, p payout.Payout, unheard bool) {
	l.giveBackFor(batch, p, unheard, 0)
}

// giveBackFor does the same and leaves the payout alone for so long at least.
func (l *Loop) giveBackFor(batch leases.Leased, p payout.Payout, unheard bool, rest time.Duration) {
	now := time.Now()
	after, err := p.GiveBack(batch.Now(now), unheard)
	if err != nil {
		l.Logger.Error().Err(err).Str("trade_no", p.TradeNo).Str("batch_id", p.BatchID).Msg("not given back")
		return
	}
	after.Due = after.Due.Add(max(rest, undecided(batch.Lease, p, now)))
	l.writer.put(change{Change: leases.Change{Token: batch.Token, Epoch: batch.Epoch, Before: p.State, After: after}, until: batch.Deadline()})
}

// heard says what the log's line of a call is about.
func heard(f finding.Finding) string {
	switch {
	case f.Kind == finding.NotSent:
		return "nothing was sent to the provider"
	case f.HTTPStatus == 0:
		return "the provider did not answer"
	}
	return "the provider answered"
}

// found has the table say what a finding of a call that began then makes of a payout, and
// writes it.
func (l *Loop) found(m *merchant, batch leases.Leased, p payout.Payout, phase payout.Phase, f finding.Finding, began time.Time) {
	now, policy := l.judging(m, batch, began)
	m.learn(p, f, now)
	after, err := p.After(phase, f, now, policy)
	if err != nil {
		l.Logger.Error().Err(err).Str("trade_no", p.TradeNo).Str("batch_id", p.BatchID).Msg("an answer that the table has no place for")
		after.Due = now.Add(policy.Poll.Max)
	}
	var served *leases.Served
	if phase == payout.Ask && f.Served {
		served = m.serve(leases.Served{Merchant: m.Name, At: batch.Earliest(began), About: p.TradeNo, Settled: after.State.Final()})
	}
	event := l.Logger.Debug()
	if f.Kind == finding.Unclear || f.Kind == finding.NotSent || f.Kind == finding.Refused {
		event = l.Logger.Info()
	}
	event.Str("trade_no", p.TradeNo).Str("batch_id", p.BatchID).Str("merchant", m.Name).Stringer("finding", f.Kind).Str("detail", f.Detail).
		Stringer("from", p.State).Stringer("to", after.State).Int("sends", after.Sends).Int("asks", after.Asks).Msg(heard(f))
	c := change{Change: leases.Change{Token: batch.Token, Epoch: batch.Epoch, Before: p.State, After: after}, until: batch.Deadline(), served: served}
	switch {
	case after.State.Final() && !after.Own() && l.settled.expect():
		// What the provider says has ended is announced under the same lease. An end by our own
		// word is a decision first, and waits for it in the journal (protocol O2).
		c.EndsAt = batch.EndsAt
		c.after = func(written bool) {
			if !written {
				l.settled.miss()
				return
			}
			l.settled.add(leased{after, batch.Lease})
		}
	case phase == payout.OwnSend:
		l.keep(m, batch, after, &c)
	}
	l.writer.put(c)
}
