package leases

import "disburser/payout"

// Waiting is a payout that waits to be sent, and whether anybody has leased it since isn't known.
type Waiting struct{ TradeNo, BatchID string }

// Batch is a merchant's part of a batch, "" for payouts without one.
type Batch struct{ Merchant, BatchID string }

// Parked says how many payouts of a batch are parked.
type Parked struct {
	Batch
	N int
}

// Move takes received payouts that nobody has leased to another step (protocol A4).
type Move struct {
	// To is StepParked for what people have stopped, StepSend for what they stop no longer, or
	// StepReview for what they have cancelled.
	To payout.Step

	From    *Batch // whose parked payouts they were; nil: they were due to be sent
	Follows int64  // up to where in the actions its maker has read; it grows with each action
	MaxOpen int    // of StepSend: none is moved while so many payouts are open that aren't parked
}

// Moved is what became of a Move.
type Moved struct {
	N        int   // so many were moved; the others are leased, gone, or there already
	Full     bool  // some were left because MaxOpen are open
	Followed int64 // up to where in the actions somebody has read before; if that is more, nothing was moved
}
