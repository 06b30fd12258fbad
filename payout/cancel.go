package payout

import (
	"fmt"
	"time"
)

// Cancellation is a person's word that a payout must not be sent.
type Cancellation struct {
	By, ConfirmedBy string // ConfirmedBy is "" where one person was enough
	Reason          string
	Action          string // its id
}

// Why is the reason of what it ends, for a person.
func (c Cancellation) Why() string {
	why := "cancelled by " + c.By
	if c.ConfirmedBy != "" {
		why += ", confirmed by " + c.ConfirmedBy
	}
	if c.Reason != "" {
		why += ": " + c.Reason
	}
	return why
}

// Cancel ends a received payout by a person's word (protocol A8). It is rejected if it was never sent. If a send may
// have happened, or its decision may still land, it is held. Any other payout is an error.
func (p Payout) Cancel(c Cancellation, now time.Time) (Payout, error) {
	if p.State != StateReceived {
		return p, fmt.Errorf("payout %s: a payout that is %v can't be cancelled: left as it is", p.TradeNo, p.State)
	}
	p.Action = c.Action
	if p.Sends > 0 || p.Unacknowledged || !p.HeldAt.IsZero() {
		return p.hold(c.Why()+" (but it may have been sent before)", now), nil
	}
	p.By, p.ConfirmedBy = c.By, c.ConfirmedBy
	return p.reject(c.Why(), now), nil
}
