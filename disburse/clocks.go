package disburse

import (
	"time"

	"disburser/payout"
)

// A payout's own times, notBefore and expiresAt, have come when both clocks say so: Redis',
// by which payouts come due, and this process'. Somebody may set either one.

const (
	// clockLook is how long a payout about whose time the clocks disagree is left alone at
	// most: whichever is wrong may be set right at any moment. expireRest is the same for
	// the lane that looks for what has expired.
	clockLook  = time.Minute
	expireRest = 10 * time.Second

	// ClocksApart is the difference of the clocks from which somebody should look: NTP
	// keeps them within milliseconds.
	ClocksApart = 10 * time.Second
)

// early is for how long a payout must not be sent yet, by one of the clocks at least.
func early(lease payout.Lease, p payout.Payout, now time.Time) time.Duration {
	return max(p.Early(lease.Earliest(now)), p.Early(now))
}

// sendable tells whether a payout may be sent by both clocks.
func sendable(lease payout.Lease, p payout.Payout, now time.Time) bool {
	return early(lease, p, now) == 0 && !p.Expired(lease.Now(now)) && !p.Expired(now)
}

// undecided is for how long a payout is left alone because the clocks don't agree about it.
func undecided(lease payout.Lease, p payout.Payout, now time.Time) time.Duration {
	if wait := early(lease, p, now); wait > 0 {
		return min(wait, clockLook)
	}
	if theirs := lease.Now(now); p.Expired(now) != p.Expired(theirs) {
		return min(max(p.ExpiresAt.Sub(now), p.ExpiresAt.Sub(theirs)), clockLook)
	}
	return 0
}

// lastByte is the moment of this process' clock before which a payout's expiresAt comes by
// neither clock, if that is before end.
func lastByte(lease payout.Lease, p payout.Payout, end time.Time) time.Time {
	if p.ExpiresAt.IsZero() {
		return end
	}
	now := time.Now()
	for _, at := range []time.Time{lease.Local(p.ExpiresAt), now.Add(p.ExpiresAt.Sub(now))} {
		if at.Before(end) {
			end = at
		}
	}
	return end
}

// timely keeps of a batch what may be sent now, and gives the rest back before anything is
// decided about it.
func (l *Loop) timely(batch payout.Batch) payout.Batch {
	now, kept := time.Now(), batch.Payouts[:0]
	for _, p := range batch.Payouts {
		if sendable(batch.Lease, p, now) {
			kept = append(kept, p)
		} else {
			l.giveBack(batch, p, false)
		}
	}
	batch.Payouts = kept
	return batch
}

// sawClock notes how far Redis' clock is ahead of this process', by an answer with Redis'
// time, and says when they come apart or agree again.
func (l *Loop) sawClock(theirs, asked, received time.Time) {
	difference := clockDifference(theirs, asked, received)
	before := time.Duration(l.apart.Swap(int64(difference)))
	switch far := difference.Abs() > ClocksApart; {
	case far == (before.Abs() > ClocksApart):
	case far:
		l.Logger.Error().Stringer("redis_ahead_by", difference).
			Msg("Redis' clock and this machine's disagree: what has a notBefore or an expiresAt waits until both say that its time has come; set the wrong one")
	default:
		l.Logger.Info().Stringer("redis_ahead_by", difference).Msg("Redis' clock and this machine's agree again")
	}
}

// clockDifference is how far a clock that was read between two moments is ahead for sure,
// or behind if it is negative.
func clockDifference(theirs, asked, received time.Time) time.Duration {
	theirs, asked, received = theirs.Round(0), asked.Round(0), received.Round(0)
	switch {
	case theirs.After(received):
		return theirs.Sub(received)
	case theirs.Before(asked.Truncate(time.Millisecond)): // the journal tells milliseconds
		return theirs.Sub(asked)
	}
	return 0
}

// ClockDifference is how far Redis' clock was ahead of this process' at the last look.
func (l *Loop) ClockDifference() time.Duration { return time.Duration(l.apart.Load()) }
