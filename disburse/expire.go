package disburse

import (
	"context"
	"time"

	"disburser/payout"
	"disburser/payout/leases"
)

// lookForMerchant bounds how long a payout whose merchant isn't known is left alone: another
// instance may know it by then. The whole wait is cut into so many looks.
const (
	lookForMerchant = 15 * time.Second
	looksForOne     = 20
)

// expireBatch looks at received payouts that must not be sent: whose expiresAt has come, that
// were sent to another account before, or whose merchant wasn't known at the last look. Where
// only Redis' clock says that one has expired, the lane rests: what comes behind expires later.
func (l *Loop) expireBatch(_, working context.Context, la *lane, due int) (int, error) {
	batch, err := l.lease(working, payout.StepExpire, "", min(due, announceLargest))
	ended := 0
	var resolved []payout.Payout
	for _, p := range batch.Payouts {
		now := time.Now()
		after, known, e := l.notSendable(batch.Lease, la, p, now)
		switch {
		case e != nil:
			l.Logger.Error().Err(e).Str("trade_no", p.TradeNo).Str("batch_id", p.BatchID).Msg("not ended")
			continue
		case known:
			resolved = append(resolved, after)
			continue
		case after.State != p.State:
			ended++
		}
		l.writer.put(change{Change: leases.Change{Token: batch.Token, Epoch: batch.Epoch, Before: p.State, After: after}, until: batch.Deadline()})
	}
	if len(resolved) > 0 {
		if e := l.resolve(working, batch.Lease, resolved); e != nil {
			err = e
		}
	}
	return ended + len(resolved), err
}

// notSendable is what becomes of one of them; known says that it is its merchant's now.
func (l *Loop) notSendable(lease leases.Lease, la *lane, p payout.Payout, now time.Time) (after payout.Payout, known bool, err error) {
	theirs, account := lease.Now(now), p.Account
	if m := l.merchants[p.Merchant]; m != nil { // else nobody here can tell its account: only its expiry counts
		account = m.policy().Account
	}
	expired := p.Expired(now) && p.Expired(theirs)
	if p.Sends == 0 && !expired && (p.Country == "" || !p.Expired(theirs)) {
		after, err = l.lookUp(lease, p, now)
		return after, err == nil && after.Step == payout.StepSend, err
	}
	after, err = p.NotSendable(theirs, account)
	if err != nil || after.State == payout.StateReceived || p.SentElsewhere(account) || expired {
		return after, false, err
	}
	after = p
	after.Step, after.Due = payout.StepSend, theirs.Add(undecided(lease, p, now))
	la.restUntil.Store(now.Add(expireRest).UnixNano())
	return after, false, nil
}

// lookUp is what becomes of a payout that waits for its merchant: due to be sent where this
// instance knows it, rejected where nobody has for long, or looked at again.
func (l *Loop) lookUp(lease leases.Lease, p payout.Payout, now time.Time) (payout.Payout, error) {
	command, country, invalid := l.Resolve(p.Command)
	waited := min(now.Sub(p.ReceivedAt), lease.Earliest(now).Sub(p.ReceivedAt), l.knownFor(lease.Epoch, now))
	switch {
	case invalid == "":
		return p.Resolved(command, country, lease.Now(now)), nil
	case invalid != payout.NotConfigured || waited >= l.Grace:
		return p.Reject(invalid, lease.Now(now))
	}
	p.Step = payout.StepExpire
	p.Due = lease.Now(now).Add(max(time.Millisecond, min(lookForMerchant, l.Grace/looksForOne, l.Grace-waited)))
	if p.ExpiresAt.After(lease.Now(now)) && p.ExpiresAt.Before(p.Due) {
		p.Due = p.ExpiresAt
	}
	return p, nil
}

// knownFor is how long this instance has worked in an epoch: while there was none, nobody
// could look whether a merchant is known. Only the lane of expiries calls it.
func (l *Loop) knownFor(epoch string, now time.Time) time.Duration {
	if l.epoch != epoch {
		l.epoch, l.epochFrom = epoch, now
	}
	return now.Sub(l.epochFrom)
}

// resolve gives payouts to the merchant that this instance knows.
func (l *Loop) resolve(working context.Context, lease leases.Lease, payouts []payout.Payout) error {
	ctx, cancel := context.WithDeadline(working, lease.Deadline())
	defer cancel()
	moved, err := l.Journal.Resolve(ctx, lease, payouts)
	if err != nil { // they are looked at again after the lease
		return err
	}
	for i, p := range payouts {
		if i < len(moved) && moved[i] {
			l.Logger.Info().Str("trade_no", p.TradeNo).Str("merchant", p.Merchant).Msg("its merchant is known now")
		}
	}
	return nil
}
