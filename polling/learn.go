package polling

import (
	"time"

	"disburser/payout"
)

const (
	// minSettlements must be seen before there are intervals: fewer tell too little. Before, the
	// plain schedule goes on.
	minSettlements = 30

	// The intervals are made anew when a quarter more was seen: that makes them notably better, and
	// the first ones are made of little. But it is done renewals times at least for as many
	// settlements as are remembered, to follow a provider that changes.
	renewals = 4
)

// Learner learns from how long payouts of a merchant took when to ask about the next ones. It
// isn't safe for concurrent use; the intervals that it makes are.
type Learner struct {
	times     settleTimes
	intervals *Intervals
	madeAt    int         // how many settlements the intervals were made of
	madeFor   payout.Poll // the bounds that they were made for
}

// Saw counts an answer about a payout that was still unsettled at the age unsettledAt: whether it
// was settled at the age answeredAt.
func (l *Learner) Saw(unsettledAt, answeredAt time.Duration, settled bool) {
	l.times.add(unsettledAt, answeredAt, settled)
}

// Intervals are the present ones within an operator's bounds; nil while there are none.
func (l *Learner) Intervals(poll payout.Poll) *Intervals {
	if !poll.Learn || l.times.count < minSettlements {
		return nil
	}
	if l.madeAt == 0 || l.times.count >= l.madeAt+min(l.madeAt, remembered)/renewals || l.madeFor != poll {
		l.intervals = newIntervals(poll, l.times.estimate())
		l.madeAt, l.madeFor = l.times.count, poll
	}
	return l.intervals
}
