package model

import (
	"hash/maphash"
	"time"
)

// run is one search: breadth first, so that the first violation is as near as any.
type run struct {
	options
	seen    table
	from    []uint32 // the state from which each was first reached
	limit   int
	bounded int    // steps that only the model's bounds forbid
	now     uint32 // the state whose steps are taken
	took    func(what step, t *state)
	began   time.Time
	bad     string // the violation, "" for none
	last    uint32 // the state that is one
}

func newRun(o options, limit int) *run {
	r := &run{options: o, limit: limit, began: time.Now()}
	r.seen.seed = maphash.MakeSeed()
	return r
}

// take takes a step from s: change makes the next state of a copy.
func (r *run) take(s *state, what step, change func(t *state)) {
	t := *s
	change(&t)
	r.normal(&t)
	r.took(what, &t)
}

// steps takes every step that is possible in s.
func (r *run) steps(s *state) {
	for i := range s.instance {
		r.worker(s, i)
		r.keeper(s, i)
	}
	if r.mark {
		r.marking(s, 1)
	}
	r.world(s)
}

// search visits states until none is new, one is a violation, or limit is reached. Each
// step is told to those who want to know.
func (r *run) search(told ...func(what step, before, after uint32)) {
	s := start(r.options)
	r.seen.add(s.pack())
	r.from = append(r.from, 0)
	r.took = func(what step, t *state) {
		number, added := r.seen.add(t.pack())
		for _, tell := range told {
			tell(what, r.now, number)
		}
		if !added {
			return
		}
		r.from = append(r.from, r.now)
		if r.bad == "" {
			r.bad, r.last = t.violation(), number
		}
	}
	for i := 0; i < r.seen.len() && r.bad == "" && r.seen.len() < r.limit; i++ {
		r.now = uint32(i)
		s := r.seen.key(r.now).unpack()
		r.steps(&s)
	}
}

// bytes is what the search keeps: 40 for a state, 4 for its parent, 5 to 11 for its index.
func (r *run) bytes() int { return len(r.seen.chunks)*chunk*40 + 4*cap(r.from) + 4*len(r.seen.index) }

func (r *run) complete() bool { return r.bad == "" && int(r.now) == r.seen.len()-1 }

// violation names what must never be.
func (s *state) violation() string {
	switch {
	case s.paid > 1:
		return "paid twice"
	case s.paid > 0 && s.said&saidRejected != 0:
		return "rejected and paid"
	case s.said == saidPaid|saidRejected:
		return "two outcomes announced"
	}
	return ""
}

// table is a set of states in the order in which they were added. The states take 40 bytes each,
// in chunks. The index has open addresses of 4 bytes, at most three quarters full.
type table struct {
	seed   maphash.Seed
	chunks [][]packed
	n      int
	index  []uint32 // 1 + number, 0 for empty
}

const chunk = 1 << 16

func (t *table) len() int            { return t.n }
func (t *table) key(i uint32) packed { return t.chunks[i/chunk][i%chunk] }

// add answers the number of a state, and whether it is new.
func (t *table) add(k packed) (uint32, bool) {
	if 4*t.n >= 3*len(t.index) {
		t.grow()
	}
	mask := uint64(len(t.index) - 1)
	at := maphash.Comparable(t.seed, k) & mask
	for ; t.index[at] != 0; at = (at + 1) & mask {
		if i := t.index[at] - 1; t.key(i) == k {
			return i, false
		}
	}
	if t.n%chunk == 0 {
		t.chunks = append(t.chunks, make([]packed, 0, chunk))
	}
	last := len(t.chunks) - 1
	t.chunks[last] = append(t.chunks[last], k)
	t.n++
	t.index[at] = uint32(t.n)
	return uint32(t.n - 1), true
}

func (t *table) grow() {
	t.index = make([]uint32, max(1<<16, 2*len(t.index)))
	mask := uint64(len(t.index) - 1)
	for i := range t.n {
		at := maphash.Comparable(t.seed, t.key(uint32(i))) & mask
		for t.index[at] != 0 {
			at = (at + 1) & mask
		}
		t.index[at] = uint32(i + 1)
	}
}
