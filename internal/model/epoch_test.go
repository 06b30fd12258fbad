package model

// What a keeper does next while it builds an epoch (E4).
const (
	calm = iota
	toFenceFirst
	toFenceSecond
	toNoteFirst
	toNoteSecond
	toReplay
	toOpen
)

// keeper takes every step that an instance's keeper may take. It runs beside the worker: the
// instance may join another epoch while a lease goes on.
func (r *run) keeper(s *state, i int) {
	k := &s.instance[i]
	switch k.keep {
	case calm:
		r.help(s, i)
		for c := range s.redis {
			r.join(s, i, c)
			if k.work == idle || r.busy {
				r.begin(s, i, c)
			}
		}
	case toFenceFirst, toFenceSecond:
		r.fence(s, i, int(k.keep-toFenceFirst))
	case toNoteFirst, toNoteSecond:
		r.note(s, i, int(k.keep-toNoteFirst))
	case toReplay, toOpen:
		r.write(s, i)
	}
}

// join believes in the epoch that a copy says is open. It looks from that epoch's fence
// on (S4), so that it will find any that stands behind it. Idle instances are joined in
// passing, by the lease.
func (r *run) join(s *state, i, c int) {
	d, n := &s.redis[c], &s.instance[i]
	if !r.believed(s, c, d.epoch) || d.epoch == n.belief || n.work == idle && !r.off.has(lookFromFence) {
		return
	}
	r.take(s, did(joins, i, c), func(t *state) {
		n := &t.instance[i]
		n.belief, n.blind = d.epoch, 0
		if r.off.has(lookFromFence) {
			n.blind = 1
		}
	})
}

// begin writes the building record of a new epoch with an id of its own (E1, E4 a). Its claim is
// left out: it may have expired. The epoch before it is missing, or was opened on another run of
// the server. Or a foreign fence stands behind its own (E3, E7).
func (r *run) begin(s *state, i, c int) {
	d := &s.redis[c]
	if d.kind != serving || r.believed(s, c, d.epoch) && !r.overtaken(s, d.epoch) {
		return
	}
	if int(s.epochs) >= r.epochs {
		r.bounded++
		return
	}
	r.take(s, did(begins, i, c), func(t *state) {
		k, e := &t.instance[i], &t.redis[c]
		t.epochs++
		k.build, k.keep = t.epochs, toFenceFirst
		e.done = 0
		e.building = k.build
		if !r.off.has(buildRefuses) {
			e.epoch = 0
		}
		if r.off.has(byID) {
			t.number[k.build] = min(e.number+1, 3)
		}
		if r.off.has(notedAfter) {
			k.noted = [partitions]uint8{t.log[0].len(), t.log[1].len()}
		}
	})
}

// overtaken tells whether a foreign fence stands behind an epoch's own in any partition.
func (r *run) overtaken(s *state, epoch uint8) bool {
	return r.foreign(s, 0, epoch) || r.foreign(s, 1, epoch)
}

// foreign tells whether the last fence of a partition is another epoch's.
func (r *run) foreign(s *state, p int, epoch uint8) bool {
	if p > 0 && r.off.has(fenceAll) {
		return false
	}
	return !r.same(s, s.fence[p], epoch)
}

// fence writes the new epoch's fence into a partition (E4 b). Unacknowledged, the builder
// starts over with a new id.
func (r *run) fence(s *state, i, p int) {
	k := s.instance[i]
	if p > 0 && r.off.has(fenceAll) {
		r.take(s, did(skipsFence, i, p), func(t *state) {
			t.instance[i].keep++
		})
		return
	}
	r.take(s, did(fences, i, p), func(t *state) {
		r.append(t, p, fence, k.build)
		t.instance[i].keep++
	})
	r.take(s, did(fencesUnacknowledged, i, p), func(t *state) {
		r.append(t, p, fence, k.build)
		t.instance[i].stopBuilding()
	})
	if r.late && s.late.kind == 0 {
		r.take(s, did(fencesLate, i, p), func(t *state) {
			t.late = late{kind: fence, epoch: k.build, at: uint8(p)}
			t.instance[i].stopBuilding()
		})
	}
}

// note reads a partition's end after the fences are written. The own fence must be the last one
// up to that end; else the building starts over (E4 c).
func (r *run) note(s *state, i, p int) {
	k := s.instance[i]
	if r.foreign(s, p, k.build) && !r.off.has(fenceLast) {
		r.take(s, did(overtakenAt, i, p), func(t *state) { t.instance[i].stopBuilding() })
		return
	}
	r.take(s, did(notes, i, p), func(t *state) {
		if !r.off.has(notedAfter) {
			t.instance[i].noted[p] = t.log[p].len()
		}
		t.instance[i].keep++
		if p == partitions-1 {
			t.instance[i].said = t.said
			if r.off.has(replay) {
				t.instance[i].keep = toOpen
			}
		}
	})
}

// write is a step of the replay, or the opening. Each requires the own building record
// and the run id under which it was written (E4 e).
func (r *run) write(s *state, i int) {
	k := s.instance[i]
	refused := false
	if r.portions && k.keep == toReplay {
		r.help(s, i)
	}
	for c := range s.redis {
		d := &s.redis[c]
		if d.kind != serving {
			continue
		}
		mine := r.same(s, d.building, k.build) && d.building != 0
		if !mine && !r.off.has(tiedReplay) {
			refused = true
			continue
		}
		if r.portions && k.keep == toReplay && d.done != resultsDone|decisionsDone && !r.off.has(allPortions) {
			continue // it waits for who is at them
		}
		if k.keep == toOpen || r.portions {
			r.take(s, did(opens, i, c), func(t *state) { r.open(t, i, c) })
		} else {
			r.take(s, did(replays, i, c), func(t *state) { r.replay(t, i, c) })
		}
	}
	if refused {
		r.take(s, did(buildRefused, i, 0), func(t *state) { t.instance[i].stopBuilding() })
	}
}

// replay merges what results and decisions say between the copy's watermark and the noted
// ends, by rank and never backwards (E4 d).
func (r *run) replay(s *state, i, c int) {
	k, d := &s.instance[i], &s.redis[c]
	k.keep++
	r.merge(s, k, d, resultsDone|decisionsDone)
}

// help takes a portion of whatever replay goes on, its own or another instance's. The
// script requires the building record; the ends are those that the builder has noted.
func (r *run) help(s *state, i int) {
	if !r.portions {
		return
	}
	if s.instance[i].portion != 0 {
		r.callDone(s, i)
		return
	}
	for c := range s.redis {
		d := &s.redis[c]
		for j := range s.instance {
			k := &s.instance[j]
			if d.kind != serving || d.building == 0 || k.keep != toReplay || !r.same(s, d.building, k.build) {
				continue
			}
			for what, portion := replaysResults, uint8(resultsDone); portion <= decisionsDone; what, portion = what+1, portion+1 {
				if d.done&portion == 0 {
					r.take(s, did(what, i, c), func(t *state) {
						r.merge(t, &t.instance[j], &t.redis[c], portion)
						n := &t.instance[i]
						n.portion, n.portionOf = portion, k.build
					})
				}
			}
		}
	}
}

// callDone tells Redis that a portion is replayed. It is a step of its own, because Redis may
// have lost what was replayed by then, and the building record with it.
func (r *run) callDone(s *state, i int) {
	n := s.instance[i]
	for c := range s.redis {
		d := &s.redis[c]
		if d.kind == serving && d.building != 0 && (r.same(s, d.building, n.portionOf) || r.off.has(tiedPortions)) {
			r.take(s, did(callsDone, i, c), func(t *state) {
				t.redis[c].done |= n.portion
				t.instance[i].portion, t.instance[i].portionOf = 0, 0
			})
		}
	}
	r.take(s, did(dropsPortion, i, 0), func(t *state) { t.instance[i].portion, t.instance[i].portionOf = 0, 0 })
}

// merge replays portions, by the ends that a builder has noted.
func (r *run) merge(s *state, k *instance, d *redis, portions uint8) {
	var all decisions
	for p := range s.log {
		if portions&decisionsDone != 0 {
			all |= s.log[p].between(d.mark[p], k.noted[p])
		}
	}
	said := k.said &^ d.markSaid
	if portions&resultsDone == 0 {
		said = 0
	}
	switch {
	case d.state == paidMemo || d.state == rejectMemo:
		return
	case said&saidPaid != 0:
		d.put(paidMemo)
	case said&saidRejected != 0:
		d.put(rejectMemo)
	case d.state == paid:
		return
	case all&endedWell != 0:
		d.put(rejected)
	case all&toBeSent == 0:
		return
	case d.state == rejected && r.off.has(sendOutranks):
		return
	default:
		// When it was sent is unknown, also of one that this copy has as sending: it may have
		// been another lease, since lost. Every lease from before must be over (O4).
		had := d.state == sending
		d.state = sending
		if !r.off.has(waitAfter) && !(had && r.off.has(waitAlso)) {
			for j := range s.instance {
				d.waits |= s.instance[j].live << j
			}
		}
	}
}

func (d *redis) put(state uint8) { d.state, d.token, d.waits = state, 0, 0 }

// open makes the epoch believed, and sets the watermark in the same script.
func (r *run) open(s *state, i, c int) {
	k, d := &s.instance[i], &s.redis[c]
	d.epoch, d.building, d.done = k.build, 0, 0
	d.mark, d.markSaid = k.noted, k.said
	if r.off.has(byID) {
		d.number = s.number[k.build]
	}
	k.belief, k.blind = k.build, 0
	k.stopBuilding()
}

func (n *instance) stopBuilding() {
	n.keep, n.build, n.noted, n.said = calm, 0, [partitions]uint8{}, 0
}

// marking writes watermarks. It reads the ends, then looks for foreign fences up to them in
// every partition, then writes (E5). What a look up to an end finds can't change any more. So
// reading and looking are one step here, unless the rule left out is their order.
func (r *run) marking(s *state, i int) {
	m := &s.marker
	switch m.at {
	case 0:
		for c := range s.redis {
			epoch := s.redis[c].epoch
			if !r.believed(s, c, epoch) || r.overtaken(s, epoch) && !r.off.has(markLooks) {
				continue
			}
			if r.off.has(markOrder) {
				r.take(s, did(marksLook, i, c), func(t *state) { t.marker = marker{at: 1, epoch: epoch} })
			} else if r.behind(s, epoch) {
				r.take(s, did(marksRead, i, c), func(t *state) { t.readEnds(epoch) })
			}
		}
	case 1:
		r.take(s, did(marksRead, i, 0), func(t *state) { t.readEnds(m.epoch) })
	case 2:
		r.writeMark(s, i)
	}
}

// behind tells whether a watermark would move.
func (r *run) behind(s *state, epoch uint8) bool {
	for c := range s.redis {
		d := &s.redis[c]
		if r.believed(s, c, epoch) && (d.mark[0] < s.log[0].len() || d.mark[1] < s.log[1].len() || d.markSaid != s.said) {
			return true
		}
	}
	return false
}

func (s *state) readEnds(epoch uint8) {
	s.marker = marker{at: 2, epoch: epoch, ends: [partitions]uint8{s.log[0].len(), s.log[1].len()}, said: s.said}
}

func (r *run) writeMark(s *state, i int) {
	m := s.marker
	for c := range s.redis {
		if !r.believed(s, c, m.epoch) {
			continue
		}
		r.take(s, did(marksWrite, i, c), func(t *state) {
			d := &t.redis[c]
			for p := range d.mark {
				d.mark[p] = max(d.mark[p], m.ends[p])
			}
			d.markSaid |= m.said
			t.marker = marker{}
		})
	}
	r.take(s, did(marksDrop, i, 0), func(t *state) { t.marker = marker{} })
}
