package disburse

import (
	"context"
	"time"

	"disburser/payout"
	"disburser/payout/leases"
)

const (
	// merchantRecheck is the longest pause between two rechecks of a payout whose merchant isn't
	// known. Another instance may know the merchant by then.
	merchantRecheck = 15 * time.Second

	// merchantRechecks is how many rechecks there are at least before the payout is rejected.
	merchantRechecks = 20
)

// reviewGroup reviews received payouts that may not be sent. Their expiresAt has come, or they were
// sent to another account before, or their merchant wasn't known at the last check. Where only
// Redis' clock says that a payout has expired, the lane pauses: the payouts behind it expire later.
func (l *Loop) reviewGroup(_, working context.Context, la *lane, due int) (group, error) {
	due = min(due, announceLargest)
	leased, err := l.lease(working, leases.Request{Step: payout.StepReview, N: due})
	if err == nil {
		la.leased(due, len(leased.Payouts))
	}
	ended := 0
	var resolved []*task
	cancelled := map[string][]change{}
	for _, p := range leased.Payouts {
		t := l.newTask(payout.StepReview, nil, leased, p)
		after, known, e := l.notSendable(t, la, time.Now())
		switch {
		case e != nil:
			l.Logger.Error().Err(e).Str("trade_no", p.TradeNo).Str("batch_id", p.BatchID).Msg("not ended")
			continue
		case known:
			t.payout = after
			resolved = append(resolved, t)
			continue
		case after.State != p.State:
			ended++
		}
		if after.Action != "" && after.Action != p.Action {
			c := t.change(after)
			c.task = t
			cancelled[after.Action] = append(cancelled[after.Action], c)
			continue
		}
		l.write(t, t.change(after))
	}
	for action, changes := range cancelled {
		if e := l.endCancelled(working, action, changes); e != nil {
			err = e
		}
	}
	if len(resolved) > 0 {
		if e := l.resolve(working, leased.Lease, resolved); e != nil {
			err = e
		}
	}
	return group{done: ended + len(resolved)}, err
}

// notSendable is what becomes of a task's payout. What a batch's cancellation stops ends here (protocol A4, A8); known says that this instance knows its merchant.
func (l *Loop) notSendable(t *task, la *lane, now time.Time) (after payout.Payout, known bool, err error) {
	p, theirs := t.payout, t.lease.LatestJournalTime(now)
	if by, ends := l.stops(p).Ends(); ends { // whatever else is true of it
		after, err = p.Cancel(payout.Cancellation{By: by.By, ConfirmedBy: by.ConfirmedBy, Reason: by.Reason, Action: by.ID}, theirs)
		return after, false, err
	}
	account := p.Account
	if m := l.merchants[p.Merchant]; m != nil { // else nobody here can tell its account: only its expiry counts
		account = m.policy().Account
	}
	expired := p.Expired(now) && p.Expired(theirs)
	if p.Sends == 0 && !expired && (p.Country == "" || !p.Expired(theirs)) {
		after, err = l.recheckMerchant(t.lease, p, now)
		return after, err == nil && after.Step == payout.StepSend, err
	}
	after, err = p.NotSendable(theirs, account)
	if err != nil || after.State == payout.StateReceived || p.MaybeAtAnotherAccount(account) || expired {
		return after, false, err
	}
	after = p
	after.Step, after.Due = payout.StepSend, theirs.Add(disputed(t.lease, p, now))
	la.pausedUntil.Store(now.Add(reviewPause).UnixNano())
	return after, false, nil
}

// recheckMerchant is what becomes of a payout that waits for its merchant. Where this instance
// knows the merchant, the payout is due to be sent. Where nobody has known it for long, the payout
// is rejected. Else it is checked again later.
func (l *Loop) recheckMerchant(lease leases.Lease, p payout.Payout, now time.Time) (payout.Payout, error) {
	command, country, invalid := l.Resolve(p.Command)
	waited := min(now.Sub(p.ReceivedAt), lease.EarliestJournalTime(now).Sub(p.ReceivedAt), l.knownFor(lease.Epoch, now))
	switch {
	case invalid == "":
		return p.Resolved(command, country, lease.LatestJournalTime(now)), nil
	case invalid != payout.NotConfigured || waited >= l.Grace:
		return p.Reject(invalid, lease.LatestJournalTime(now))
	}
	p.Step = payout.StepReview
	p.Due = lease.LatestJournalTime(now).Add(max(time.Millisecond, min(merchantRecheck, l.Grace/merchantRechecks, l.Grace-waited)))
	if p.ExpiresAt.After(lease.LatestJournalTime(now)) && p.ExpiresAt.Before(p.Due) {
		p.Due = p.ExpiresAt
	}
	return p, nil
}

// knownFor is how long this instance has worked in an epoch: while there was none, nobody
// could check whether a merchant is known. Only the lane of reviews calls it.
func (l *Loop) knownFor(epoch string, now time.Time) time.Duration {
	if l.epoch != epoch {
		l.epoch, l.epochFrom = epoch, now
	}
	return now.Sub(l.epochFrom)
}

// resolve gives payouts to the merchant that this instance knows.
func (l *Loop) resolve(working context.Context, lease leases.Lease, tasks []*task) error {
	ctx, cancel := context.WithDeadline(working, lease.Deadline())
	defer cancel()
	payouts := make([]payout.Payout, len(tasks))
	for i, t := range tasks {
		l.move(t, stageJudged)
		payouts[i] = t.payout
	}
	moved, err := l.Journal.Resolve(ctx, lease, payouts)
	for i, t := range tasks {
		switch {
		case err != nil || i >= len(moved) || !moved[i]: // it comes due again after the lease
			l.move(t, stageLost)
		default:
			l.move(t, stageWritten)
			l.move(t, stageDone)
			l.Logger.Info().Str("trade_no", t.payout.TradeNo).Str("merchant", t.payout.Merchant).Msg("its merchant is known now")
		}
	}
	return err
}
