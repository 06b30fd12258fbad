package payout

import (
	"cmp"
	"time"

	"disburser/payout/finding"
)

// unknownStatus is for a status code that we don't know. The first one is only noted. The
// second one holds the payout, or fails it where the operator chose that. Two different codes
// are enough to hold; to fail it must be the same one twice.
//
// A held payout follows the operator's present choice. Nothing fails where money may have gone
// out, or where another account than the asked one may have been sent to.
func unknownStatus(p Payout, f finding.Finding, now time.Time, policy Policy) Payout {
	before := p.Unknown
	p.Unknown = cmp.Or(f.StatusKey, f.Status)
	fails := policy.UnknownStatus == Fail && !p.maybePaid(f) && p.accountDoubt(policy) == ""
	if before == "" || before != p.Unknown && fails {
		return askLater(p, f, now, policy)
	}
	if fails {
		p.Reason = "an unknown status, seen twice; unknown_status is fail"
		return p.end(StateFailed, now)
	}
	if p.State == StateHeld { // a person was told
		return p.askNext(now, policy)
	}
	return p.hold("the provider answers with a status that is neither success, processing nor a known failure: "+f.Status, now)
}

// maybePaid tells that the provider spoke of money that went out, or that its answers contradict
// the payout.
func (p Payout) maybePaid(f finding.Finding) bool {
	return !p.PartialAt.IsZero() || p.Contradiction != "" || p.contradiction(StateFailed, f) != ""
}
