package model

import "math/bits"

// Bounds of the model that its encoding fixes. How many epochs and decisions a run may
// use is an option, within these.
const (
	instances  = 2
	partitions = 2
	copies     = 3 // of Redis
	longest    = 8 // records in a partition of the decisions
	mostEpochs = 4
)

// How far the payout is, as a copy of Redis has it.
const (
	absent     = iota // not known
	received          // certainly never sent
	again             // received, after a send that may have happened: it can't be rejected any more
	sending           // may have been sent
	paid              // final by the provider's word, to be announced
	rejected          // final by our own word, to be announced
	paidMemo          // announced and forgotten but for the memory
	rejectMemo        // the same
)

// What is announced: the results topic, as a set. A second record of the same outcome
// changes nothing for whoever reads it.
const (
	saidPaid     = 1
	saidRejected = 2
)

// Kinds of records in the decisions. `open` records are left out: nobody's right to send
// depends on them (E7 uses them for peace).
const (
	fence = iota
	send
	final
)

// record is one of the decisions: kind and epoch in four bits, 0 for none.
type record uint8

func entry(kind int, epoch uint8) record { return record(1 + kind*mostEpochs + int(epoch) - 1) }
func (r record) kind() int               { return int(r-1) / mostEpochs }
func (r record) epoch() uint8            { return uint8(r-1)%mostEpochs + 1 }

// journalLog is a partition of the decisions, first record in the lowest bits.
type journalLog uint32

func (l journalLog) len() uint8                    { return uint8(bits.Len32(uint32(l))+3) / 4 }
func (l journalLog) at(i uint8) record             { return record(l>>(4*i)) & 15 }
func (l journalLog) with(r record) journalLog      { return l | journalLog(r)<<(4*l.len()) }
func (l journalLog) upTo(end uint8) journalLog     { return l & (1<<(4*uint64(end)) - 1) }
func (l journalLog) full() bool                    { return l.len() == longest }
func (l journalLog) each(from, to uint8, f func(record)) {
	for i := from; i < to; i++ {
		f(l.at(i))
	}
}

// lastFence is the epoch of the last fence, 0 if there is none.
func (l journalLog) lastFence() uint8 {
	for i := l.len(); i > 0; i-- {
		if r := l.at(i - 1); r.kind() == fence {
			return r.epoch()
		}
	}
	return 0
}

// Where a copy of Redis is.
const (
	gone    = iota // there is no such copy
	frozen         // what a disk or a replica has: nobody is served from it yet
	serving        // scripts run here
)

// redis is one copy. A run id is only ever compared with the server's, and a new one is
// like no other, so one bit each says whether it is still the same.
type redis struct {
	kind      uint8
	epoch     uint8 // id of the open epoch, 0 for none
	sameRun   uint8 // the server is the one on which it was opened
	building  uint8 // id of the building record, 0 for none
	sameBuild uint8 // the server is the one on which it was written
	state     uint8 // of the payout
	token     uint8 // whose lease: 1 + instance; 0 for one that nobody acts on any more
	waits     uint8 // a bit for each lease that must be over before "no record" counts (O4)
	mark      [partitions]uint8
	markSaid  uint8 // the watermark of the results: what it has passed
	number    uint8 // of the last epoch, for people
}

// instance is a process: its keeper, its worker and its writer of watermarks.
type instance struct {
	belief uint8 // id of the epoch that it has joined, 0 for none
	looked uint8 // its place in its home partition (S4)

	keep  uint8 // the keeper's next step while it builds
	build uint8 // id of the epoch that it builds
	noted [partitions]uint8
	said  uint8 // the results' end that it noted

	work  uint8 // the worker's next step
	lease uint8 // id of the epoch under which it leased
	base  uint8 // where its decision stands
	sent  uint8 // the payout was `again` before the lease
	live  uint8 // its lease for a send isn't over

	marker   uint8 // id of the epoch under which it reads ends for a watermark, 0 for none
	ends     [partitions]uint8
	endsSaid uint8

	late          record // written, not acknowledged, and still on its way
	latePartition uint8
}

// state is everything. The zero value of a field that means nothing now is a rule of
// normalisation: two states that differ in nothing that matters must be equal.
type state struct {
	instance [instances]instance
	redis    [copies]redis
	log      [partitions]journalLog
	number   [mostEpochs + 1]uint8 // of each epoch, kept only where epochs are told apart by it
	paid     uint8                 // executions at the provider
	said     uint8
	epochs   uint8 // ids used
	decided  uint8 // decisions written
	faults   uint8 // left
}

// start is a fleet in its first epoch with a payout just received.
func start(o options) state {
	var s state
	s.redis[0] = redis{kind: serving, epoch: 1, sameRun: 1, state: received, mark: [partitions]uint8{1, 1}}
	for p := range s.log {
		s.log[p] = journalLog(0).with(entry(fence, 1))
	}
	for i := range s.instance {
		s.instance[i] = instance{belief: 1, looked: 1}
	}
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

// packed is a state in 40 bytes.
type packed [5]uint64

type packer struct {
	word uint64
	at   uint
}

func (p *packer) put(v uint8, width uint) {
	p.word |= uint64(v) << p.at
	p.at += width
}

func (p *packer) take(width uint) uint8 {
	v := uint8(p.word>>p.at) & (1<<width - 1)
	p.at += width
	return v
}

func (s *state) pack() packed {
	var k packed
	for i := range s.instance {
		k[i] = s.instance[i].pack()
	}
	k[2] = s.redis[0].pack() | s.redis[1].pack()<<32
	p := packer{}
	for _, f := range []uint8{s.paid, s.said, s.faults} {
		p.put(f, 2)
	}
	p.put(s.epochs, 3)
	p.put(s.decided, 4)
	for e := 1; e <= mostEpochs; e++ {
		p.put(s.number[e], 3)
	}
	k[3] = s.redis[2].pack() | p.word<<32
	k[4] = uint64(s.log[0]) | uint64(s.log[1])<<32
	return k
}

func (k packed) unpack() state {
	var s state
	for i := range s.instance {
		s.instance[i].unpack(k[i])
	}
	s.redis[0].unpack(k[2] & (1<<32 - 1))
	s.redis[1].unpack(k[2] >> 32)
	s.redis[2].unpack(k[3] & (1<<32 - 1))
	p := packer{word: k[3] >> 32}
	for _, f := range []*uint8{&s.paid, &s.said, &s.faults} {
		*f = p.take(2)
	}
	s.epochs = p.take(3)
	s.decided = p.take(4)
	for e := 1; e <= mostEpochs; e++ {
		s.number[e] = p.take(3)
	}
	s.log[0], s.log[1] = journalLog(uint32(k[4])), journalLog(k[4]>>32)
	return s
}

func (r *redis) pack() uint64 {
	p := packer{}
	p.put(r.kind, 2)
	p.put(r.epoch, 3)
	p.put(r.sameRun, 1)
	p.put(r.building, 3)
	p.put(r.sameBuild, 1)
	p.put(r.state, 3)
	p.put(r.token, 2)
	p.put(r.waits, 2)
	p.put(r.mark[0], 4)
	p.put(r.mark[1], 4)
	p.put(r.markSaid, 2)
	p.put(r.number, 3)
	return p.word
}

func (r *redis) unpack(word uint64) {
	p := packer{word: word}
	r.kind, r.epoch, r.sameRun = p.take(2), p.take(3), p.take(1)
	r.building, r.sameBuild = p.take(3), p.take(1)
	r.state, r.token, r.waits = p.take(3), p.take(2), p.take(2)
	r.mark[0], r.mark[1], r.markSaid, r.number = p.take(4), p.take(4), p.take(2), p.take(3)
}

func (n *instance) pack() uint64 {
	p := packer{}
	p.put(n.belief, 3)
	p.put(n.looked, 4)
	p.put(n.keep, 4)
	p.put(n.build, 3)
	p.put(n.noted[0], 4)
	p.put(n.noted[1], 4)
	p.put(n.said, 2)
	p.put(n.work, 4)
	p.put(n.lease, 3)
	p.put(n.base, 4)
	p.put(n.sent, 1)
	p.put(n.live, 1)
	p.put(n.marker, 3)
	p.put(n.ends[0], 4)
	p.put(n.ends[1], 4)
	p.put(n.endsSaid, 2)
	p.put(uint8(n.late), 4)
	p.put(n.latePartition, 1)
	return p.word
}

func (n *instance) unpack(word uint64) {
	p := packer{word: word}
	n.belief, n.looked = p.take(3), p.take(4)
	n.keep, n.build, n.noted[0], n.noted[1], n.said = p.take(4), p.take(3), p.take(4), p.take(4), p.take(2)
	n.work, n.lease, n.base, n.sent, n.live = p.take(4), p.take(3), p.take(4), p.take(1), p.take(1)
	n.marker, n.ends[0], n.ends[1], n.endsSaid = p.take(3), p.take(4), p.take(4), p.take(2)
	n.late, n.latePartition = record(p.take(4)), p.take(1)
}
