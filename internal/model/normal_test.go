package model

// normal gives the same form to states that nothing can tell apart from here on, rule by rule.
// Nothing is sorted and no two things are swapped. A difference may be meaningless because of
// one rule of protocol.md. Where a run leaves out that rule, the difference stays.
func (r *run) normal(s *state) {
	r.normalWorkers(s)
	for i := range s.instance {
		n := &s.instance[i]
		// Whoever holds no lease may join any epoch at any time.
		if n.work == idle && !r.off.has(lookFromFence) || n.work != idle && n.belief != n.lease && !r.off.has(leaseEpoch) {
			n.belief, n.blind = 0, 0
		}
		// What was replayed for a building that is no more will be called done nowhere.
		if n.portionOf != 0 && !r.off.has(tiedPortions) && !r.built(s, n.portionOf) {
			n.portion, n.portionOf = 0, 0
		}
		// A builder that has its fences and lost its building record will be refused (E4 e).
		if n.keep >= toNoteFirst && !r.off.has(tiedReplay) && !r.built(s, n.build) {
			n.stopBuilding()
		}
	}
	// A watermark of an epoch that is open nowhere will be refused (E2).
	if s.marker.at != 0 && !r.isOpen(s, s.marker.epoch) {
		s.marker = marker{}
	}
	r.normalFences(s)
	for p := range s.log {
		s.compact(p)
	}
}

// normalWorkers: a token is good only for its lease's epoch, where that is open (E2). A worker
// that could only be refused has nothing to do.
func (r *run) normalWorkers(s *state) {
	if r.off.has(leaseEpoch) || r.off.has(tokenCheck) {
		return
	}
	for i := range s.instance {
		w := &s.instance[i]
		good := false
		for c := range s.redis {
			d := &s.redis[c]
			if d.token != 1+uint8(i) {
				continue
			}
			if d.epoch != 0 && r.same(s, d.epoch, w.lease) {
				good = true
			} else {
				d.token = 0
			}
		}
		if good {
			continue
		}
		w.sent = 0 // only for giving back
		switch w.work {
		case toGiveBack, toReject, toAsk, toPaid, toAgain, toForgetRejected, toForgetPaid:
			s.settle(i, idle)
		}
	}
}

// normalFences: epochs are only told apart, so one that nobody has to do with any more
// need not be told apart from another such one.
func (r *run) normalFences(s *state) {
	if r.off.has(byID) {
		return
	}
	if l := s.late; r.foreign(s, int(l.at), l.epoch) && (l.kind == final && !r.off.has(finalValid) || l.kind == send && !r.off.has(sendValid)) {
		s.late = late{} // it will not be valid
	}
	for c := range s.redis {
		if b := s.redis[c].building; b != 0 && s.instance[0].build != b && s.instance[1].build != b {
			s.redis[c].building = 0
		}
	}
	for c := range s.redis {
		if d := &s.redis[c]; d.building == 0 {
			d.done = 0 // whoever builds begins anew
		}
	}
	for p := range s.fence {
		if !r.known(s, s.fence[p]) {
			s.fence[p] = 0
		}
	}
}

func (r *run) known(s *state, epoch uint8) bool {
	for i := range s.instance {
		n := &s.instance[i]
		if epoch == n.belief || epoch == n.lease || epoch == n.build || epoch == n.portionOf {
			return true
		}
	}
	return epoch == s.marker.epoch || epoch == s.late.epoch || r.isOpen(s, epoch)
}

// isOpen tells whether an epoch is open in any copy, or will be when it thaws.
func (r *run) isOpen(s *state, epoch uint8) bool {
	for c := range s.redis {
		if d := &s.redis[c]; d.epoch != 0 && r.same(s, d.epoch, epoch) {
			return true
		}
	}
	return false
}

// built tells whether any copy has the building record of an epoch.
func (r *run) built(s *state, epoch uint8) bool {
	for c := range s.redis {
		if d := &s.redis[c]; d.building != 0 && r.same(s, d.building, epoch) {
			return true
		}
	}
	return false
}

// compact puts together what stands between two places of a partition that anybody remembers. It
// drops what stands before all of them, if no wipe can make anybody read it again.
func (s *state) compact(p int) {
	places := s.places(p)
	kept := uint8(1) // a bit for each place
	first := s.log[p].len()
	for _, at := range places.list[:places.n] {
		kept |= 1 << *at
		first = min(first, *at)
	}
	if s.faults > 0 {
		first = 0
	}
	var packed, sum decisions
	var moved [9]uint8
	n := uint8(0)
	for at := uint8(0); at <= s.log[p].len(); at++ {
		if kept>>at&1 == 1 && sum != 0 {
			packed |= sum << (width * n)
			n++
			sum = 0
		}
		moved[at] = n
		if at >= first {
			sum |= s.log[p] >> (width * at) & set
		}
	}
	packed |= sum << (width * n)
	for _, at := range places.list[:places.n] {
		*at = moved[*at]
	}
	s.log[p] = packed
}

// places are the places of a partition that anybody keeps.
type places struct {
	list [copies + instances + 1]*uint8
	n    int
}

func (s *state) places(p int) (l places) {
	keep := func(at *uint8, used bool) {
		if used {
			l.list[l.n] = at
			l.n++
		} else {
			*at = 0
		}
	}
	for c := range s.redis {
		keep(&s.redis[c].mark[p], s.redis[c].kind != gone)
	}
	for i := range s.instance {
		n := &s.instance[i]
		keep(&n.noted[p], n.keep > toNoteFirst+uint8(p) || n.noted[p] != 0)
	}
	keep(&s.marker.ends[p], s.marker.at == 2)
	return l
}
