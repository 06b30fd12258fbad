package epochs

import (
	"errors"
	"time"

	"disburser/payout"
	"disburser/payout/acts"
)

// The refusals of a journal on which its users branch. Nothing was written.
var (
	// ErrOver: Redis is not, or not any more, the journal that the caller believes in:
	// wiped, restarted, replaced, or taken over by a later epoch.
	ErrOver = errors.New("the journal's epoch is over")

	// ErrNewerLayout: a newer version has written what stands there. To go on would lose what this
	// one doesn't know of.
	ErrNewerLayout = errors.New("written by a newer version of the disburser: update this one")
)

// Epoch is a life of the journal: from the moment it was opened on a Redis until that
// Redis can't be believed any more. The number is for people; the id, random for each
// attempt to begin one, is what is compared (protocol E1).
type Epoch struct {
	Number int    `json:"number"`
	ID     string `json:"id"`
}

// Layout is the version of what the journal stores and of what the decisions say. It is
// raised by whoever changes the meaning of either; an older version then refuses to take
// part, instead of losing what it doesn't know.
//
// 1 had no version. 2 has: a plain line for the batch id, the account of a send, a flag
// for an end by our own word. 3 has the step of parked payouts. Versions that know only an older one
// know nothing of what people forbid, so they must be kept out (protocol A12).
const Layout = 3

// Standing is what a Redis holds of epochs.
type Standing struct {
	Layout     int    // of the records
	RunID      string // of the server that answers
	Epoch      Epoch  // the open one; its ID is "" if none is open, its number then the last one's
	OpenedOn   string // the run id of the server on which it was opened
	Shards     int    // stored with the epoch
	Was        string // the id of the epoch that was open before a building began, "" if there was none
	Whole      bool   // that epoch was open on the server that answers: nothing of what it wrote is lost
	Building   string // the id of an epoch that is being built, "" if none
	BuildingOn string
	ClaimLeft  time.Duration // how long the builder's claim lasts

	// The server's clock, and within which bounds it is believed; zero where nobody has
	// stamped any. Jumped tells that an instance has seen it jump ahead since.
	Now, ClockFrom, ClockUntil time.Time
	ClockJumped                bool

	Fences map[int]int64 // where the open epoch's fence stands in each partition of the decisions

	// The watermarks: what stands before them in the topics this Redis has known before
	// Kafka did. Empty in a Redis that was wiped.
	Decisions, Results map[int]int64

	Action acts.Place // the latest action that is on record here

	// Witnesses say which topics these are, and name records that stood in them: see decisions.
	Witnesses map[string]string
}

// Open tells that the standing's epoch is open on the server that answers.
func (s Standing) Open() bool { return s.Epoch.ID != "" && s.OpenedOn == s.RunID }

// Opening is what is known when an epoch opens.
type Opening struct {
	Epoch              Epoch
	Shards             int
	Fences             map[int]int64
	Decisions, Results map[int]int64 // the new watermarks
	Witnesses          map[string]string
	Action             acts.Place
	Anew               bool      // the watermarks and witnesses that stand there are void
	Portions           int       // how many portions the replay had
	Reach              time.Time // unknown commands older than this are held; zero: as before
	Actions            int64     // the order of the actions' end: what was recorded before is never carried out in this epoch
}

// RestoredKind says what a replay learned of a payout.
type RestoredKind byte

// The kinds by rank, the highest first: see restore.lua. They may come in any order.
const (
	WasAnnounced RestoredKind = 'F' // 1: a final result stands in the results topic
	WasEnded     RestoredKind = 'D' // 2: a valid end by our own word or a person's stands in the decisions topic
	WasHeld      RestoredKind = 'H' // 3: a hold stands in the results topic
	WasDecided   RestoredKind = 'S' // 4: a decision to send stands in the decisions topic
)

// Restored is one thing that a replay learned.
type Restored struct {
	Kind        RestoredKind
	TradeNo     string
	Fingerprint payout.Fingerprint
	Merchant    string
	State       payout.State // of finals
	Reason      string
	Time        time.Time
	Seen        time.Time      // when it stood in its topic at the latest, by Kafka; zero: not known
	Lease       time.Duration  // of sends: what they were leased for; 0 if it isn't known
	Account     payout.Account // of sends: to which account; "" if it isn't known

	// Of ends by a person: who, and by which action.
	By, ConfirmedBy, Action string
}
