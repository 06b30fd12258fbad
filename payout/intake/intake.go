package intake

import (
	"errors"

	"disburser/payout"
)

// The journal's refusals on which its users branch. Nothing was written.
var (
	// ErrPosition: an insert began past the read position; the caller must ask for the
	// position and read on from there.
	ErrPosition = errors.New("the range begins past the journal's read position")

	// ErrActions: a batch is cancelled by an action that the caller hadn't read. It reads the range again.
	ErrActions = errors.New("a batch is cancelled by an action that isn't read here yet")

	// ErrFull: Redis has no memory left for new payouts. Open ones go on.
	ErrFull = errors.New("redis is at maxmemory")
)

// Entry is one payout to be made known. Carried says how far the payout was when its command was
// published again (protocol I5): StateReceived, StateSending or StateHeld. It is 0 where the
// command is the payroll's own.
type Entry struct {
	Payout  payout.Payout
	Carried payout.State
	Others  []payout.Fingerprint // other fingerprints under which the same content may be known
}

// Range is what was read of one partition of the commands: the offsets [From, To).
type Range struct {
	Partition int
	From, To  int64
	Follows   int64  // up to where in the actions it was known which batches are cancelled
	Anchor    string // of the records before To, by which the topic is recognised; "" if not known
}

// Outcome says what became of an entry.
type Outcome byte

// The outcomes.
const (
	Added      Outcome = 'n' // new: now open
	Rejected   Outcome = 'r' // new: now open, to be announced as rejected
	TooOld     Outcome = 'o' // unknown and older than the reach: now open and held
	Known      Outcome = 'd' // a duplicate: known with the same content
	Conflicted Outcome = 'c' // known with other content
)

// Mark is how far one partition is.
type Mark struct {
	Position int64 // the next offset to read; -1 if none is set yet
	Safe     int64 // the smallest offset with an open payout, or Position: what may be committed
}
