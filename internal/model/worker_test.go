package model

// What a worker does next. A worker holds one lease at a time; two instances are enough
// for two of everything.
const (
	idle             = iota
	toDecide         // leased for a send
	toLook           // decided
	toSend           // looked
	toGiveBack       // certainly not sent
	toReject         // leased for its expiry
	toAsk            // leased for an ask
	toPaid           // the provider said paid
	toAgain          // the provider said that it has no record
	toDecideEnd      // leased to announce an own final
	toLookEnd        // decided
	toSayRejected    // looked
	toSayPaid        // leased to announce the provider's word
	toForgetRejected // announced
	toForgetPaid     // announced
)

// worker takes every step that an instance's worker may take.
func (r *run) worker(s *state, i int) {
	w := &s.instance[i]
	switch w.work {
	case idle:
		if (w.keep == calm || r.busy) && i < r.workers {
			r.insertAndLease(s, i)
		}
	case toDecide:
		r.decide(s, i, send)
	case toLook:
		r.look(s, i, toSend, toGiveBack)
	case toSend:
		r.send(s, i)
	case toGiveBack:
		to := uint8(received)
		if w.sent == 1 {
			to = again
		}
		r.apply(s, i, sending, to)
	case toReject:
		r.apply(s, i, received, rejected)
	case toAsk:
		r.ask(s, i)
	case toPaid:
		r.apply(s, i, sending, paid)
	case toAgain:
		r.apply(s, i, sending, again)
	case toDecideEnd:
		r.decide(s, i, final)
	case toLookEnd:
		r.look(s, i, toSayRejected, idle)
	case toSayRejected:
		r.say(s, i, saidRejected, toForgetRejected)
	case toSayPaid:
		r.say(s, i, saidPaid, toForgetPaid)
	case toForgetRejected:
		r.apply(s, i, rejected, rejectMemo)
	case toForgetPaid:
		r.apply(s, i, paid, paidMemo)
	}
}

// believed tells whether a copy runs a script for an epoch. The epoch's id must be the one that
// is open there, on this run of the server (E2; see thaw).
func (r *run) believed(s *state, c int, epoch uint8) bool {
	d := &s.redis[c]
	return d.kind == serving && d.epoch != 0 && epoch != 0 && r.same(s, d.epoch, epoch)
}

// same compares epochs by their ids (E1).
func (r *run) same(s *state, a, b uint8) bool {
	if r.off.has(byID) {
		return s.number[a] == s.number[b]
	}
	return a == b
}

// insertAndLease runs one script on one copy. During a split any call may reach either
// half: connections are pooled, and a replica may have been promoted (E2).
func (r *run) insertAndLease(s *state, i int) {
	for c := range s.redis {
		d := &s.redis[c]
		if !r.believed(s, c, d.epoch) || r.off.has(lookFromFence) && !r.believed(s, c, s.instance[i].belief) {
			continue // an idle instance is joined in passing
		}
		switch d.state {
		case absent:
			r.take(s, did(inserts, i, c), func(t *state) { t.redis[c].state = received })
		case received:
			r.leaseToSend(s, i, c)
			if r.expiry {
				r.lease(s, did(leasesExpiry, i, c), i, c, toReject)
			}
		case again:
			r.leaseToSend(s, i, c)
		case sending:
			if r.off.has(stateCheck) {
				r.leaseToSend(s, i, c)
			}
			if d.waits == 0 && (r.resend || s.paid > 0) { // due when the lease is over; O4 adds the others after a rebuild
				r.lease(s, did(leasesAsk, i, c), i, c, toAsk)
			}
		case paid:
			r.lease(s, did(leasesAnnounce, i, c), i, c, toSayPaid)
		case rejected:
			next := uint8(toDecideEnd)
			if r.off.has(finalDecision) {
				next = toSayRejected
			}
			r.lease(s, did(leasesAnnounce, i, c), i, c, next)
		}
	}
}

// leaseToSend is received → sending in one script, guarded by state (S1), with token and
// deadline (S2).
func (r *run) leaseToSend(s *state, i, c int) {
	r.take(s, did(leasesSend, i, c), func(t *state) {
		d, w := &t.redis[c], &t.instance[i]
		w.work, w.lease, w.belief, w.live, w.sent = toDecide, d.epoch, d.epoch, 1, 0
		if d.state == again {
			w.sent = 1
		}
		d.state, d.token, d.waits = sending, 1+uint8(i), 1<<i
	})
}

func (r *run) lease(s *state, what step, i, c int, next uint8) {
	r.take(s, what, func(t *state) {
		t.redis[c].token = 1 + uint8(i)
		w := &t.instance[i]
		w.work, w.lease, w.belief = next, t.redis[c].epoch, t.redis[c].epoch
	})
}

// decide writes a record into the home partition (S3, O2).
func (r *run) decide(s *state, i int, kind int) {
	looking, back := uint8(toLook), uint8(toGiveBack)
	if kind == final {
		looking, back = toLookEnd, idle // the final stays, to be announced later
	}
	w := s.instance[i]
	if kind == send && r.off.has(decision) {
		r.move(s, did(skipsDecision, i, 0), i, toSend)
		return
	}
	if r.off.has(leaseEpoch) {
		w.lease = w.belief
	}
	// The epoch that the lease was taken in must still be the instance's own (S4). A look of
	// another epoch would begin behind the fence that voids this leased group.
	if w.lease == 0 || w.lease != w.belief {
		r.move(s, did(leftEpoch, i, 0), i, back)
		return
	}
	home := r.home(i)
	if kind == send && r.off.has(theLook) {
		looking = toSend
	} else if kind == final && r.off.has(finalLook) {
		looking = toSayRejected
	}
	r.take(s, did(decides+act(kind-send), i, home), func(t *state) {
		t.instance[i].lease = w.lease
		if r.foreign(s, home, w.lease) && w.blind == 0 {
			t.instance[i].void = 1
		}
		r.append(t, home, kind, w.lease)
		t.settle(i, looking)
	})
	// Without acknowledgement the batch is given back; the record may stand in the log, or
	// never come, or come later (S3).
	// Whether it stands there is unknown, so the payout counts as sent once: it can be held
	// from here on, but not rejected.
	giveUp := func(t *state, next uint8) {
		t.instance[i].lease = w.lease
		if kind == send && !r.off.has(unacknowledgedCounts) {
			t.instance[i].sent = 1
		}
		t.settle(i, next)
	}
	if !r.narrow {
		r.take(s, did(decidesUnacknowledged+act(kind-send), i, home), func(t *state) {
			r.append(t, home, kind, w.lease)
			giveUp(t, back)
		})
	}
	if kind == send && r.off.has(acknowledged) {
		back = toSend
	}
	r.take(s, did(notWritten, i, home), func(t *state) { giveUp(t, back) })
	if r.late && s.late.kind == 0 {
		r.take(s, did(decidesLate+act(kind-send), i, home), func(t *state) {
			t.late = late{kind: uint8(kind), at: uint8(home)}
			t.late.epoch = w.lease
			giveUp(t, back)
		})
	}
}

// append writes a record into a partition. A decision counts only if its epoch is that of the
// last fence before it. Whoever wrote another one finds out by its look (S4, E4 d).
func (r *run) append(s *state, p, kind int, epoch uint8) {
	switch {
	case kind == fence:
		s.fence[p] = epoch
		for i := range s.instance {
			if r.home(i) == p {
				s.instance[i].blind = 0
			}
		}
	case kind == send && (!r.foreign(s, p, epoch) || r.off.has(sendValid)):
		s.add(p, toBeSent)
	case kind == final && (!r.foreign(s, p, epoch) || r.off.has(finalValid)):
		s.add(p, endedWell)
	}
}

// look reads what stands between the last look and the own record (S4): a foreign fence
// there ends the epoch for this instance. What it will find is certain since the record
// was written.
func (r *run) look(s *state, i int, clear, back uint8) {
	w := s.instance[i]
	switch {
	case w.belief != w.lease:
		r.move(s, did(leftEpoch, i, 0), i, back)
	case w.void == 1:
		r.take(s, did(seesFence, i, r.home(i)), func(t *state) {
			t.instance[i].belief, t.instance[i].blind = 0, 0
			t.settle(i, back)
		})
	default:
		r.move(s, did(looks, i, r.home(i)), i, clear)
	}
}

// send is the last check at the connection's write and the provider's execution: what
// stands between them is outside of the protocol (S5). The provider pays every send.
// What it answers changes nothing for whoever comes after: it is asked anyway (O1).
func (r *run) send(s *state, i int) {
	if s.instance[i].live == 1 || r.off.has(deadline) {
		r.take(s, did(sends, i, 0), func(t *state) {
			t.paid++
			t.settle(i, idle)
		})
	} else {
		r.move(s, did(tooLate, i, 0), i, idle)
	}
	r.move(s, did(notSent, i, 0), i, toGiveBack)
}

// ask hears the truth. "No record" counts, because everything that could still be sent
// under this lease or an older one is over (O4); the policy is `then: resend`.
func (r *run) ask(s *state, i int) {
	if s.paid > 0 {
		r.move(s, did(asksPaid, i, 0), i, toPaid)
	} else if r.resend {
		r.move(s, did(asksNoRecord, i, 0), i, toAgain)
	}
}

func (r *run) say(s *state, i int, what, next uint8) {
	r.take(s, did(announces+act(what-1), i, 0), func(t *state) {
		t.said |= what
		t.settle(i, next)
	})
}

// apply writes what became of a lease, if epoch, state and token still are the caller's
// (E2, S2). Its reply may be lost, and the caller tries again; or it gives up.
func (r *run) apply(s *state, i int, from, to uint8) {
	w := s.instance[i]
	epoch := w.lease
	if r.off.has(leaseEpoch) {
		epoch = w.belief
	}
	for c := range s.redis {
		d := &s.redis[c]
		if !r.believed(s, c, epoch) || d.state != from || d.token != 1+uint8(i) && !r.off.has(tokenCheck) {
			continue
		}
		write := func(t *state) {
			t.redis[c].state, t.redis[c].token = to, 0
			t.redis[c].waits = 0
		}
		r.take(s, did(applies+act(to), i, c), func(t *state) { write(t); t.settle(i, idle) })
		if !r.narrow {
			r.take(s, did(appliesUnacknowledged+act(to), i, c), write)
		}
	}
	r.move(s, did(drops, i, 0), i, idle)
}

// move changes nothing but what a worker does next.
func (r *run) move(s *state, what step, i int, next uint8) {
	r.take(s, what, func(t *state) { t.settle(i, next) })
}

// settle moves a worker on, and forgets what no longer means anything.
func (s *state) settle(i int, next uint8) {
	w := &s.instance[i]
	w.work = next
	if next != toLook && next != toLookEnd {
		w.void = 0
	}
	switch next {
	case idle:
		w.lease, w.sent = 0, 0
		s.over(i)
		for c := range s.redis {
			if s.redis[c].token == 1+uint8(i) {
				s.redis[c].token = 0
			}
		}
	case toGiveBack:
		s.over(i) // it can't be sent any more; that time passes meanwhile hides nothing
	}
}

// over ends a lease: its time has passed, or whoever held it can't send any more.
func (s *state) over(i int) {
	s.instance[i].live = 0
	for c := range s.redis {
		s.redis[c].waits &^= 1 << i
	}
}
