package model

// Bounds that the encoding fixes; how many epochs a run may use is an option.
const (
	instances  = 2
	partitions = 2
	copies     = 3 // of Redis
	mostEpochs = 7
)

// How far the payout is, as a copy of Redis has it. There is no `processing` and no `held`:
// neither is ever sent again, so what could go wrong there goes wrong in `sending` too.
const (
	absent     = iota // not known
	received          // never sent
	again             // received, after a send that may have happened: it can't be rejected any more
	sending           // may have been sent
	paid              // final by the provider's word, to be announced
	rejected          // final by our own word, to be announced
	paidMemo          // announced, and only remembered
	rejectMemo        // the same
)

// What is announced: the results topic, as a set. A second record of the same outcome
// changes nothing for whoever reads it.
const (
	saidPaid     = 1
	saidRejected = 2
)

// The portions of a replay.
const (
	resultsDone   = 1
	decisionsDone = 2
)

// Kinds of records in the decisions. `open` records are left out: nobody's right to send
// depends on them (E7 uses them for peace).
const (
	send = 1 + iota
	final
	fence
)

// Where a copy of Redis is.
const (
	gone    = iota // there is no such copy
	frozen         // what a disk or a replica has: nobody is served from it yet
	serving        // scripts run here
)

// redis is one copy. It doesn't say whether the server's run id is still the one stored. A new
// run is like no other, so an epoch or a building record of another run counts as none.
type redis struct {
	kind     uint8
	epoch    uint8 // id of the open epoch, 0 for none
	building uint8 // id of the building record, 0 for none that anybody goes on with
	state    uint8 // of the payout
	token    uint8 // whose lease: 1 + instance; 0 for one that can't be applied any more
	waits    uint8 // a bit for each lease that must be over before "no record" counts (O4)
	mark     [partitions]uint8
	markSaid uint8 // the watermark of the results: what it has passed
	number   uint8 // of the last epoch, for people
	done     uint8 // what of the replay is done for the building, where it has portions
}

// instance is a process: its keeper and its worker.
//
// An idle instance joins any epoch that a copy shows it, at any time. So what it believes
// matters only while it holds a lease. What a look finds is the last fence.
type instance struct {
	belief uint8 // id of the epoch that it has joined, 0 for none or one that isn't its lease's
	blind  uint8 // it looks from where it started, behind a foreign fence (only without lookFromFence)

	keep  uint8 // the keeper's next step while it builds
	build uint8 // id of the epoch that it builds
	noted [partitions]uint8
	said  uint8 // the results' end that it noted

	portion   uint8 // what it has replayed and not yet called done
	portionOf uint8 // for which building

	work  uint8 // the worker's next step
	lease uint8 // id of the epoch under which it leased
	void  uint8 // a foreign fence stands between the last look and its own record
	sent  uint8 // the payout was `again` before the lease
	live  uint8 // its lease for a send isn't over
}

// marker is a watermark on its way. One at a time: a wrong one is wrong by itself.
type marker struct {
	at    uint8 // 0 nowhere, 1 looked (only without markOrder), 2 looked and read the ends
	epoch uint8
	ends  [partitions]uint8
	said  uint8
}

// late is a record that was not acknowledged and is still on its way, one at a time.
type late struct {
	kind  uint8
	epoch uint8
	at    uint8 // the partition
}

// state is everything.
type state struct {
	instance [instances]instance
	redis    [copies]redis
	marker   marker
	late     late
	log      [partitions]decisions
	fence    [partitions]uint8     // epoch of the last fence; 0 for one that is foreign to everybody
	number   [mostEpochs + 1]uint8 // of each epoch, kept only where epochs are told apart by it
	paid     uint8                 // executions at the provider
	said     uint8
	epochs   uint8 // ids used
	faults   uint8 // left
}

// start is a fleet in its first epoch with a payout just received.
func start(o options) state {
	var s state
	s.redis[0] = redis{kind: serving, epoch: 1, state: received}
	s.fence = [partitions]uint8{1, 1}
	if o.off.has(byID) {
		s.number[1], s.redis[0].number = 1, 1
	}
	s.epochs, s.faults = 1, uint8(o.faults)
	return s
}

// home is the partition in which an instance decides: each has its own, unless the run
// says otherwise.
func (o options) home(i int) int {
	if o.together {
		return 0
	}
	return i
}

// decisions are the decisions in one partition, as the answers to what may still be asked of
// them. Between a watermark and a noted end, is there a valid decision to send, or a valid final
// one? Between two such places only the set of what stands there matters. A set takes two bits,
// the first one lowest. Fences stand apart, and only the last one is remembered.
type decisions uint32

const (
	toBeSent  = 1 << iota // a valid decision to send
	endedWell             // a valid final one
	width     = 2
	set       = 1<<width - 1
)

func (l decisions) len() uint8 {
	n := uint8(0)
	for ; l != 0; l >>= width {
		n++
	}
	return n
}

func (l decisions) between(from, to uint8) (all decisions) {
	for ; from < to; from++ {
		all |= l >> (width * from) & set
	}
	return all
}

// add writes a decision; normal puts it into the right set.
func (s *state) add(p int, what decisions) { s.log[p] |= what << (width * s.log[p].len()) }
