package disburse

import (
	"context"
	"time"

	"disburser/payout"
	"disburser/payout/finding"
	"disburser/payout/leases"
)

// turnWait is how long a prepared send waits for its turn at least, if its lease allows. To give
// it back and prepare it anew costs a decision, and a hold if the journal is lost then. In a new
// epoch a rate's schedule grants nothing for a second, and calls queue for half a second.
const turnWait = 2 * time.Second

// sendGroup takes received payouts to the provider. The order of its steps is the protocol:
//   - Everything that may refuse comes first.
//   - Then the lease writes sending.
//   - Then the decision is acknowledged.
//   - Only then does anything leave.
func (l *Loop) sendGroup(taking, working context.Context, la *lane, due int) (group, error) {
	m := la.merchant
	if l.Actions.Stops(m.Name, "", "").Any() { // what is due stays due
		return group{rest: stoppedRest}, nil
	}
	permits, wait, err := la.permits.take(taking, due, m.Send.Take)
	defer permits.end() // what no worker has got, also after a panic
	if permits.len() == 0 {
		return group{rest: wait}, err
	}
	leased, other, err := l.leaseToSend(working, la, permits.len())
	permits.limit(len(leased.Payouts))
	if len(leased.Payouts) == 0 {
		return other, err
	}
	if err != nil { // some records can't be read; the others go on
		l.reportError(taking, err, "read a record")
	}
	tasks, anyStopped := l.prepare(m, &leased)
	if permits.limit(len(tasks)); len(tasks) == 0 {
		if anyStopped { // a large batch that is paused must not keep Redis busy
			return group{rest: leastRest}, nil
		}
		return group{}, nil
	}
	if err := l.decide(working, m, leased); err != nil {
		permits.end()
		for _, t := range tasks {
			l.giveBack(t, true)
		}
		return group{}, err
	}
	for _, t := range tasks {
		l.move(t, stageDecided)
		l.call(t, permits.next(), func() { l.send(taking, working, t) })
	}
	return group{done: len(tasks)}, nil
}

// prepare makes tasks of what may be sent now, and gives the rest back before anything is
// decided about it. It leaves in leased what it made tasks of. anyStopped says that a person forbids some of
// the rest.
func (l *Loop) prepare(m *merchant, leased *leases.Leased) (tasks []*task, anyStopped bool) {
	now, timely := time.Now(), leased.Payouts[:0]
	tasks = make([]*task, 0, len(leased.Payouts))
	for _, p := range leased.Payouts {
		t := l.newTask(payout.StepSend, m, *leased, p)
		if !sendable(t.lease, p, now) {
			l.giveBack(t, false)
			continue
		}
		if stop := l.stops(p); stop.Any() {
			l.giveBackStopped(t, stop)
			anyStopped = true
			continue
		}
		timely = append(timely, p)
		tasks = append(tasks, t)
	}
	leased.Payouts = timely
	return tasks, anyStopped
}

// decide has the group written down and acknowledged while the lease still leaves room
// for the calls.
func (l *Loop) decide(ctx context.Context, m *merchant, leased leases.Leased) error {
	ctx, cancel := context.WithDeadline(ctx, leased.Deadline().Add(-l.margin()-m.Timeout))
	defer cancel()
	return l.Decisions.Send(ctx, leased.Epoch, leased.Payouts)
}

// call has a worker make a task's call. The permit is ended with it, also after a panic;
// the payout then is asked about when its lease ends.
func (l *Loop) call(t *task, p *permit, f func()) {
	t.permit = p
	doing := "a send"
	if t.step == payout.StepAsk {
		doing = "an ask"
	}
	l.worker(func() {
		defer p.end()
		defer l.survive(doing)
		f()
	})
}

// send makes one call. Whatever happens, the payout is written: with the finding, or
// given back because it certainly was not sent.
func (l *Loop) send(taking, working context.Context, t *task) {
	m, permit := t.merchant, t.permit
	v := l.begin(taking, t)
	if v.reason != mayCall {
		l.notSent(t, v)
		return
	}
	f := m.Provider.Send(working, t.payout.Command, v.latest, func() string { return l.whyStopped(t.payout) })
	permit.answered(f)
	l.Metrics.called(m.Name, OperationSend, f, time.Since(v.at))
	t.payout.SendBy = t.lease.LatestJournalTime(v.latest)
	l.found(t, payout.OwnSend, f, v.at)
	l.listen(working, m.Send, v.at, f)
	l.refusals(working, m, v.at, f)
}

// notSent gives back a send that may not begin. A send that shouldn't have come so far is left
// alone, since nobody knows what was done with it. Its payout is asked about after the lease.
func (l *Loop) notSent(t *task, v verdict) {
	switch v.reason {
	case notAllowed:
	case leaseOverByGrant:
		l.overByGrant(t, v.missed)
	case notDecided: // its decision may still land
		l.giveBack(t, true)
	case stopped:
		l.giveBackStopped(t, v.stop)
	default:
		l.giveBack(t, false)
	}
}

// refusals tells the fleet that the provider refuses one send after the other, and what
// became of the probe that looks whether it is over.
func (l *Loop) refusals(ctx context.Context, m *merchant, began time.Time, f finding.Finding) {
	var err error
	switch refusing := m.Send.Refusing(); {
	case f.Kind == finding.Refused && (refusing || m.sendGate.refusing()):
		err = m.Send.Refused(ctx, began, l.breaker.Load().OpenFor)
	case refusing && refusal(f) == nil:
		err = m.Send.Accepted(ctx, began)
	}
	if err != nil { // the next one tells it again
		l.reportError(ctx, err, "tell what the provider refuses")
	}
}

// listen passes on what an answer says about the calls themselves. It comes after the
// result was handed over: what happened to a payout goes first.
func (l *Loop) listen(ctx context.Context, limiter Limiter, began time.Time, f finding.Finding) {
	if !f.TooFast && f.RetryAfter == 0 {
		return
	}
	if err := limiter.Told(ctx, began, f.TooFast, f.RetryAfter); err != nil { // the next such answer tells it again
		l.reportError(ctx, err, "slow down")
	}
}

// giveBack makes received of a payout that was leased to be sent and certainly was not.
// An unacknowledged decision may still land in the log. If the clocks disagree about the payout,
// it is left alone for a while.
func (l *Loop) giveBack(t *task, unacknowledged bool) { l.giveBackFor(t, unacknowledged, 0) }

// giveBackFor does the same and leaves the payout alone for so long at least.
func (l *Loop) giveBackFor(t *task, unacknowledged bool, atLeast time.Duration) {
	now := time.Now()
	after, err := t.payout.GiveBack(t.lease.LatestJournalTime(now), unacknowledged)
	if err != nil {
		l.Logger.Error().Err(err).Str("trade_no", t.payout.TradeNo).Str("batch_id", t.payout.BatchID).Msg("not given back")
		return
	}
	after.Due = after.Due.Add(max(atLeast, disputed(t.lease, t.payout, now)))
	if !l.move(t, stageReturned) { // it may have been sent: it is asked about after its lease
		return
	}
	l.writer.put(t.change(after))
}

// logText is the message of the line that is logged of a call.
func logText(f finding.Finding) string {
	switch {
	case f.Kind == finding.NotSent:
		return "nothing was sent to the provider"
	case f.Kind == finding.Stopped:
		return "stopped before the first byte"
	case f.HTTPStatus == 0:
		return "the provider did not answer"
	}
	return "the provider answered"
}

// found has the table say what a finding of a call that began then makes of the task's payout,
// and has that written.
func (l *Loop) found(t *task, phase payout.Phase, f finding.Finding, began time.Time) {
	m, p := t.merchant, t.payout
	now, policy := l.judging(t, began)
	m.learn(p, f, now)
	after, err := p.After(phase, f, now, policy)
	if t.word != nil {
		j := p.Resolve(*t.word, f, now, policy)
		t.judged, after, err = &j, j.After, nil
	}
	if err != nil {
		l.Logger.Error().Err(err).Str("trade_no", p.TradeNo).Str("batch_id", p.BatchID).Msg("an answer that the table has no place for")
		after.Due = now.Add(policy.Poll.Max)
	}
	c := t.change(after)
	if phase == payout.Ask && f.Served {
		c.served = m.serve(leases.Served{Merchant: m.Name, At: t.lease.EarliestJournalTime(began), About: p.TradeNo, Settled: after.State.Final()})
	}
	event := l.Logger.Debug()
	if f.Kind == finding.Unclear || f.Kind == finding.NotSent || f.Kind == finding.Stopped || f.Kind == finding.Refused {
		event = l.Logger.Info()
	}
	event.Str("trade_no", p.TradeNo).Str("batch_id", p.BatchID).Str("merchant", m.Name).Stringer("finding", f.Kind).Str("detail", f.Detail).
		Stringer("from", p.State).Stringer("to", after.State).Int("sends", after.Sends).Int("asks", after.Asks).Msg(logText(f))
	if phase == payout.Ask {
		t.asked = &asked{f, after, now}
	}
	if after.EndedByPerson() { // written by the action, with its deadline: see carryOut
		l.move(t, stageJudged)
		t.permit = nil
		return
	}
	if c.next, c.due = l.staysInHand(t, phase, after); c.next != nil {
		if unwritten(phase, f, policy) {
			l.keepUnwritten(t, c)
			return
		}
		c.EndsAt = t.lease.EndsAt
	}
	l.write(t, c)
}
