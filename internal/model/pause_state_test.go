package model

// The model of what stops a send: A0 to A3, A9, A11, A12.
//
// Payouts, leases and Redis are left out. Any instance may begin a send at any time. That is more than what any
// wipe, split or set-back of Redis allows. Of Redis there is only what A1 keeps in the epoch's key.
//
// Time is only what staleness measures. A record's time comes when staleness has passed since its
// acknowledgement. What was looked at before that is older than staleness then.

// What people write. Each of it is written once, but for the copy.
const (
	firstPause = 1 + iota
	resumeAll  // lifts the pauses that stand before it
	secondPause
	cancelBatch
	confirmed     // another person's word for the resume
	selfConfirmed // its author's
	forgedPause   // unsigned, with the id of the batch's cancel
	forgedResume  // unsigned
	resumeCopy    // the producer's late retry of the resume
)

// What stands: bits.
const (
	byFirst = 1 << iota
	bySecond
	byCancel
	byForged
)

const mostActions = 6

// room is everything in this model.
type room struct {
	topic  [mostActions]uint8
	length uint8
	served uint8 // how far fetches are served: less than length where a new leader doesn't know the rest yet
	passed uint8 // how many records are acknowledged for longer than staleness
	anew   bool  // the topic was made anew
	back   uint8 // the operator's way out: 1 the old pauses are written again, 2 superseded

	wrote  uint16 // bits of what was written
	stands uint8  // what a person's word stops, whoever knows of it
	before uint8  // what stood when the resume was written
	due    uint8  // what is acknowledged for longer than staleness

	inKey, inLog uint8 // how much of the topic the epoch's key and the decisions know
	faults       uint8
	reader       [instances]reader
	bad          uint8
}

// reader is an instance.
type reader struct {
	read   uint8 // records
	end    uint8 // the topic's end, as the latest look has it
	looked uint8 // the topic's length when that was asked for
	fresh  bool  // there was a look
	lost   bool  // the topic is another than the one it has read
	asking uint8 // 1 an answer is on its way
	told   uint8 // that answer
	asked  uint8 // the topic's length when it was asked for
	agrees bool  // the recorded action was in the topic when it was asked for
	begun  bool  // there was a look since the start (only without comparedEachLook)
	leased bool  // it is about to send
	asleep bool  // the machine is stopped, with its monotonic clock (only without bothClocks)
	time   uint8 // what it has noticed of passed (the same)
}

// The rules that a run can leave out.
const (
	oneAnswer rule = 1 << iota
	allReplicas
	firstCopy
	signedPlace
	signedOnly
	recordedFirst
	recordedInLog
	comparedEachLook
	comparedBefore
	rewrittenFirst
	youngView
	sinceAsked
	emptyFetch
	bothClocks
	checkedLast
	otherPerson
	ownPlace
	noOlder
)

// pauseRun is what people and the world may do in a run, and which rules it goes without.
type pauseRun struct {
	off    rule
	writes []uint8
	two    bool // the resume needs two people
	faults int
	leader bool // the leader of the topic's partition may die
	anew   bool // the topic may be made anew
	both   bool // there are two instances; else one, since they don't change what the other does
}

var pauseRuns = []struct {
	name string
	pauseRun
}{
	{"pauses and a resume", twice},
	{"and a new leader", leaders},
	{"a topic made anew", anew},
	{"two people", two},
	{"a batch's cancel, and a forged pause", forged},
	{"a forged resume", rogue},
}

var (
	twice   = pauseRun{writes: []uint8{firstPause, resumeAll, secondPause, resumeCopy}}
	leaders = pauseRun{writes: []uint8{firstPause, resumeAll}, leader: true, faults: 2}
	anew    = pauseRun{writes: []uint8{firstPause}, anew: true, both: true, faults: 2}
	two     = pauseRun{writes: []uint8{firstPause, resumeAll, secondPause, confirmed, selfConfirmed}, two: true}
	forged  = pauseRun{writes: []uint8{resumeAll, cancelBatch, forgedPause}}
	rogue   = pauseRun{writes: []uint8{firstPause, cancelBatch, forgedResume}}
)

var pauseRules = []struct {
	off  rule
	name string
	rule string
	in   pauseRun
}{
	{oneAnswer, "A0 one answer", "the last check asks for all that the others ask for", forged},
	{allReplicas, "A1 all replicas", "who writes waits for all in-sync replicas", leaders},
	{firstCopy, "A1 first record", "of the records of an id only the first counts", twice},
	{recordedFirst, "A1 recorded first", "a reader counts as fresh only after it recorded the latest action", anew},
	{recordedInLog, "A1 also in Kafka", "the latest action is recorded in the decisions too", anew},
	{comparedBefore, "A1 before the look", "what is recorded is read before the end is asked for", anew},
	{comparedEachLook, "A1 at each look", "the recorded action is looked for at each look, not only at the start", anew},
	{rewrittenFirst, "A1 way out", "a topic made anew holds the pauses in force before it supersedes what is recorded", anew},
	{youngView, "A2 fresh", "the end was asked for no longer than staleness ago", twice},
	{sinceAsked, "A2 since asked", "the age counts from the question, not from the answer", twice},
	{emptyFetch, "A2 no empty fetch", "a fetch that brings nothing proves nothing", leaders},
	{bothClocks, "A2 both clocks", "the age goes by the monotonic and by the wall clock", twice},
	{checkedLast, "A3 last check", "A0 is asked before the first byte leaves", twice},
	{otherPerson, "A9 other person", "nobody confirms their own action", two},
	{ownPlace, "A9 own place", "a resume lifts what stands before itself, not before its confirmation", two},
	{signedPlace, "A11 place", "an unsigned record never takes the place of a signed one", forged},
	{signedOnly, "A11 signed", "unsigned, only a pause is obeyed", rogue},
	{noOlder, "A12 no older", "an instance that knows nothing of actions takes no part", twice},
}
