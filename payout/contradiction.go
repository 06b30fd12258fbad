package payout

import (
	"fmt"
	"strings"
	"time"
)

// zones is how far a success time may lie before the first send. It is the provider's local
// time: up to 14 hours from UTC, and clocks may be wrong by some more.
const zones = 26 * time.Hour

// Share is how much of an ordered amount a provider says was paid.
type Share uint8

// The shares.
const (
	ShareUnknown Share = iota // no readable amount, or nothing to compare it with
	ShareNothing
	SharePart
	ShareAll
	ShareMore
)

// ShareOf compares a paid amount with the ordered one by value: 300.00 is all of 300.
func (a Amount) ShareOf(paid string) Share {
	was, err := ReadAmount(paid)
	if a.IsZero() || err != nil {
		return ShareUnknown
	}
	switch c := was.Compare(a); {
	case was.Canonical() == "0":
		return ShareNothing
	case c < 0:
		return SharePart
	case c == 0:
		return ShareAll
	}
	return ShareMore
}

// contradiction says what of an outcome can't be true of this payout, "" if nothing: the
// provider knows nothing but the tradeNo, and may speak of another order with the same one.
// It names amounts and times only, never a text of the provider's.
func (p Payout) contradiction(to State, f Finding) string {
	var says []string
	if wrong := to == StatePaid && f.Share != ShareAll || to == StatePartial && f.Share != SharePart; wrong && f.Share != ShareUnknown {
		says = append(says, fmt.Sprintf("%v, yet the paid amount is %s where %s was ordered", to, f.PaidAmount, p.Amount))
	}
	if first := p.firstSend(); !f.SucceededAt.IsZero() && !first.IsZero() && first.Sub(f.SucceededAt) > zones {
		says = append(says, fmt.Sprintf("the success time %s is more than %.0f hours before the first send at %s",
			f.SucceededAt.Format(time.DateTime), zones.Hours(), stamp(first)))
	}
	return strings.Join(says, "; ")
}

// firstSend is when the payout was sent first, zero if nobody knows: a payout that a lost
// journal has learned of from its own command, carried forward, was sent at some time before.
func (p Payout) firstSend() time.Time {
	if p.FirstSentAt.Equal(p.SendBy) {
		return time.Time{}
	}
	return p.FirstSentAt
}
