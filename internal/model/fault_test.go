package model

// world takes every step that nobody of ours takes: time passes, records arrive late,
// processes die, and Redis loses what it was told.
func (r *run) world(s *state) {
	for i := range s.instance {
		n := &s.instance[i]
		if n.live == 1 {
			r.take(s, did(leaseEnds, i, 0), func(t *state) { t.over(i) })
		}
		r.die(s, i)
	}
	if s.late.kind != 0 {
		r.take(s, did(arrives, 0, int(s.late.at)), func(t *state) {
			l := t.late
			t.late = late{}
			r.append(t, int(l.at), int(l.kind), l.epoch)
		})
	}
	for c := range s.redis {
		switch s.redis[c].kind {
		case serving:
			r.fault(s, c)
		case frozen:
			r.thaw(s, c)
		}
	}
}

// die ends a process at any step; its place is taken by one that knows nothing. What it
// had sent to Kafka may still arrive. It costs nothing of the budget.
func (r *run) die(s *state, i int) {
	if s.instance[i] == (instance{}) || r.narrow {
		return
	}
	r.take(s, did(dies, i, 0), func(t *state) {
		t.settle(i, idle)
		t.instance[i] = instance{}
	})
}

// fault is where a fault begins. Wiped is FLUSHALL: the run id stays, which is the worse case.
// Frozen is the moment from which a disk or replica gets nothing more. It leads to a restart or
// a split, at any later time.
func (r *run) fault(s *state, c int) {
	if s.faults == 0 {
		return
	}
	if !r.narrow {
		r.take(s, did(wipes, 0, c), func(t *state) {
			t.redis[c] = redis{kind: serving}
			t.faults--
		})
	}
	for f := range s.redis {
		if s.redis[f].kind == gone {
			r.take(s, did(freezes, 0, c), func(t *state) {
				t.redis[f] = t.redis[c]
				t.redis[f].kind = frozen
				if !r.off.has(runID) { // see thaw
					t.redis[f].epoch, t.redis[f].building = 0, 0
				}
				t.faults--
			})
			return
		}
	}
}

// thaw makes a server of what disk or replica had: in place of one (restart, failover), or
// beside it (split). Either way it is another run, and every script refuses what was opened
// or begun on the last one (E2).
func (r *run) thaw(s *state, f int) {
	if !r.narrow {
		r.take(s, did(splits, 0, f), func(t *state) { t.redis[f].kind = serving })
	}
	for c := range s.redis {
		if s.redis[c].kind != serving {
			continue
		}
		r.take(s, did(restarts, f, c), func(t *state) {
			t.redis[c] = t.redis[f]
			t.redis[c].kind = serving
			t.redis[f] = redis{}
			if f == 1 { // no gap between the copies: which is which means nothing
				t.redis[1], t.redis[2] = t.redis[2], redis{}
			}
		})
	}
}
