package leases

import (
	"time"

	"disburser/payout"
)

// Act is an action that is carried out once, as the journal knows it (protocol A5).
type Act struct {
	ID       string
	Order    int64         // of its record among all actions
	Recorded time.Time     // by Kafka
	Lasts    time.Duration // for how long it may be carried out, from when it is seen first; 0: for ever
	Complete bool          // everybody whose word it needs has spoken: it may be claimed
}

// Claim is the right of one instance to carry an action out. It never keeps a payout: that needs a lease too.
type Claim struct {
	Action string // its id
	Token  string
	Epoch  string
}

// Acted is how far an action is.
type Acted struct {
	Claim
	Mine    bool          // the claim is the caller's
	Made    bool          // its point of no return is passed: it was done, or is being done
	Note    string        // what the last one that had it has noted
	Touched int           // of a batch's cancel: so many payouts ended by it in this epoch, or are about to
	Old     bool          // it was recorded before this epoch began
	Left    time.Duration // until it is too late to begin, 0 if it is, or if there is no end

	Mark     Mark // what became of it, "" while that is open
	Said     string
	MarkedAt time.Time
	Told     bool // an instance has published it
}

// Mark says what became of an action.
type Mark string

// The marks.
const (
	MarkDone    Mark = "done"
	MarkRefused Mark = "refused"
	MarkExpired Mark = "expired"
)

// SaidLost is what is said of an action that expired with the journal: it may have happened.
const SaidLost = "lost"

// ByName is a lease of some payouts of one merchant, wherever they wait.
type ByName struct {
	TradeNos []string
	States   []payout.State // those in which they may be leased
	For      time.Duration
}

// Named says what a lease by name found.
type Named byte

// What may be found.
const (
	NamedLeased  Named = 'y'
	NamedBusy    Named = 'b' // somebody has it: it is free again after a lease at most
	NamedOther   Named = 'o' // it is in another state, or waits to be announced
	NamedEnded   Named = 'e' // its end is announced: only the state is known
	NamedUnknown Named = 'n'
)

// NamedPayout is a payout that was asked for by its name.
type NamedPayout struct {
	Found  Named
	Payout payout.Payout // of NamedEnded the tradeNo and the state alone
}

// LeasedByName is the answer, in the order of the question.
type LeasedByName struct {
	Lease
	Payouts  []NamedPayout
	Evidence Evidence       // of the first one's merchant
	Served   payout.Account // which the evidence is about
}

// EvidenceOf is the evidence about an account: what another one was answered says nothing about it.
func (l LeasedByName) EvidenceOf(account payout.Account) Evidence {
	e := l.Evidence
	if l.Served != account {
		e.ServedAt, e.About = time.Time{}, ""
	}
	return e
}

// OpenPage is a page of open payouts.
type OpenPage struct {
	Payouts []payout.Payout
	Next    string // the cursor of the next page, "" at the end
}

// Carried says what became of an action's effect on a payout.
type Carried byte

// What may have become of it.
const (
	CarriedOut  Carried = 'a'
	CarriedLost Carried = 'l' // the payout is somebody else's, or was never so
	CarriedLate Carried = 't' // the action is somebody else's, or it is too late for it
)
