package model

import "testing"

// From every state there is a way to an announced outcome, so no fleet gets stuck. On this way
// nothing breaks, nobody dies, and nothing that is on its way has to arrive. Where a run has
// used all its epochs the model can't tell, and such states count as out.
func TestThereIsAWayOut(t *testing.T) {
	quick(t, false)
	o := ends
	o.faults, o.epochs = *faults, *epochs
	r := newRun(o, *limit)
	ways := r.ways()
	if !r.complete() {
		t.Fatalf("stopped at -limit=%d: this proves nothing", r.limit)
	}
	out := make([]bool, r.seen.len())
	var edge []uint32 // states found to be out, whose predecessors are not looked at yet
	for i := range out {
		s := r.seen.key(uint32(i)).unpack()
		if s.said != 0 || int(s.epochs) == r.epochs {
			out[i] = true
			edge = append(edge, uint32(i))
		}
	}
	told := len(out) - len(edge)
	for len(edge) > 0 {
		at := edge[len(edge)-1]
		edge = edge[:len(edge)-1]
		for _, before := range ways.to(at) {
			if !out[before] {
				out[before] = true
				edge = append(edge, before)
			}
		}
	}
	t.Logf("%d states, %d of them neither announced nor out of epochs", len(out), told)
	for i := range out {
		if !out[i] {
			r.last = uint32(i)
			for j, line := range r.trace() {
				t.Logf("%3d  %s", j+1, line)
			}
			t.Fatalf("no way out of state %d: %+v", i, r.seen.key(r.last).unpack())
		}
	}
}

// arrows are the steps between states by their ends: those into state i begin at
// first[i].
type arrows struct {
	first []uint32
	from  []uint32
}

func (a *arrows) to(i uint32) []uint32 { return a.from[a.first[i]:a.first[i+1]] }

// ways searches and answers the steps that may be part of a way out.
func (r *run) ways() *arrows {
	var from, to []uint32
	r.search(func(what step, before, after uint32) {
		switch what.what {
		case wipes, freezes, splits, restarts, dies, arrives:
		default:
			if before != after {
				from, to = append(from, before), append(to, after)
			}
		}
	})
	a := &arrows{first: make([]uint32, r.seen.len()+1), from: make([]uint32, len(from))}
	for _, t := range to {
		a.first[t+1]++
	}
	for i := range r.seen.len() {
		a.first[i+1] += a.first[i]
	}
	next := append([]uint32(nil), a.first...)
	for i, t := range to {
		a.from[next[t]] = from[i]
		next[t]++
	}
	return a
}
