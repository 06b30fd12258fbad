package payout

import (
	"fmt"
	"strings"
	"time"

	"disburser/payout/finding"
	"disburser/payout/money"
)

// zones is how far a success time may lie before the first send. It is the provider's local
// time: up to 14 hours from UTC, and clocks may be wrong by some more.
const zones = 26 * time.Hour

// stampFormat is how a reason names a time, in UTC.
const stampFormat = "2006-01-02T15:04:05.000Z"

// contradiction says what of an outcome can't be true of this payout, "" if nothing: the
// provider knows nothing but the tradeNo, and may speak of another order with the same one.
// It names amounts and times only, never a text of the provider's.
func (p Payout) contradiction(to State, f finding.Finding) string {
	var says []string
	if wrong := p.wrongShare(to, f.Share, f.PaidAmount); wrong != "" {
		says = append(says, wrong)
	}
	if first := p.firstSend(); !f.SucceededAt.IsZero() && !first.IsZero() && first.Sub(f.SucceededAt) > zones {
		says = append(says, fmt.Sprintf("the success time %s is more than %.0f hours before the first send at %s",
			f.SucceededAt.Format(time.DateTime), zones.Hours(), first.UTC().Format(stampFormat)))
	}
	return strings.Join(says, "; ")
}

func (p Payout) wrongShare(to State, share money.Share, paid string) string {
	if right := to == StatePaid && share == money.ShareAll || to == StatePartial && share == money.SharePart; right ||
		share == money.ShareUnknown || to != StatePaid && to != StatePartial {
		return ""
	}
	return fmt.Sprintf("%v, yet the paid amount is %s where %s was ordered", to, paid, p.Amount)
}

// Contradicted is what is announced as a contradiction. An outcome that was found before the
// command was known (Orphan) could not be compared with its amount: that is done here.
func (p Payout) Contradicted() string {
	if p.Contradiction != "" {
		return p.Contradiction
	}
	return p.wrongShare(p.State, p.Amount.ShareOf(p.PaidAmount), p.PaidAmount)
}

// firstSend is when the payout was sent first, zero if nobody knows: a payout that a lost
// journal has learned of from its own command, carried forward, was sent at some time before.
// Of several sends a rebuild may know a later one only, and it never counts fewer than two.
func (p Payout) firstSend() time.Time {
	if p.Sends != 1 || p.FirstSentAt.Equal(p.SendBy) {
		return time.Time{}
	}
	return p.FirstSentAt
}
