package payout

import (
	"fmt"

	"disburser/payout/finding"
)

// State is how far a payout is. There is no state "unknown": sending already means that
// nobody knows. So a crash, a timeout and a lost lease need no code of their own.
type State byte

// The states. The journal stores these letters, and its scripts compare them.
const (
	StateReceived   State = 'r' // stored, and certainly not being sent
	StateSending    State = 's' // may have been sent: its sender uses the answer, everybody else asks
	StateProcessing State = 'p' // the provider acknowledged it
	StateHeld       State = 'h' // needs a person; it is still asked about, slowly
	StatePaid       State = 'P' // final
	StatePartial    State = 'Q' // final
	StateFailed     State = 'F' // final
	StateRejected   State = 'R' // final, never sent
)

// States lists them all, in the order of a payout's life.
var States = []State{
	StateReceived, StateSending, StateProcessing, StateHeld,
	StatePaid, StatePartial, StateFailed, StateRejected,
}

var stateNames = map[State]string{
	StateReceived: "received", StateSending: "sending", StateProcessing: "processing", StateHeld: "held",
	StatePaid: "paid", StatePartial: "partial", StateFailed: "failed", StateRejected: "rejected",
}

// String is the state's name as metrics and logs carry it.
func (s State) String() string {
	if name, known := stateNames[s]; known {
		return name
	}
	return fmt.Sprintf("invalid(%q)", byte(s))
}

// Final tells that nothing but an announcement is left to do.
func (s State) Final() bool {
	return s == StatePaid || s == StatePartial || s == StateFailed || s == StateRejected
}

// Step is what is done with a payout when it comes due. The journal names its due sets by
// these letters.
type Step byte

// The steps.
const (
	StepSend     Step = 's' // received: decide and send
	StepAsk      Step = 'a' // sending, processing, held: ask the query endpoint
	StepAnnounce Step = 'n' // held or final: publish the event
	StepReview   Step = 'x' // received, but it may not be sent: expired, merchant unknown, or sent to another account before
	StepParked   Step = 'k' // received, and a person's pause keeps it from being sent: it waits in no lane
)

// String is the step's name as logs carry it.
func (s Step) String() string {
	switch s {
	case StepSend:
		return "send"
	case StepAsk:
		return "ask"
	case StepAnnounce:
		return "announce"
	case StepReview:
		return "review"
	case StepParked:
		return "parked"
	}
	return fmt.Sprintf("invalid(%q)", byte(s))
}

// Transition is a way in which a payout comes from one place to another. A place is the
// name of a state, or one of these:
//
//   - "failed by absence": failed by our own word, since the provider has no record of it;
//   - "unknown": the journal knows nothing of it;
//   - "remembered as sent", "remembered as held": a rebuild has learned that, and its
//     command is still to be read;
//   - "remembered as ended": its end is announced, and only what recognises a repeat is left;
//   - "unreadable": an older version's record that can't be read.
//
// A lease that ends changes no state: who finds a payout sending asks. Nor does a loss of
// Redis: the payout is unknown to the journal, until a rebuild learns of it from Kafka.
type Transition struct {
	From []string
	To   string

	// Origin is who makes it: "table" for the table in state.go, or a method of Payout, or a
	// script of the journal. It is "announce" for the step of that name.
	Origin string

	// On are the findings that lead to it; of the table only.
	On []finding.Kind

	// Operator is the setting without which it never happens; "" if it always may.
	Operator string

	When string // what must be so besides
	Rule string // the section of docs/protocol.md that demands it
}

// Settings of an operator that open a transition.
const (
	failUnknown    = "unknown_status: fail"
	holdContradict = "contradiction: hold"
	resendAbsent   = "no_record.then: resend"
)

// Transitions are all ways in which a payout's state changes, whoever makes them. No code acts
// by this list. Tests compare it with the table, with the methods and with every script, in both
// directions; docs/states.md is made from it.
//
// A change that the table or a method decides is written by apply.lua. That script checks by the
// state and the token that it still may be written. A new change is a row here first, also one
// that a person's action makes.
var Transitions = []Transition{
	// The table: what the provider's answers make of a payout.
	{From: []string{"sending"}, To: "processing", Origin: "table", On: []finding.Kind{finding.Accepted, finding.SettledPaid, finding.SettledPartial, finding.SettledFailed, finding.SettledOther},
		When: "the send was answered; what an answer says of the end is asked for first. A plain acceptance isn't written while the payout is in hand for its ask, with `no_record.then: hold`", Rule: "O1"},
	{From: []string{"sending"}, To: "processing", Origin: "table", On: []finding.Kind{finding.Processing},
		When: "an ask finds it", Rule: "O1"},
	{From: []string{"sending"}, To: "received", Origin: "table", On: []finding.Kind{finding.NotSent},
		When: "it is proved that no byte of the request left", Rule: "S6"},
	{From: []string{"sending"}, To: "received", Origin: "table", On: []finding.Kind{finding.Stopped},
		When: "a person's action stopped it before its first byte", Rule: "A3"},
	{From: []string{"sending", "processing", "held"}, To: "paid", Origin: "table", On: []finding.Kind{finding.Paid},
		When: "an ask finds it", Rule: "O1"},
	{From: []string{"sending", "processing", "held"}, To: "partial", Origin: "table", On: []finding.Kind{finding.Partial},
		When: "asks find it twice, no_record.every apart", Rule: "O1"},
	{From: []string{"sending", "processing", "held"}, To: "failed", Origin: "table", On: []finding.Kind{finding.Failed},
		When: "an ask finds it", Rule: "O1"},
	{From: []string{"sending", "processing", "held"}, To: "failed", Origin: "table", On: []finding.Kind{finding.UnknownStatus}, Operator: failUnknown,
		When: "asks find the same unknown status twice, and nothing speaks of money that went out", Rule: "O1"},
	{From: []string{"sending"}, To: "failed by absence", Origin: "table", On: []finding.Kind{finding.NoRecord},
		When: "its only send was refused, and enough absences count", Rule: "O4"},
	{From: []string{"processing"}, To: "failed by absence", Origin: "table", On: []finding.Kind{finding.NoRecord},
		When: "its only send was answered with a failure, and enough absences count", Rule: "O4"},
	{From: []string{"sending"}, To: "received", Origin: "table", On: []finding.Kind{finding.NoRecord}, Operator: resendAbsent,
		When: "enough absences count: it is sent again under the same tradeNo", Rule: "O4"},
	{From: []string{"sending", "processing"}, To: "held", Origin: "table", On: []finding.Kind{finding.NoRecord},
		When: "enough absences count, and nobody may conclude anything from them", Rule: "O4"},
	{From: []string{"sending", "processing"}, To: "held", Origin: "table", On: []finding.Kind{finding.UnknownStatus},
		When: "asks find an unknown status twice", Rule: "O1"},
	{From: []string{"sending", "processing"}, To: "held", Origin: "table", On: []finding.Kind{finding.Processing, finding.Partial, finding.NoRecord, finding.UnknownStatus, finding.Unclear},
		When: "it is still open poll.give_up after its first send", Rule: "O1"},
	{From: []string{"sending", "processing"}, To: "held", Origin: "table", On: []finding.Kind{finding.Paid, finding.Partial, finding.Failed}, Operator: holdContradict,
		When: "the outcome can't be true of this payout: another amount, or a time before its first send", Rule: "O1"},

	// Methods of Payout: what happens without an answer of the provider.
	{From: []string{"unknown"}, To: "received", Origin: "Begin",
		When: "its command is valid", Rule: "I3"},
	{From: []string{"unknown"}, To: "rejected", Origin: "Begin",
		When: "its command is invalid", Rule: "I3"},
	{From: []string{"unknown"}, To: "received", Origin: "AwaitMerchant",
		When: "its merchant isn't configured here: it waits for that", Rule: "I3"},
	{From: []string{"received"}, To: "rejected", Origin: "Reject",
		When: "nobody knew its merchant for unknown_merchant_grace, or its command is invalid there", Rule: "I3"},
	{From: []string{"sending"}, To: "received", Origin: "GiveBack",
		When: "it was leased to be sent and certainly was not, and nobody has asked about it", Rule: "S3"},
	{From: []string{"received"}, To: "rejected", Origin: "NotSendable",
		When: "expiresAt has come, and it was never sent", Rule: "O2"},
	{From: []string{"received"}, To: "failed by absence", Origin: "NotSendable",
		When: "expiresAt has come, and each of its sends was refused and is proved absent", Rule: "O2"},
	{From: []string{"received"}, To: "held", Origin: "NotSendable",
		When: "expiresAt has come after a send that may have happened, or a decision may still land", Rule: "O2"},
	{From: []string{"received"}, To: "held", Origin: "NotSendable",
		When: "an earlier send may have gone to another account", Rule: "O5"},
	{From: []string{"received"}, To: "rejected", Origin: "Cancel",
		When: "a person has cancelled it or its batch, and it was never sent", Rule: "A8"},
	{From: []string{"received"}, To: "held", Origin: "Cancel",
		When: "a person has cancelled it or its batch, and a send may have happened, or its decision may still land", Rule: "A8"},
	{From: []string{"held"}, To: "paid by a person", Origin: "Resolve",
		When: "a person says so; the provider says it too, and the payout is held for a contradiction. Or two people force it, and no answer contradicts them", Rule: "A7"},
	{From: []string{"held"}, To: "failed by a person", Origin: "Resolve",
		When: "a person says so, and enough absences count; or two people force it, and no answer contradicts them", Rule: "A7"},
	{From: []string{"paid", "partial", "failed", "failed by absence", "rejected", "paid by a person", "failed by a person"}, To: "remembered as ended", Origin: "announce",
		When: "Kafka has acknowledged its result", Rule: "O3"},

	// Scripts in normal running.
	{From: []string{"received"}, To: "sending", Origin: "lease.lua",
		When: "it is due to be sent, hasn't expired, and was sent to no other account", Rule: "S1"},
	{From: []string{"received"}, To: "received", Origin: "resolve.lua",
		When: "its merchant has become known: it moves to that merchant", Rule: "I3"},
	{From: []string{"received"}, To: "received", Origin: "park.lua",
		When: "a person's pause of its batch or of itself parks it, or holds no longer; or its batch is cancelled, and it is due for a review", Rule: "A4"},
	{From: []string{"received"}, To: "received", Origin: "take.lua",
		When: "a person's action leases it by its name: it waits for a review meanwhile", Rule: "A5"},
	{From: []string{"unknown"}, To: "received", Origin: "insert.lua",
		When: "a new command, or one carried forward as received", Rule: "I1"},
	{From: []string{"unknown"}, To: "rejected", Origin: "insert.lua",
		When: "a new command that is invalid", Rule: "I3"},
	{From: []string{"unknown"}, To: "sending", Origin: "insert.lua",
		When: "a command carried forward as sending", Rule: "I5"},
	{From: []string{"unknown"}, To: "held", Origin: "insert.lua",
		When: "a command that is older than the reach", Rule: "I4"},
	{From: []string{"unknown", "received", "sending", "processing"}, To: "held", Origin: "insert.lua",
		When: "a command carried forward as held", Rule: "I5"},
	{From: []string{"remembered as sent"}, To: "sending", Origin: "insert.lua",
		When: "its command is read again, or another command of its tradeNo", Rule: "E6"},
	{From: []string{"remembered as sent"}, To: "held", Origin: "insert.lua",
		When: "its command is read again, carried forward as held", Rule: "I5"},
	{From: []string{"remembered as held"}, To: "held", Origin: "insert.lua",
		When: "its command is read again, or another command of its tradeNo", Rule: "E6"},

	// A rebuild: what the log says of a payout.
	{From: []string{"unknown", "remembered as sent", "remembered as held", "received", "sending", "processing", "held",
		"paid", "partial", "failed", "failed by absence", "rejected", "paid by a person", "failed by a person"}, To: "remembered as ended", Origin: "restore.lua",
		When: "a final was announced", Rule: "E4d"},
	{From: []string{"received", "sending", "processing"}, To: "held", Origin: "restore.lua",
		When: "a hold was announced", Rule: "E4d"},
	{From: []string{"failed by absence", "rejected"}, To: "held", Origin: "restore.lua",
		When: "a hold was announced, and the log vouches for no end", Rule: "A6"},
	{From: []string{"paid by a person", "failed by a person"}, To: "held", Origin: "restore.lua",
		When: "a hold was announced or a send was decided, and the log vouches for no end", Rule: "A6"},
	{From: []string{"rejected", "paid by a person", "failed by a person"}, To: "held", Origin: "open.lua",
		When: "an action had ended it alone, and nobody has decided that", Rule: "A5"},
	{From: []string{"unknown", "remembered as sent"}, To: "remembered as held", Origin: "restore.lua",
		When: "a hold was announced", Rule: "E4d"},
	{From: []string{"unknown", "remembered as sent", "remembered as held", "received", "sending", "processing", "held", "failed by absence", "paid by a person", "failed by a person"}, To: "rejected", Origin: "restore.lua",
		When: "a rejection was decided; what the record says is older", Rule: "A6"},
	{From: []string{"unknown", "remembered as sent", "remembered as held", "received", "sending", "processing", "held", "rejected", "paid by a person", "failed by a person"}, To: "failed by absence", Origin: "restore.lua",
		When: "a failure by absence was decided", Rule: "A6"},
	{From: []string{"unknown", "remembered as sent", "remembered as held", "received", "sending", "processing", "held", "failed by absence", "rejected", "failed by a person"}, To: "paid by a person", Origin: "restore.lua",
		When: "a person's end was decided", Rule: "A6"},
	{From: []string{"unknown", "remembered as sent", "remembered as held", "received", "sending", "processing", "held", "failed by absence", "rejected", "paid by a person"}, To: "failed by a person", Origin: "restore.lua",
		When: "a person's end was decided", Rule: "A6"},
	{From: []string{"received", "failed by absence", "rejected"}, To: "sending", Origin: "restore.lua",
		When: "a send was decided, and the log vouches for no end; or nobody can read what was decided", Rule: "E4d"},
	{From: []string{"unknown"}, To: "remembered as sent", Origin: "restore.lua",
		When: "a send was decided", Rule: "E6"},

	// An upgrade from an older layout.
	{From: []string{"received", "sending", "processing", "paid", "partial", "failed", "rejected", "unreadable"}, To: "held", Origin: "convert.lua",
		When: "its record can't be read", Rule: "E10"},
}
