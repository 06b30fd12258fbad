package disburse

import (
	"context"
	"fmt"
	"maps"
	"time"

	"disburser/payout"
	"disburser/payout/acts"
	"disburser/payout/leases"
)

// cancelPayout ends a payout that was never sent (protocol A8). What may have been sent goes its way.
func (e *executor) cancelPayout(ctx context.Context, o acts.OneShot, acted leases.Acted) attempt {
	if acted.Made {
		return e.finish(ctx, o, acted)
	}
	leased, err := e.leaseOne(ctx, o.Scope.Name, []payout.State{payout.StateReceived})
	if err != nil {
		return attemptFailed(err)
	}
	p := leased.Payouts[0].Payout
	switch leased.Payouts[0].Found {
	case leases.NamedLeased:
	case leases.NamedUnknown:
		return refusedAs(unknownPayout)
	case leases.NamedBusy: // it may be in flight, and come back unsent
		return tryAgain
	case leases.NamedEnded:
		return refusedAs("it has ended as " + p.State.String())
	default:
		return refusedAs(whyNotCancelled(p))
	}
	t := e.loop.newTask(payout.StepReview, nil, leases.Leased{Lease: leased.Lease}, p)
	now := t.lease.LatestJournalTime(time.Now())
	after, err := p.Cancel(cancellationOf(o), now)
	if err != nil {
		return attemptFailed(err)
	}
	carried, err := e.Journal.CarryAct(ctx, acted.Claim, t.change(after).Change)
	switch {
	case err != nil:
		return attemptFailed(err) // it may be made: the next attempt finds out
	case carried == leases.CarriedOut:
		return e.finish(ctx, o, acted)
	case carried == leases.CarriedLate:
		e.loop.putBack(t, now) // a review puts it back where it was
	}
	return tryAgain
}

// whyNotCancelled says of a payout that isn't received why it can't be cancelled.
func whyNotCancelled(p payout.Payout) string {
	switch {
	case p.State.Final():
		return "it has ended as " + p.State.String()
	case p.State == payout.StateHeld:
		return "it is held, and may have been sent: resolve it instead"
	case p.FirstSentAt.IsZero():
		return fmt.Sprintf("it is %s: it may have been sent; ask again, or resolve it once it is held", p.State)
	}
	return fmt.Sprintf("it is %s: it was or may have been sent at %s; ask again, or resolve it once it is held",
		p.State, p.FirstSentAt.UTC().Format(time.RFC3339))
}

// finish has what an action made decided, acknowledged and looked at. Only then it is done (protocol A5). What became
// held is done once that stands in the results: a replay would not know of it.
func (e *executor) finish(ctx context.Context, o acts.OneShot, acted leases.Acted) attempt {
	leased, err := e.leaseOne(ctx, o.Scope.Name, nil)
	if err != nil {
		return attemptFailed(err)
	}
	p := leased.Payouts[0].Payout
	switch found := leased.Payouts[0].Found; {
	case found == leases.NamedEnded || found == leases.NamedUnknown: // announced: it was decided before that
		return doneAs(endedAs(o, p.State))
	case p.State == payout.StateHeld && p.Step != payout.StepAsk:
		return tryAgain
	case p.State == payout.StateHeld:
		return doneAs("it is held: it may have been sent before")
	case !p.Own(): // it was held, and the provider has said its end since
		return doneAs(endedAs(o, p.State))
	case p.Action != o.ID:
		return attemptFailed(fmt.Errorf("%s was ended by the action %q, and this one was carried out too", p.TradeNo, p.Action))
	}
	if err := e.loop.Decisions.Final(ctx, acted.Epoch, []payout.Payout{p}); err != nil {
		return attemptFailed(err)
	}
	return doneAs(fmt.Sprintf("%s: %s", p.State, p.Reason))
}

// endedAs says how a payout ended that an action of this kind has ended, or held before.
func endedAs(o acts.OneShot, as payout.State) string {
	if o.Kind == acts.Cancel && as == payout.StateRejected {
		return "rejected: " + cancellationOf(o).Why()
	}
	return "it has ended as " + as.String()
}

func cancellationOf(o acts.OneShot) payout.Cancellation {
	return payout.Cancellation{By: o.By, ConfirmedBy: o.ConfirmedBy, Reason: o.Reason, Action: o.ID}
}

// cancelBatch goes through the open payouts of a cancelled batch, page by page (protocol A10). What was never sent goes
// to the lane of reviews, which ends it and counts that. What comes later is met by A0. A pass that has met nothing
// that waits is the last one.
func (e *executor) cancelBatch(ctx context.Context, o acts.OneShot, acted leases.Acted) attempt {
	b, last := passOf(acted.Note), map[string]bool{}
	for ctx.Err() == nil {
		page, err := e.Journal.OpenOf(ctx, o.Scope.Name, b.Cursor, o.Order)
		if err != nil {
			return attemptFailed(err)
		}
		if err := e.cancelPage(ctx, o.ID, page.Payouts, last, b); err != nil {
			return attemptFailed(err)
		}
		if b.Cursor = page.Next; page.Next == "" {
			break
		}
		holds, err := e.Journal.NoteAct(ctx, acted.Claim, b.note())
		if err != nil || !holds {
			return attemptFailed(err)
		}
	}
	switch {
	case b.Cursor != "":
		return tryAgain
	case b.Counts[countWaits] > 0: // until a pass meets nothing that waits to be sent
		holds, err := e.Journal.NoteAct(ctx, acted.Claim, "")
		if err != nil || !holds {
			return attemptFailed(err)
		}
		return tryAgain
	}
	acted, err := e.Journal.Act(ctx, actOf(o), e.token, actClaim) // how many have ended meanwhile
	if err != nil || !acted.Mine {
		return attemptFailed(err)
	}
	if acted.Touched > 0 {
		b.Counts[countCancelled] = acted.Touched
	}
	if len(b.Counts) == 0 {
		return e.unknownBatch(o, acted, "no open payout of this batch is known here, so nothing is cancelled: check the batch's name, or say it again once it was ordered")
	}
	a := doneAs(fmt.Sprintf("%d cancelled, %d were or may have been sent and go their way", b.Counts[countCancelled], b.Counts[countSent]))
	a.said.Counts = b.Counts
	return a
}

// cancelPage has those payouts of a page reviewed that wait to be sent, and counts. last are those of the page before:
// what comes twice comes right after it.
func (e *executor) cancelPage(ctx context.Context, id string, page []payout.Payout, last map[string]bool, b batchPass) error {
	var names []string
	counted := map[string]bool{}
	for _, p := range page {
		counted[p.TradeNo] = true
		switch {
		case last[p.TradeNo] || p.Action == id: // counted, by this pass or where it was ended
		case p.State == payout.StateReceived:
			b.Counts[countWaits]++
			if p.Step != payout.StepReview {
				names = append(names, p.TradeNo)
			}
		case p.State.Final():
			b.Counts["ended"]++
		default:
			b.Counts[countSent]++
		}
	}
	clear(last)
	maps.Copy(last, counted)
	if len(names) == 0 {
		return nil
	}
	_, err := e.Review(ctx, names) // what is leased meanwhile is met by A0, or has left: the next pass finds out
	e.loop.Nudge()
	return err
}

// endCancelled writes the ends of payouts that a batch's cancel has stopped. None ends before the topic says that the
// cancel can't be refused any more (protocol A10). Otherwise refused could be said of what took effect, and the cancel
// would fall. Another shard could say so, or an epoch that is over. They are counted before they end.
func (l *Loop) endCancelled(working context.Context, action string, changes []change) error {
	may := true
	if l.OneShots != nil {
		ctx, cancel := context.WithTimeout(working, l.Lease/3)
		defer cancel()
		by, _ := l.stops(changes[0].task.payout).Ends()
		may = by.ID == action && by.Firm
		var err error
		if may {
			var tradeNos []string
			for _, c := range changes {
				tradeNos = append(tradeNos, c.After.TradeNo)
			}
			err = l.OneShots.Journal.TouchAct(ctx, changes[0].Epoch, action, tradeNos)
		} else if time.Since(l.saidToStand[action]) > standsAgain {
			l.saidToStand[action] = time.Now()
			err = l.OneShots.Stands(ctx, action)
		}
		if err != nil {
			return err // they come due again after their lease
		}
	}
	for _, c := range changes {
		if may {
			l.write(c.task, c)
		} else { // in a moment it stands, or has fallen
			l.putBack(c.task, c.task.lease.LatestJournalTime(time.Now()).Add(merchantRecheck/merchantRechecks))
		}
	}
	return nil
}

// standsAgain is when it is said again of a cancel that it stands, if nobody has read that.
const standsAgain = 5 * time.Second

// What an outcome counts of a batch.
const (
	countAsked     = "asked"
	countCancelled = "cancelled" // never sent: rejected, or held where that is in doubt
	countSent      = "sent"      // was or may have been sent: it goes its way
	countWaits     = "waits"     // is still to be reviewed; an outcome has none of these
)
