package payout

import (
	"fmt"
	"time"
)

// NotConfigured is the reason of a payout that is rejected because nobody knows its merchant.
const NotConfigured = "merchant is not configured"

// AwaitMerchant makes a new payout wait until its merchant is configured. It is received, and
// due for a review, which looks for the merchant again. It can't have been sent: that needs the
// merchant.
func (p Payout) AwaitMerchant() Payout {
	p.State, p.Step, p.Due = StateReceived, StepReview, p.ReceivedAt
	p.Reason, p.SettledAt = "", time.Time{}
	return p
}

// AwaitReview makes a new payout due for a review at once, though its merchant is configured: its batch is cancelled.
func (p Payout) AwaitReview() Payout {
	p.Step, p.Due = StepReview, p.ReceivedAt
	return p
}

// Resolved is the payout once its merchant is configured. c is its command, completed by that
// merchant's settings. Its fingerprint stays, since repeats are recognised by it.
func (p Payout) Resolved(c Command, country string, now time.Time) Payout {
	p.Command, p.Country, p.Step, p.Due = c, country, StepSend, now
	if c.NotBefore.After(now) {
		p.Due = c.NotBefore
	}
	return p
}

// Reject ends a payout that waits for its merchant. A payout that may have been sent is refused.
func (p Payout) Reject(reason string, now time.Time) (Payout, error) {
	if p.State != StateReceived || p.Sends > 0 || p.Unacknowledged {
		return p, fmt.Errorf("payout %s: a payout that is %v and was sent %d times can't be rejected: left as it is", p.TradeNo, p.State, p.Sends)
	}
	return p.reject(reason, now), nil
}
