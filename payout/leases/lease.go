package leases

import (
	"time"

	"disburser/payout"
)

// Lease is the right to work on some payouts, under one token until one deadline.
type Lease struct {
	Token string
	Epoch string // the id of the epoch in which it was taken: only in it may anything come of it

	LeasedAt time.Time // by the journal's clock
	EndsAt   time.Time // by the journal's clock
	Asked    time.Time // by this process' clock, before the call: the lease ends no earlier than counted from here

	// Took is how long the call took, repeats of the client included. The journal read its
	// clock at some moment of it, so that this process knows the journal's time to within it.
	Took time.Duration

	// Missed is how much more time has passed since by the journal's clock than by this
	// process': see Heard.
	Missed time.Duration
}

// Heard is the lease after a later reading of the journal's clock, for which was asked at a
// moment of this process' clock. A machine that stood still with both of its clocks learns
// by it what it has missed.
func (l Lease) Heard(journal, asked time.Time) Lease {
	if asked.After(l.Asked) {
		l.Missed += max(0, journal.Sub(l.Now(asked)))
	}
	return l
}

// Now is the journal's time at the moment local of this process' clock, or later: for
// what must have ended by then.
func (l Lease) Now(local time.Time) time.Time {
	return l.LeasedAt.Add(local.Sub(l.Asked) + l.Missed)
}

// Local is the moment of this process' clock at which it is that late by the journal's, or
// earlier: Now the other way round.
func (l Lease) Local(journal time.Time) time.Time {
	return l.Asked.Add(journal.Sub(l.LeasedAt) - l.Missed)
}

// Earliest is the journal's time at that moment, or earlier: for how much time has passed.
func (l Lease) Earliest(local time.Time) time.Time {
	return l.LeasedAt.Add(local.Sub(l.Asked) - l.Took)
}

// Deadline is the end of the lease by this process' clock, on the safe side.
func (l Lease) Deadline() time.Time { return l.Local(l.EndsAt) }

// Request says what is to be leased.
type Request struct {
	Step     payout.Step
	Merchant string         // "" for the steps that wait for all merchants together (announce, expire)
	Account  payout.Account // of sends: to which account they will go
	N        int            // up to so many
	For      time.Duration
}

// Leased is what a lease handed out.
type Leased struct {
	Lease
	Payouts  []payout.Payout
	Evidence Evidence
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

// Work is how much there is to do for one step.
type Work struct {
	Due  int
	Next time.Time // by the journal's clock; zero if nothing is scheduled
}

// Agenda is all the work of a shard.
type Agenda struct {
	Now              time.Time // by the journal's clock
	Send, Ask        map[string]Work
	Announce, Expire Work
}
