package payout

import (
	"time"

	"disburser/payout/finding"
)

const (
	// mostSends bounds how often a payout is sent. The journal counts up to 99 sends, and the
	// proof that the last one was refused needs the exact number.
	mostSends = 50

	// headProbes is how often a refused payout may be sent again before the fresh ones. It
	// may be refused for a reason of its own, and then others must have their turn.
	headProbes = 3
)

// resends tells whether the operator lets a payout be sent again whose absence is proven.
func (p Payout) resends(now time.Time, policy Policy) bool {
	return policy.NoRecord.Then == Resend && !p.gaveUp(now, policy) && p.Sends < mostSends
}

// probeAgain is for a payout whose absence is proven while the provider refuses every send:
// the operator's resend lets it be a probe again. The first times it goes before the others,
// which would be refused too; then it goes behind them, so that each becomes the probe once.
func (p Payout) probeAgain(now time.Time) Payout {
	p = p.sendAgain(now)
	p.Refusals++
	if p.Refusals <= headProbes && p.ReceivedAt.Before(now) && !p.ReceivedAt.IsZero() {
		p.Due = p.ReceivedAt
	}
	return p
}

// sendAgain follows the operator's resend: the same tradeNo, never a new one, and
// evidence gathered anew. The sends until now count as disproved: if the next one is
// refused, its absence ends the payout instead of beginning another round.
func (p Payout) sendAgain(now time.Time) Payout {
	p.State, p.Step, p.Due = StateReceived, StepSend, now
	p.NoRecords, p.NoRecordAt, p.AskRound = 0, time.Time{}, 0
	p.LastSend, p.PartialAt, p.PendingAt, p.Unknown = finding.Unclear, time.Time{}, time.Time{}, ""
	p.Disproved = p.Sends
	return p
}

// allRefused tells that it was sent, and that each of its sends was refused and is proved
// absent: nothing was paid.
func (p Payout) allRefused() bool {
	return p.Sends > 0 && p.Disproved == p.Sends && p.Refusals == p.Sends
}

// whyNotExpired is why a payout that has expired is held, and not ended by our own word.
func (p Payout) whyNotExpired() string {
	switch {
	case p.Sends > p.Disproved:
		return "expiresAt passed after a send that may have happened"
	case p.Unheard:
		return "expiresAt passed before it was sent, but a decision to send it may still stand in the log"
	}
	return "expiresAt passed; it had been sent, and the provider then said several times that it has no record of it, but it had not refused every send"
}
