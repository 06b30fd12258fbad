package payout

import (
	"cmp"
	"time"

	"disburser/payout/finding"
)

// unknownStatus acts at the second sight of a code that says nothing we know. To fail
// it must be the same code twice; to hold any two will do. What is held already obeys the
// operator's present choice too. What an account says of a payout that may have been sent
// to another one makes no failure either.
func unknownStatus(p Payout, f finding.Finding, now time.Time, policy Policy) Payout {
	before := p.Unknown
	p.Unknown = cmp.Or(f.StatusKey, f.Status)
	fails := policy.UnknownStatus == Fail && !p.maybePaid(f) && p.otherAccount(policy) == ""
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

// maybePaid tells that the provider has spoken of money that went out, or that its answers
// contradict the payout. No unknown status makes a failure of that.
func (p Payout) maybePaid(f finding.Finding) bool {
	return !p.PartialAt.IsZero() || p.Contradiction != "" || p.contradiction(StateFailed, f) != ""
}
