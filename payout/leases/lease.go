package leases

import (
	"time"

	"disburser/payout"
)

// Lease is the right to work on some payouts, under one token until one deadline.
type Lease struct {
	Token string
	Epoch string // the id of the epoch in which the lease was taken: writes under the lease count only in it

	LeasedAt time.Time // by the journal's clock
	EndsAt   time.Time // by the journal's clock
	Asked    time.Time // by this process' clock, before the call: counted from here, the lease ends no later than it really does

	// Took is how long the call took, repeats of the client included. The journal read its
	// clock at some moment of the call. So this process knows the journal's time to within it.
	Took time.Duration

	// Missed is how much more time has passed since the call by the journal's clock than by
	// this process' clock: see WithReading.
	Missed time.Duration
}

// WithReading is the lease after a later reading of the journal's clock, which was requested
// at the moment asked of this process' clock. If the machine stood still, both of its clocks
// may have stood still too: the reading tells how much time it has missed.
func (l Lease) WithReading(journal, asked time.Time) Lease {
	if asked.After(l.Asked) {
		l.Missed += max(0, journal.Sub(l.LatestJournalTime(asked)))
	}
	return l
}

// LatestJournalTime is an upper bound of the journal's time at a moment of this process'
// clock: the real one is no later. Use it to ask whether something is over. It takes the
// journal to have read its clock right at the start of the call.
func (l Lease) LatestJournalTime(local time.Time) time.Time {
	return l.LeasedAt.Add(local.Sub(l.Asked) + l.Missed)
}

// EarliestJournalTime is a lower bound of the journal's time at a moment of this process'
// clock: the real one is no earlier. Use it to ask whether enough time has passed. It takes
// the journal to have read its clock right at the end of the call.
func (l Lease) EarliestJournalTime(local time.Time) time.Time {
	return l.LeasedAt.Add(local.Sub(l.Asked) - l.Took)
}

// EarliestLocalTime is a lower bound of this process' time at a moment of the journal's
// clock, the inverse of LatestJournalTime. Use it for what must have ended by that moment.
func (l Lease) EarliestLocalTime(journal time.Time) time.Time {
	return l.Asked.Add(journal.Sub(l.LeasedAt) - l.Missed)
}

// Deadline is the end of the lease by this process' clock. The real end is no earlier.
func (l Lease) Deadline() time.Time { return l.EarliestLocalTime(l.EndsAt) }

// Request says what is to be leased.
type Request struct {
	Step     payout.Step
	Merchant string         // "" for the steps that wait for all merchants together (announce, review)
	Account  payout.Account // of sends: to which account they will go
	N        int            // up to so many
	For      time.Duration
	Only     []string // of sends: nobody else's tradeNo; nil: those that are due first

	// LeaveBatches and LeavePayouts are what people stop, of sends: it is left where it waits.
	LeaveBatches, LeavePayouts []string
}

// Leased is what a lease handed out.
type Leased struct {
	Lease
	Payouts  []payout.Payout
	Evidence Evidence

	// LeftBehind is how many due payouts were met and left, because people stop them.
	LeftBehind int
}

// Evidence is what the journal remembers of a merchant for the question whether "no
// such order" is about one payout or about the whole merchant.
type Evidence struct {
	ServedAt time.Time // when an ask was last answered with outer 0000
	About    string    // the tradeNo of that ask
	Settled  string    // the tradeNo that settled last: somebody to ask about
}

// Change is what a lease's owner wants written.
type Change struct {
	Token  string        // of the lease
	Epoch  string        // of the lease
	Before payout.State  // the state in which it was leased
	After  payout.Payout // what it is now
	Forget bool          // announced and final: keep only what deduplication needs

	// EndsAt is set where the lease goes on, to its end: its owner does the next step at once,
	// and somebody else after it.
	EndsAt time.Time
}

// Served is a new piece of evidence.
type Served struct {
	Merchant string
	Account  payout.Account
	At       time.Time // by the journal's clock
	About    string
	Settled  bool
}

// Lane is all payouts of one merchant that wait for one step, or of all merchants.
type Lane struct {
	Step     payout.Step
	Merchant string // "" for the steps that wait for all merchants together (announce, review)
}

// Agenda is what is due in a shard.
type Agenda struct {
	Now  time.Time    // by the journal's clock
	Next time.Time    // no later than the next payout comes due in a lane that isn't due; zero if none does
	Due  map[Lane]int // how many payouts are due, of each lane where one is
}
