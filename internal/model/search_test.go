package model

import (
	"hash/maphash"
	"time"
)

// run is one search: breadth first, so that the first violation is as near as any.
type run struct {
	options
	seen    table[packed]
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
