package model

// The model of what ends a payout by a person's word: A5 to A9. It has one payout, two instances, up to two
// copies of Redis, one partition of the decisions, and up to two actions of one payout.
//
// What the first model shows needs no steps of its own here: fencing, noting, replaying and opening are two
// steps. An instance does one thing at a time. It obeys an action at any time after it was recorded, or never:
// so what it has read needs no place.

const (
	mostActs = 2
	halves   = 2 // copies of Redis
)

// What an action is.
const (
	noAction = iota
	cancelled
	endedFailed
	endedPaid
)

// What is said of an action.
const (
	nothing = iota
	done
	refused
	expired
	uncertain // expired, with certain: false
)

// How far the payout is, as a copy of Redis has it.
const (
	unknown = iota
	fresh   // received, never sent
	doubted // received, after a send that may have happened
	leased  // sending
	held
	byProvider // paid, by its word
	byPerson   // ended by an action, see by
	paidKept   // announced, and remembered
	endKept
)

// office is everything in this model.
type office struct {
	half  [halves]half
	hand  [instances]hand
	word  [mostActs]word
	fence uint8 // epoch of the last fence
	lives uint8 // epochs so far
	left  uint8 // faults

	sent     uint8 // executions at the provider
	hidden   bool  // the provider doesn't show the order yet
	decided  bool  // a valid decision to send stands in the log
	saidPaid bool  // results
	saidEnd  bool
	saidHeld bool
	written  uint8 // what a step has just added to results and decisions
	bad      uint8
}

// half is a copy of Redis.
type half struct {
	kind     uint8
	epoch    uint8 // open on this run of the server, 0 for none
	building uint8
	state    uint8
	by       uint8 // 1 + the action that ended it
	vouched  bool  // that end is decided and looked
	token    uint8 // 1 + who leased it
	waits    uint8 // a bit for each lease under which it may still be sent (SendBy)
	proven   bool  // enough absences were counted
	ended    bool  // a person's end was written here
	act      [mostActs]entry
	news     uint8 // what the log says behind its watermark (only where watermarks are written)
}

// What results and decisions say: bits.
const (
	logSend = 1 << iota
	logHold
	logPaid
	logEnd
	logFirst // a valid end by the first action
	logSecond
)

// entry is act:<id> in Redis.
type entry struct {
	before bool  // recorded before the epoch noted the end of the actions
	seen   bool  // the deadline counts
	over   bool  // it has passed
	claim  uint8 // 1 + who
	made   bool  // the effect was made here
	mark   uint8
	public bool // the outcome is published
}

// word is an action in Kafka.
type word struct {
	asked   bool
	agreed  bool // another person has confirmed
	late    bool // its duration and a minute have passed, and then its duration again: the person has given up
	took    bool // a valid decision bears its id
	void    bool // a decision behind a foreign fence does (only without validEnd)
	outcome uint8
}

// hand is what an instance does.
type hand struct {
	work  uint8
	lease uint8 // the epoch
	act   uint8
	live  bool // the lease for a send isn't over
	void  bool // the own decision stands behind a foreign fence
	mark  uint8
}

// What an instance does next.
const (
	ready = iota
	mustDecide
	mustLook
	mustSend
	mustGiveBack
	mustAct
	mustAsk
	mustEnd // it heard "no record"
	mustDecideEnd
	mustLookEnd
	mustVouch
	mustForget
	mustPublish
	mustFence // (only without notedBehind)
	mustOpen
)

// What goes wrong in a step.
const (
	sentAfter = 1 + iota
	tooLateFor
	alone1
	against
	revived
)

// The rules that a run can leave out.
const (
	actionsNoted rule = 1 << iota
	notedBehind
	oneClaim
	checkedDeadline
	madeStays
	doneVouched
	looksFirst
	tooOld
	decidedEnd
	fromMemory
	aboveHold
	ownBecomesHeld
	validEnd
	sendByFirst
	enoughAsks
	askedOnce
	underLease
	neverSent
	raised
	twoAgree
	deadlineLast
	ownEpoch
	markWaits
)

// endRun is what people and the world may do in a run, and which rules it goes without.
type endRun struct {
	off    rule
	acts   [mostActs]uint8
	two    bool  // the action needs two people
	force  bool  // too little evidence is enough
	repeat bool  // then: resend, otherwise hold
	slow   bool  // the provider shows an order some time after it was sent
	start  uint8 // the payout's state at the beginning; what isn't received was decided, and sent or not
	splits bool  // Redis may split, otherwise it is wiped or set back
	faults int
	lives  uint8 // epochs
	late   bool  // people may give up on an action
	marks  bool  // watermarks are written
	calm   bool  // nobody dies, nothing is lost but Redis, and no deadline passes: for traces that are long
	swaps  bool  // which instance is which means nothing
}

var endRuns = []struct {
	name string
	endRun
}{
	{"cancel", cancels},
	{"cancel, and a split", splitCancels},
	{"end as failed", fails},
	{"end as failed, and a split", splitFails},
	{"end as failed by force", forces},
	{"end as paid", pays},
	{"cancel, then end as failed", both},
	{"cancel, with watermarks", markedCancels},
	{"end as failed, with watermarks", markedFails},
}

var (
	cancels       = endRun{start: fresh, acts: [mostActs]uint8{cancelled}, faults: 1, lives: 3, late: true}
	splitCancels  = endRun{start: fresh, acts: [mostActs]uint8{cancelled}, splits: true, lives: 3, faults: 1}
	fails         = endRun{start: leased, acts: [mostActs]uint8{endedFailed}, repeat: true, slow: true, faults: 1, lives: 3, late: true}
	splitFails    = endRun{acts: [mostActs]uint8{endedFailed}, repeat: true, start: leased, splits: true, lives: 3, faults: 1}
	quietFails    = endRun{start: leased, acts: [mostActs]uint8{endedFailed}, repeat: true, splits: true, lives: 3, faults: 1, calm: true}
	forces        = endRun{start: fresh, acts: [mostActs]uint8{endedFailed}, two: true, force: true, slow: true, faults: 1, lives: 3, late: true}
	pays          = endRun{acts: [mostActs]uint8{endedPaid}, start: held, slow: true, faults: 1, lives: 3, late: true}
	markedCancels = endRun{start: fresh, acts: [mostActs]uint8{cancelled}, marks: true, faults: 1, lives: 3}
	markedFails   = endRun{start: leased, acts: [mostActs]uint8{endedFailed}, repeat: true, marks: true, faults: 1, lives: 3}
	both          = endRun{start: fresh, acts: [mostActs]uint8{cancelled, endedFailed}, lives: 1, late: true}
)

var endRules = []struct {
	off  rule
	name string
	rule string
	in   endRun
}{
	{actionsNoted, "A5 noted", "what was recorded before the epoch noted the actions' end isn't carried out in it", cancels},
	{notedBehind, "A5 noted behind the fence", "that end is noted after the fence stands", splitCancels},
	{oneClaim, "A5 claim", "only who has the claim makes the effect", cancels},
	{checkedDeadline, "A5 deadline", "the script that makes the effect checks the deadline", cancels},
	{deadlineLast, "A5 and nothing after it", "after the effect nothing looks at the deadline", cancels},
	{madeStays, "A5 made", "what has made its effect is never marked expired", cancels},
	{doneVouched, "A5 done", "done is marked only when the decision is acknowledged and looked", cancels},
	{looksFirst, "A5 look", "nothing is published behind a foreign fence", splitCancels},
	{tooOld, "A5 too old", "what is much older than its duration isn't carried out", cancels},
	{decidedEnd, "A6 decision", "a person's end is decided and looked before it is announced", quietFails},
	{fromMemory, "A6 from memory", "a replay makes the end also of what Redis doesn't know", cancels},
	{aboveHold, "A6 above a hold", "a person's valid end ranks above a hold", fails},
	{ownBecomesHeld, "A6 own", "a person's end that isn't decided becomes held in a replay", fails},
	{ownEpoch, "A6 own epoch", "an end that isn't decided in the epoch that wrote it becomes held", splitCancels},
	{markWaits, "A6 watermark", "no watermark is written while an end isn't noted as decided", markedCancels},
	{validEnd, "A6 valid", "an end behind a foreign fence counts for nothing", quietFails},
	{sendByFirst, "A7 SendBy", "nothing is ended while bytes may be on their way", forces},
	{enoughAsks, "A7 counted", "without force enough absences were counted", fails},
	{askedOnce, "A7 asked", "the provider is asked once more", pays},
	{underLease, "A7 lease", "the end is written under the payout's own lease", forces},
	{neverSent, "A8 never sent", "only what is received and was never sent is rejected", cancels},
	{raised, "A8 raised", "a decision to send that is replayed raises SendBy, and no absence counts from before", quietFails},
	{twoAgree, "A9 two people", "nothing is done before another person has confirmed", forces},
}
