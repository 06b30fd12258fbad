package payout

import (
	"fmt"
	"time"
)

// NotConfigured is why a payout is rejected whose merchant nobody knows.
const NotConfigured = "merchant is not configured"

// AwaitMerchant makes of a new payout one that waits for its merchant to become known: it is
// received, and looked at where payouts expire. It was never sent: only who knows the
// merchant can.
func (p Payout) AwaitMerchant() Payout {
	p.State, p.Step, p.Due = StateReceived, StepExpire, p.ReceivedAt
	p.Reason, p.SettledAt = "", time.Time{}
	return p
}

// Resolved is a payout whose merchant has become known, with its command as that merchant's
// settings complete it. Its fingerprint stays: it is known under it.
func (p Payout) Resolved(c Command, country string, now time.Time) Payout {
	p.Command, p.Country, p.Step, p.Due = c, country, StepSend, now
	if c.NotBefore.After(now) {
		p.Due = c.NotBefore
	}
	return p
}

// Reject ends a payout that waits for its merchant.
func (p Payout) Reject(reason string, now time.Time) (Payout, error) {
	if p.State != StateReceived || p.Sends > 0 || p.Unheard {
		return p, fmt.Errorf("payout %s: a payout that is %v and was sent %d times can't be rejected: left as it is", p.TradeNo, p.State, p.Sends)
	}
	return p.reject(reason, now), nil
}
