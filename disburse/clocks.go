package disburse

import (
	"time"

	"disburser/payout"
	"disburser/payout/leases"
)

// A payout's own times, notBefore and expiresAt, have come when both clocks say so: Redis',
// by which payouts come due, and this process'. Somebody may set either one.

const (
	// clockRecheck is how long a payout is left alone at most if the clocks disagree about its time.
	// Whichever is wrong may be set right at any moment. reviewPause is the same for the lane
	// of reviews.
	clockRecheck = time.Minute
	reviewPause  = 10 * time.Second

	// grantPause is how long a payout is left alone whose lease is over by the clock of its grant.
	grantPause = time.Second

	// ClocksApart is the difference of the clocks from which somebody should look: NTP
	// keeps them within milliseconds.
	ClocksApart = 10 * time.Second
)

// early is for how long a payout must not be sent yet, by one of the clocks at least.
func early(lease leases.Lease, p payout.Payout, now time.Time) time.Duration {
	return max(p.Early(lease.EarliestJournalTime(now)), p.Early(now))
}

// sendable tells whether a payout may be sent by both clocks.
func sendable(lease leases.Lease, p payout.Payout, now time.Time) bool {
	return early(lease, p, now) == 0 && !p.Expired(lease.LatestJournalTime(now)) && !p.Expired(now)
}

// disputed is for how long a payout is left alone because the clocks don't agree about it.
func disputed(lease leases.Lease, p payout.Payout, now time.Time) time.Duration {
	if wait := early(lease, p, now); wait > 0 {
		return min(wait, clockRecheck)
	}
	if theirs := lease.LatestJournalTime(now); p.Expired(now) != p.Expired(theirs) {
		return min(max(p.ExpiresAt.Sub(now), p.ExpiresAt.Sub(theirs)), clockRecheck)
	}
	return 0
}

// lastByte is the moment of this process' clock before which a payout's expiresAt comes by
// neither clock, if that is before end.
func lastByte(lease leases.Lease, p payout.Payout, end, now time.Time) time.Time {
	if p.ExpiresAt.IsZero() {
		return end
	}
	for _, at := range []time.Time{lease.EarliestLocalTime(p.ExpiresAt), now.Add(p.ExpiresAt.Sub(now))} {
		if at.Before(end) {
			end = at
		}
	}
	return end
}

// sawClock notes how far Redis' clock is ahead of this process', by an answer with Redis' time.
// It says when they come apart, or agree again.
func (l *Loop) sawClock(theirs, asked, received time.Time) {
	difference := clockDifference(theirs, asked, received)
	before := time.Duration(l.journalAhead.Swap(int64(difference)))
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

// clockReading is how far the clock of the Redis that grants the calls was ahead, and when
// that was seen. In a cluster it is another machine's than the journal's.
type clockReading struct {
	ahead time.Duration
	at    time.Time
}

// sawGrantClock notes the clock of the Redis that grants calls, by its latest reading.
func (l *Loop) sawGrantClock(theirs, asked, now time.Time) {
	if theirs.IsZero() {
		return
	}
	d, before := clockDifference(theirs, asked, now), l.grantAhead.Load()
	if d == 0 || before != nil && now.Sub(before.at) < clockRecheck && d.Abs() < before.ahead.Abs() {
		return // there may be several such clocks: the clock that is furthest off counts
	}
	l.grantAhead.Store(&clockReading{d, now})
}

// overByGrant gives back a send that wasn't made because its lease is over by the clock of its grant. If
// that clock is ahead of the journal's by a lease, it is so with every send. So the payout is
// left alone for a while, or it would be leased, decided and given back without end.
func (l *Loop) overByGrant(t *task, missed time.Duration) {
	l.Metrics.overdue.Add(1, t.merchant.Name)
	l.Logger.Warn().Str("merchant", t.merchant.Name).Dur("ahead_by", missed).
		Msg("a send was given back, because by the clock of the Redis that grants the calls its lease is over: this machine stood still, or that clock is ahead of the journal's: set the wrong one")
	l.giveBackFor(t, false, grantPause)
}

// ClockDifference is how far Redis' clock was ahead of this process' at the last reading. There are
// two such clocks: the journal's, and that of the Redis which grants the calls. The one that was
// further off counts.
func (l *Loop) ClockDifference() time.Duration {
	d := time.Duration(l.journalAhead.Load())
	if g := l.grantAhead.Load(); g != nil && time.Since(g.at) < clockRecheck && g.ahead.Abs() > d.Abs() {
		return g.ahead
	}
	return d
}
