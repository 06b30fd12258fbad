package disburse

import (
	"context"
	"time"

	"disburser/payout"
	"disburser/payout/acts"
	"disburser/payout/leases"
)

// resolve ends a held payout by a person's word, as far as one more answer of the provider allows it (protocol A7).
func (e *executor) resolve(taking, ctx context.Context, o acts.OneShot, acted leases.Acted) attempt {
	if acted.Made {
		return e.finish(ctx, o, acted)
	}
	leased, err := e.leaseOne(ctx, o.Scope.Name, []payout.State{payout.StateHeld})
	if err != nil {
		return attemptFailed(err)
	}
	p := leased.Payouts[0].Payout
	switch leased.Payouts[0].Found {
	case leases.NamedLeased:
	case leases.NamedUnknown:
		return refusedAs(unknownPayout)
	case leases.NamedBusy:
		return tryAgain
	default:
		return resolvedBefore(p, leased.Payouts[0].Found, o.As)
	}
	t, again := e.judge(taking, ctx, leased, o, acted)
	if t == nil || t.judged == nil {
		return again
	}
	return e.carryOut(ctx, t, o, acted)
}

// resolvedBefore is for a payout that isn't held, or waits for its announcement. Agreement with an end that is
// announced, or that the provider has told, is done.
func resolvedBefore(p payout.Payout, found leases.Named, as acts.As) attempt {
	switch ended := found == leases.NamedEnded || p.State.Final() && !p.Own(); {
	case ended && p.State.String() == string(as):
		return doneAs("it had ended as " + p.State.String() + " already")
	case ended:
		return refusedAs("it has ended as " + p.State.String())
	case p.State.Final() || p.State == payout.StateHeld: // it is being announced
		return tryAgain
	}
	return refusedAs("it is " + p.State.String() + ": only a held payout can be resolved; ask about it, or wait until it is held")
}

// judge asks about a leased payout and has the person's word judged by the answer. The task has no judgement if
// nobody could be asked now; then the attempt counts.
func (e *executor) judge(taking, ctx context.Context, leased leases.LeasedByName, o acts.OneShot, acted leases.Acted) (*task, attempt) {
	l, p := e.loop, leased.Payouts[0].Payout
	m := l.merchants[p.Merchant]
	t := l.newTask(payout.StepAsk, m, leases.Leased{Lease: leased.Lease}, p)
	if m == nil || p.Country == "" && !p.Orphan() {
		l.putBack(t, p.Due)
		return nil, refusedAs("its merchant " + p.Merchant + " isn't configured: nobody can be asked")
	}
	now := t.lease.EarliestJournalTime(time.Now())
	if now.Before(p.ResolvableFrom()) { // a send of it may still be on its way
		l.putBack(t, t.lease.LatestJournalTime(time.Now()))
		return nil, tryAgain
	}
	t.evidence = leased.EvidenceOf(m.Policy.Account)
	t.word = &payout.Word{As: o.As, Force: o.Force, By: o.By, Reason: o.Reason, ConfirmedBy: o.ConfirmedBy, Action: o.ID}
	permits, err := e.permit(taking, ctx, m, 1, acted)
	defer permits.end()
	if err != nil || permits.len() == 0 {
		l.putBack(t, t.lease.LatestJournalTime(time.Now()))
		return nil, attempt{err: err}
	}
	over := make(chan struct{})
	l.call(t, permits.next(), func() {
		defer close(over)
		l.ask(taking, ctx, t)
	})
	<-over
	return t, tryAgain
}

// carryOut writes what was judged. An end by the person's word is written by the script that checks the action's
// claim and its deadline, under the payout's lease. It is done once it is decided and looked at. What the provider's
// answer alone makes of the payout was written already.
func (e *executor) carryOut(ctx context.Context, t *task, o acts.OneShot, acted leases.Acted) attempt {
	j := t.judged
	a := attempt{mark: leases.MarkRefused, said: said{Detail: j.Why, Evidence: &j.Evidence}}
	switch {
	case j.Verdict == payout.WordTooEarly:
		return tryAgain
	case j.Verdict == payout.WordRefused:
		return a
	case !j.After.EndedByPerson():
		a.mark = leases.MarkDone
		return a
	}
	carried, err := e.Journal.CarryAct(ctx, acted.Claim, t.change(j.After).Change)
	switch {
	case err != nil: // it may be made: the next attempt finds out
		e.loop.move(t, stageLost)
		return attemptFailed(err)
	case carried != leases.CarriedOut: // the payout comes due again after its lease
		e.loop.move(t, stageLost)
		return tryAgain
	}
	e.loop.move(t, stageWritten)
	e.loop.move(t, stageDone)
	finished := e.finish(ctx, o, acted)
	if finished.mark == leases.MarkDone {
		finished.said.Evidence = &j.Evidence
	}
	return finished
}
