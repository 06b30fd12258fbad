package payout

import (
	"fmt"
	"strings"
	"time"

	"disburser/payout/finding"
	"disburser/payout/money"
)

// zones is how far a success time may lie before the first send. It is a local time without
// its zone: 14 hours from UTC at most. The rest is for clocks that are wrong.
const zones = 26 * time.Hour

// stampFormat is how a reason names a time, in UTC.
const stampFormat = "2006-01-02T15:04:05.000Z"

// contradiction says what of an outcome can't be true of this payout; "" if nothing
// contradicts. The provider knows an order by its tradeNo alone, so it may speak of another
// order. The answer names amounts and times only: other texts of the provider's may hold
// people's data.
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

// wrongShare says that the amount doesn't fit the outcome; "" if it does, or if it can't be told.
func (p Payout) wrongShare(to State, share money.Share, paid string) string {
	if right := to == StatePaid && share == money.ShareAll || to == StatePartial && share == money.SharePart; right ||
		share == money.ShareUnknown || to != StatePaid && to != StatePartial {
		return ""
	}
	return fmt.Sprintf("%v, yet the paid amount is %s where %s was ordered", to, paid, p.Amount)
}

// Contradicted is the contradiction that is announced; "" if there is none. It compares the
// amount once more: the outcome may have been found before the command was known (Orphan).
func (p Payout) Contradicted() string {
	if p.Contradiction != "" {
		return p.Contradiction
	}
	return p.wrongShare(p.State, p.Amount.ShareOf(p.PaidAmount), p.PaidAmount)
}

// firstSend is when the payout was sent first; zero if nobody knows.
//
// Nobody knows it of several sends: a rebuild may have learned of a later one only, and counts
// two at least. Nor of a payout that the journal knows from a command carried forward. Then both
// times are the time of its insert.
func (p Payout) firstSend() time.Time {
	if p.Sends != 1 || p.FirstSentAt.Equal(p.SendBy) {
		return time.Time{}
	}
	return p.FirstSentAt
}
