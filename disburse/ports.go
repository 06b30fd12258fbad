package disburse

import (
	"context"
	"time"

	"disburser/message"
	"disburser/payout"
	"disburser/payout/acts"
	"disburser/payout/finding"
	"disburser/payout/leases"
)

// Journal is what the loop needs of the journal.
type Journal interface {
	Looker
	Leaser
	Parker
}

// Looker tells what is due.
type Looker interface {
	// DueBut answers what is due, leaving out lanes of which the caller knows enough. Each one that
	// is counted costs Redis a command.
	DueBut(ctx context.Context, merchants []string, leftOut []leases.Lane) (leases.Agenda, error)

	// MayBeDue answers the lanes that may have something due, by a cheap question whose answer
	// isn't believed. It only says whether to call DueBut.
	MayBeDue(ctx context.Context) ([]leases.Lane, error)
}

// Leaser hands out what is due, and takes what became of it.
type Leaser interface {
	Lease(ctx context.Context, r leases.Request) (leases.Leased, error)
	Apply(ctx context.Context, changes []leases.Change, served []leases.Served) ([]bool, error)

	// Resolve moves payouts whose merchant has become known to that merchant's lane.
	Resolve(ctx context.Context, lease leases.Lease, payouts []payout.Payout) (moved []bool, err error)
}

// Parker keeps what a batch's pause or a payout's own stops apart from what is due (protocol A4). It leases nothing.
type Parker interface {
	ParkedSets

	// Peek answers what is due to be sent, but for the first ones.
	Peek(ctx context.Context, merchant string, without, n int) ([]leases.Waiting, error)

	// Move takes payouts to another step, those of them that nobody has leased.
	Move(ctx context.Context, m leases.Move, tradeNos []string) (leases.Moved, error)
}

// ParkedSets answers of which batches payouts are parked; ParkedOf some of one, but for the first ones.
type ParkedSets interface {
	Parked(ctx context.Context) ([]leases.Parked, error)
	ParkedOf(ctx context.Context, b leases.Batch, without, n int) ([]string, error)
}

// Actions says what people forbid; see package actions. It is asked before a lease, before a decision, and last
// before the first byte. Without a batch and a tradeNo it answers for a whole merchant.
type Actions interface {
	Stops(merchant, batchID, tradeNo string) acts.Stop

	// Narrow answers the batches and payouts that are stopped, and up to where the actions were read.
	Narrow() (stopped acts.Narrow, follows int64)
}

// Provider is what the loop needs of a merchant's account at Paypro. After latest not
// one byte of the request may be written, nor while stopped says why a send may not leave.
type Provider interface {
	Send(ctx context.Context, c payout.Command, latest time.Time, stopped func() string) finding.Finding
	Ask(ctx context.Context, c payout.Command, latest time.Time) finding.Finding
}

// Limiter is the fleet's rate of one merchant and operation; see package ratelimit.
type Limiter interface {
	Tickets
	Refusals

	// LastReading is the latest reading of Redis' clock, and when it was asked for by this
	// process'; both zero before the first.
	LastReading() (redis, asked time.Time)
}

// Ticket is the limiter's answer: one call may be made ready. Only the limiter knows
// whether it stands for a granted moment, or for a moment to ask for.
type Ticket interface {
	// Wait returns when the call may be made; after an error it must not be made.
	Wait(ctx context.Context) error

	// Return says that the call will not be made, so that another one may be made ready. After
	// Wait it does nothing.
	Return()
}

// Tickets hands out tickets for calls, and is told what the provider says about being called
// too often.
type Tickets interface {
	// Take answers up to n tickets; if none is free, how long to wait before asking again.
	Take(ctx context.Context, n int) (tickets []Ticket, wait time.Duration, err error)

	// TakeNow is Take for calls that leave right away: no lease and no decision comes between.
	TakeNow(ctx context.Context, n int) (tickets []Ticket, wait time.Duration, err error)
	Told(ctx context.Context, began time.Time, tooFast bool, pause time.Duration) error
}

// Refusals rests the fleet's sends while the provider refuses one after the other. While
// they rest, Take has a ticket for one probe of the whole fleet, and no more.
type Refusals interface {
	// Refused and Accepted pass on what became of a send that began then; first is the first rest.
	Refused(ctx context.Context, began time.Time, first time.Duration) error
	Accepted(ctx context.Context, began time.Time) error

	// Refusing tells whether the sends rest.
	Refusing() bool
}

// Decisions is the log that stands before the deed; see package decisions. It decides
// only for the epoch that the payouts were leased in.
type Decisions interface {
	Send(ctx context.Context, epoch string, payouts []payout.Payout) error
	Final(ctx context.Context, epoch string, payouts []payout.Payout) error
}

// Announcer publishes result events and says which ones are acknowledged.
type Announcer interface {
	Results(ctx context.Context, events []message.Event) (acknowledged []bool, err error)
}
