package payout

import (
	"time"

	"disburser/payout/finding"
)

const (
	// mostSends is how often a payout is sent at most. The journal counts to 99, and the proof
	// that the last send was refused needs the exact number.
	mostSends = 50

	// headProbes is how often a refused payout is sent again before the new ones. After that it
	// goes behind them: it may be refused for a reason of its own.
	headProbes = 3
)

// resends tells whether a payout whose absence is proved may be sent again. The operator must
// have chosen that, and the payout must be neither too old nor sent too often.
func (p Payout) resends(now time.Time, policy Policy) bool {
	return policy.NoRecord.Then == Resend && !p.gaveUp(now, policy) && p.Sends < mostSends
}

// probeAgain sends a payout again while the provider refuses every send. Its absence is proved,
// and the operator chose resend. At first it goes before the others, which would be refused
// too. Then it goes behind them, so that each is the probe once.
func (p Payout) probeAgain(now time.Time) Payout {
	p = p.sendAgain(now)
	p.Refusals++
	if p.Refusals <= headProbes && p.ReceivedAt.Before(now) && !p.ReceivedAt.IsZero() {
		p.Due = p.ReceivedAt
	}
	return p
}

// sendAgain sends a payout again under the same tradeNo, because the operator chose resend. The
// evidence begins anew. The sends so far count as disproved: if the next one is refused, its
// absence ends the payout.
func (p Payout) sendAgain(now time.Time) Payout {
	p.State, p.Step, p.Due = StateReceived, StepSend, now
	p.NoRecords, p.NoRecordAt, p.AskRound = 0, time.Time{}, 0
	p.LastSend, p.PartialAt, p.PendingAt, p.Unknown = finding.Unclear, time.Time{}, time.Time{}, ""
	p.Answered = false
	p.Disproved = p.Sends
	return p
}

// allRefused tells that each of its sends was refused and is proved absent, so that nothing was
// paid. It is false for a payout that was never sent.
func (p Payout) allRefused() bool {
	return p.Sends > 0 && p.Disproved == p.Sends && p.Refusals == p.Sends
}

// whyNotExpired is the reason of a payout that has expired and is held.
func (p Payout) whyNotExpired() string {
	switch {
	case p.Sends > p.Disproved:
		return "expiresAt passed after a send that may have happened"
	case p.Unacknowledged:
		return "expiresAt passed before it was sent, but a decision to send it may still stand in the log"
	}
	return "expiresAt passed; it had been sent, and the provider then said several times that it has no record of it, but it had not refused every send"
}
