package polling

import (
	"time"

	"disburser/payout"
)

const (
	// enough settlements to plan by; before, the plain schedule is kept.
	enough = 30

	// A plan is made anew when a quarter more was seen: what is known only then becomes
	// notably better, and the first plans, made of little, soon give way to better ones.
	// But at least so many times in what is remembered, to follow a provider that changes.
	again = 4
)

// Learner learns from how long payouts of a merchant took when to ask about the next
// ones. It isn't safe for concurrent use; its plans are.
type Learner struct {
	settling settling
	plan     *Intervals
	at       int         // how many settlements the plan knows of
	by       payout.Poll // the bounds that it was made for
}

// Saw counts an answer about a payout that was unsettled at the age of after: whether it
// was settled at the age of before.
func (l *Learner) Saw(after, before time.Duration, settled bool) {
	l.settling.add(after, before, settled)
}

// Plan is the present plan within an operator's bounds; nil while there is none.
func (l *Learner) Plan(poll payout.Poll) *Intervals {
	if !poll.Learn || l.settling.count < enough {
		return nil
	}
	if l.at == 0 || l.settling.count >= l.at+min(l.at, remembers)/again || l.by != poll {
		l.plan = newIntervals(poll, l.settling.estimate())
		l.at, l.by = l.settling.count, poll
	}
	return l.plan
}
