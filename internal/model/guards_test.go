package model

// guard is a rule that a run can leave out.
type guard uint32

// The rules of protocol.md, in its order; the last ones are what this model adds to it.
const (
	stateCheck guard = 1 << iota
	tokenCheck
	decision
	acknowledged
	theLook
	lookFromFence
	deadline
	finalDecision
	finalLook
	waitAfter
	waitAlso
	byID
	runID
	buildRefuses
	fenceAll
	notedAfter
	fenceLast
	replay
	sendOutranks
	finalValid
	tiedReplay
	markLooks
	markOrder
	leaseEpoch
	sendValid
	unacknowledgedCounts
	allPortions
	tiedPortions
)

func (g guard) has(one guard) bool { return g&one != 0 }

// options are what may happen in a run, and which rules it goes without.
type options struct {
	off      guard
	faults   int  // of Redis: wipes, restarts and splits
	epochs   int  // ids, the first one included
	workers  int  // instances that lease; all of them build
	together bool // both instances decide in the same partition
	busy     bool // an instance may hold a lease while it builds
	resend   bool // the policy is `then: resend`, otherwise hold
	expiry   bool // expiresAt may pass
	narrow   bool // nobody dies, no reply is lost, and Redis only restarts: for traces that are long
	late     bool // what was not acknowledged may arrive later
	mark     bool // watermarks are written
	portions bool // results and decisions are replayed apart, by whichever instance, and counted as done in Redis
}

// rules says of each guard what it is, and in which runs a disaster without it is near.
var rules = []struct {
	off  guard
	name string
	rule string
	in   options
}{
	{stateCheck, "S1 state", "only a received payout is leased for a send", plain},
	{tokenCheck, "S2 token", "apply compares the token", plain},
	{decision, "S3 decision", "nothing is sent before a decision is written", plain},
	{acknowledged, "S3 acknowledged", "a decision counts as written only without any error", plain},
	{theLook, "S4 look", "no foreign fence between the last look and the own record", plain},
	{lookFromFence, "S4 from the fence", "who joins looks from its epoch's fence on, not from its own start", plain},
	{deadline, "S5 deadline", "no byte of a request leaves after the lease", plain},
	{finalDecision, "O2 decision", "an own final is a decision too", ends},
	{finalLook, "O2 look", "and is announced only after the look", ends},
	{waitAfter, "O4 wait", "after a rebuild no record counts until every older lease is over", plain},
	{waitAlso, "O4 wait, also", "and so it is for what Redis still has as sending: that may be a later lease", plain},
	{byID, "E1 id", "epochs are told apart by id, not by number", plain},
	{runID, "E2 run id", "every script compares the server's run id", plain},
	{buildRefuses, "E4a refuse", "from the building record on the old epoch's scripts refuse", plain},
	{fenceAll, "E4b everywhere", "every partition is fenced", plain},
	{notedAfter, "E4c ends after", "ends are noted after the fences stand", plain},
	{fenceLast, "E4c own last", "the own fence is the last one in every partition", plain},
	{replay, "E4d replay", "what the log says is in Redis before it opens", plain},
	{sendOutranks, "E4d rank", "an own final that was never decided ranks below a decision to send", ends},
	{finalValid, "E4d valid final", "a final decision behind a foreign fence counts for nothing", ends},
	{tiedReplay, "E4e tied", "replay and opening require the own building record", plain},
	{markLooks, "E5 look", "no watermark passes a foreign fence", marks},
	{markOrder, "E5 order", "for a watermark, first the ends are read, then comes the look", marks},
	{leaseEpoch, "+ lease's epoch", "what was leased in one epoch is not decided or written in the next", plain},
	{sendValid, "+ valid send", "a decision to send behind a foreign fence counts for nothing", narrow},
	{unacknowledgedCounts, "+ unacknowledged", "after an unacknowledged decision a payout can't be rejected any more", alone},
	{allPortions, "+ all portions", "an epoch opens only when every portion of its replay is done", helped},
	{tiedPortions, "+ tied portions", "a portion is called done only in the building that it was replayed for", helped},
}

// Kinds of runs, each as small as what it is about allows.
var (
	plain  = options{workers: 2, resend: true}
	ends   = options{workers: 2, resend: true, expiry: true}
	marks  = options{workers: 2, mark: true}
	lates  = options{workers: 2, resend: true, late: true}
	alone  = options{workers: 1, resend: true, expiry: true, late: true, mark: true}
	narrow = options{workers: 1, resend: true, expiry: true, late: true, mark: true, narrow: true, faults: 2}
	shared = options{workers: 2, resend: true, together: true}
	busy   = options{workers: 2, resend: true, busy: true}
	helped = options{workers: 2, resend: true, portions: true}
	whole  = options{workers: 2, resend: true, expiry: true, late: true, mark: true}
)
