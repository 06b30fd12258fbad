package model

// work takes every step that an instance may take.
func (c *endSteps) work(i int) {
	h := c.s.hand[i]
	d := c.open(h.lease)
	switch h.work {
	case ready:
		for d := range c.s.half {
			c.payout(i, d)
			c.claims(i, d)
			c.begins(i, d)
		}
	case mustDecide, mustLook, mustSend, mustGiveBack:
		c.send(i, d)
	case mustAct, mustAsk, mustEnd:
		c.act(i, d)
	case mustDecideEnd, mustLookEnd, mustVouch, mustForget:
		c.decideEnd(i, d)
	case mustPublish:
		c.publish(i)
	case mustFence, mustOpen:
		c.builds(i)
	}
}

// open is the copy on which an epoch is open, -1 if there is none: its scripts are refused (E2).
func (c *endSteps) open(epoch uint8) int {
	for d, h := range c.s.half {
		if h.kind == serving && epoch != 0 && h.epoch == epoch {
			return d
		}
	}
	return -1
}

// goes changes nothing but what an instance does next.
func (c *endSteps) goes(words string, i int, next uint8) {
	c.step(words, i, 0, func(t *office) { t.hand[i].work = next })
}

// payout does the payout's own next step: insert, lease, ask, announce. Where no race matters an ask is one step with
// what it writes.
func (c *endSteps) payout(i, d int) {
	s, h := c.s, &c.s.half[d]
	if h.kind != serving || h.epoch == 0 {
		return
	}
	write := func(words string, state uint8) {
		c.step(words, i, d, func(t *office) { t.half[d].state, t.half[d].token = state, 0 })
	}
	switch h.state {
	case unknown:
		write("%i inserts the command into %c: received", fresh)
	case fresh, doubted:
		c.step("%i leases the payout for a send in %c: sending", i, d, func(t *office) {
			r := &t.half[d]
			t.hand[i] = hand{work: mustDecide, lease: h.epoch, live: true, mark: h.state}
			r.state, r.token, r.waits = leased, 1+uint8(i), 1<<i
			if r.ended {
				t.bad = revived
			}
		})
	case leased, held:
		if s.sent > 0 && !s.hidden {
			write("%i asks the provider: paid; %c has it", byProvider)
			return
		}
		counts := h.waits == 0 && !s.hidden
		switch {
		case h.state == held && counts && !h.proven:
			c.step("%i asks the provider about the held payout: no record, often enough", i, d, func(t *office) { t.half[d].proven = true })
		case h.state == leased && counts && c.repeat:
			write("%i asks the provider: no record, often enough; %c has it as received again", doubted)
		}
		if h.state == leased {
			write("%i asks the provider and gets an answer that nobody knows: %c has it as held", held)
		}
	case byProvider:
		c.step("%i announces: PAID", i, d, func(t *office) { t.saidPaid, t.written = true, logPaid; t.half[d].state = paidKept })
	case byPerson:
		if h.vouched {
			c.step("%i announces what the person has said", i, d, func(t *office) { t.saidEnd, t.written = true, logEnd; t.half[d].state = endKept })
		} else {
			c.step("%i leases the payout in %c to decide its end", i, d, func(t *office) {
				t.hand[i] = hand{work: mustDecideEnd, lease: h.epoch, act: h.by - 1}
				t.half[d].token = 1 + uint8(i)
			})
		}
	}
	if h.state == held && !s.saidHeld {
		c.step("%i announces: held", i, d, func(t *office) { t.saidHeld, t.written = true, logHold })
	}
}

// send is a send from its decision to the provider. In mark stands what the payout was before.
func (c *endSteps) send(i, d int) {
	s, h := c.s, c.s.hand[i]
	switch h.work {
	case mustDecide:
		valid := s.fence == h.lease
		c.step("%i decides to send", i, 0, func(t *office) {
			t.sendDecided(valid)
			t.hand[i].work, t.hand[i].void = mustLook, !valid
		})
		if c.calm {
			return
		}
		c.step("%i decides to send, and the acknowledgement is lost", i, 0, func(t *office) {
			t.sendDecided(valid)
			t.hand[i].work, t.hand[i].mark, t.hand[i].live = mustGiveBack, doubted, false
		})
	case mustLook:
		if h.void {
			c.step("%i sees a foreign fence; the epoch is over for it", i, 0, func(t *office) { t.hand[i].work = ready })
		} else {
			c.goes("%i looks: no foreign fence", i, mustSend)
		}
	case mustSend:
		if h.live {
			c.step("%i sends: THE PROVIDER PAYS", i, 0, func(t *office) {
				t.sent++
				t.hidden = c.slow
				t.hand[i].work, t.hand[i].live = ready, false
				for k, w := range t.word {
					if t.saidEnd || w.outcome == done && c.acts[k] != endedPaid {
						t.bad = sentAfter
					}
				}
			})
		}
		c.step("%i does not send", i, 0, func(t *office) { t.hand[i].work, t.hand[i].live = mustGiveBack, false })
	case mustGiveBack:
		if d >= 0 && s.half[d].state == leased && s.half[d].token == 1+uint8(i) {
			c.step("%i gives the payout back in %c", i, d, func(t *office) {
				t.half[d].state, t.hand[i].work = h.mark, ready
			})
		}
		c.goes("%i drops its lease", i, ready)
	}
}

func (t *office) sendDecided(valid bool) {
	if valid {
		t.decided, t.written = true, logSend
	}
}

// claims is the first script of an action: it notes when it was seen, and who is at it.
func (c *endSteps) claims(i, d int) {
	h := &c.s.half[d]
	if h.kind != serving || h.epoch == 0 {
		return
	}
	for k, e := range h.act {
		w := c.s.word[k]
		if e.mark != nothing && !e.public {
			if h.epoch == c.s.fence || c.off.has(looksFirst) {
				c.step("%i finds the action marked in %c, and sees no foreign fence", i, d, func(t *office) {
					t.hand[i] = hand{work: mustPublish, lease: h.epoch, act: uint8(k), mark: e.mark}
				})
			}
			continue
		}
		if !w.asked || !w.agreed && !c.off.has(twoAgree) || e.before || e.mark != nothing || e.claim != 0 && !c.off.has(oneClaim) {
			continue
		}
		ends := e.over || w.late && !c.off.has(tooOld)
		if ends && (!e.made || c.off.has(madeStays)) {
			c.step("%i marks the action as expired in %c", i, d, func(t *office) { t.half[d].act[k].mark = expired })
			continue
		}
		c.step("%i claims the action in %c", i, d, func(t *office) {
			a := &t.half[d].act[k]
			a.seen, a.claim = true, 1+uint8(i)
			t.hand[i] = hand{work: mustAct, lease: h.epoch, act: uint8(k)}
		})
	}
}

// publish writes the outcome. The first one of an id counts.
func (c *endSteps) publish(i int) {
	h := c.s.hand[i]
	said := [...]string{done: "DONE", refused: "REFUSED", expired: "EXPIRED", uncertain: "expired, NOT CERTAIN"}[h.mark]
	c.step("%i publishes the outcome: "+said, i, 0, func(t *office) {
		if w := &t.word[h.act]; w.outcome == nothing {
			w.outcome = h.mark
		}
		if d := c.open(h.lease); d >= 0 {
			t.half[d].act[h.act].public = true
		}
		t.hand[i].work = ready
	})
}

// act carries out an action that is claimed.
func (c *endSteps) act(i, d int) {
	h := c.s.hand[i]
	if d < 0 {
		c.goes("%i finds its epoch over", i, ready)
		return
	}
	r := &c.s.half[d]
	e := r.act[h.act]
	mine := e.mark == nothing && (e.claim == 1+uint8(i) || c.off.has(oneClaim))
	if !mine {
		c.goes("%i finds that the claim isn't its own any more", i, ready)
		return
	}
	switch {
	case h.work == mustAct && r.state == byPerson && r.by == 1+h.act && !c.off.has(oneClaim):
		c.goes("%i finds the payout ended by this very action", i, mustDecideEnd)
	case h.work == mustAct && e.made && r.state == endKept:
		c.step("%i finds in %c that what it made is announced: done", i, d, func(t *office) { c.mark(t, i, d, done) })
	case h.work == mustAct && c.acts[h.act] == cancelled:
		c.cancel(i, d)
	case h.work == mustAct && r.state == held:
		if r.waits != 0 && !c.off.has(sendByFirst) {
			return // it waits
		}
		if c.acts[h.act] == endedPaid && c.off.has(askedOnce) {
			c.step("%i believes the person: paid", i, d, func(t *office) { c.mark(t, i, d, done); t.half[d].state = byProvider })
			return
		}
		c.step("%i leases the held payout by name in %c", i, d, func(t *office) { t.half[d].token, t.hand[i].work = 1+uint8(i), mustAsk })
	case h.work == mustAct:
		c.refuse(i, d, "%i refuses in %c: the payout isn't held")
	case h.work == mustAsk:
		c.ask(i, d)
	case h.work == mustEnd:
		if r.state == held && r.token == 1+uint8(i) || c.off.has(underLease) {
			c.effect(i, d, "%i writes into %c that it has failed, by the person's word")
		} else {
			c.goes("%i finds that the lease isn't its own any more", i, ready)
		}
	}
}

func (c *endSteps) refuse(i, d int, words string) {
	c.step(words, i, d, func(t *office) { c.mark(t, i, d, refused) })
}

// mark is a script that compares claim and marks; see act.
func (c *endSteps) mark(t *office, i, d int, mark uint8) {
	t.half[d].act[t.hand[i].act].mark = mark
	t.hand[i].work = ready
}

// cancel is one script: it rejects what was never sent (A8).
func (c *endSteps) cancel(i, d int) {
	switch state := c.s.half[d].state; {
	case state == fresh || c.off.has(neverSent) && (state == doubted || state == held):
		c.effect(i, d, "%i writes into %c that it is rejected, by the person's word")
	case state == doubted:
		c.step("%i refuses in %c: it may have been sent, and is held", i, d, func(t *office) {
			c.mark(t, i, d, refused)
			t.half[d].state = held
		})
	default:
		c.refuse(i, d, "%i refuses in %c: it may have been sent, or has ended")
	}
}

// ask is the question after the action was read, and what it leads to.
func (c *endSteps) ask(i, d int) {
	s, r := c.s, &c.s.half[d]
	yes := c.acts[s.hand[i].act] == endedPaid
	switch {
	case r.state != held || r.token != 1+uint8(i):
		c.goes("%i finds that the lease isn't its own any more", i, ready)
	case s.sent > 0 && !s.hidden:
		mark := uint8(refused)
		if yes {
			mark = done
		}
		c.step("%i asks the provider: paid; %c has it", i, d, func(t *office) { c.mark(t, i, d, mark); t.half[d].state = byProvider })
	case yes:
		c.refuse(i, d, "%i asks the provider: no record; it refuses in %c")
	case r.proven || c.force || c.off.has(enoughAsks):
		c.goes("%i asks the provider: no record", i, mustEnd)
	default:
		c.refuse(i, d, "%i asks the provider: no record, but not often enough; it refuses in %c")
	}
}

// effect is the script that ends the payout. It checks the deadline, and notes that the effect is made.
func (c *endSteps) effect(i, d int, words string) {
	s := c.s
	k := s.hand[i].act
	if s.half[d].act[k].over && !c.off.has(checkedDeadline) {
		c.goes("%i finds the deadline passed", i, ready)
		return
	}
	c.step(words, i, d, func(t *office) {
		r := &t.half[d]
		switch w := t.word[k]; {
		case r.state == byProvider || r.state == paidKept:
			t.bad = against
		case !w.agreed:
			t.bad = alone1
		case w.late:
			t.bad = tooLateFor
		}
		r.state, r.by, r.vouched, r.ended, r.act[k].made = byPerson, 1+k, false, true, true
		t.hand[i].work = mustDecideEnd
		if c.off.has(doneVouched) {
			r.act[k].mark = done
		}
	})
}

// decideEnd is the decision of an end, the look, and what follows: a script that vouches for it, or the result at once.
func (c *endSteps) decideEnd(i, d int) {
	s, h := c.s, c.s.hand[i]
	switch h.work {
	case mustDecideEnd:
		if c.off.has(decidedEnd) {
			c.step("%i decides nothing, and announces what the person has said", i, 0, func(t *office) { t.saidEnd, t.written = true, logEnd; t.hand[i].work = ready })
			return
		}
		write := func(t *office) {
			w := &t.word[h.act]
			if s.fence == h.lease {
				w.took, t.written = true, logFirst<<h.act
			}
			w.void = w.void || c.off.has(validEnd) && s.fence != h.lease
		}
		c.step("%i decides the end", i, 0, func(t *office) {
			write(t)
			t.hand[i].work, t.hand[i].void = mustLookEnd, s.fence != h.lease
		})
		if c.calm {
			return
		}
		c.step("%i decides the end, and the acknowledgement is lost", i, 0, func(t *office) { write(t); t.hand[i].work = ready })
	case mustLookEnd:
		if h.void {
			c.goes("%i sees a foreign fence; the epoch is over for it", i, ready)
		} else {
			c.goes("%i looks: no foreign fence", i, mustVouch)
		}
	case mustVouch:
		c.step("%i announces what the person has said", i, 0, func(t *office) { t.saidEnd, t.written, t.hand[i].work = true, logEnd, mustForget })
		if d < 0 || s.half[d].state != byPerson || s.half[d].by != 1+h.act {
			return
		}
		c.step("%i notes in %c that the end is decided and looked: done", i, d, func(t *office) {
			e := &t.half[d].act[h.act]
			if e.mark == nothing {
				if e.mark = done; c.off.has(deadlineLast) && e.over {
					e.mark = expired
				}
			}
			t.half[d].vouched, t.hand[i].work = true, ready
		})
	case mustForget:
		if s.half[d].state == byPerson && s.half[d].by == 1+h.act {
			c.step("%i notes in %c that it is announced", i, d, func(t *office) { t.half[d].state, t.hand[i].work = endKept, ready })
		}
		c.goes("%i drops its lease", i, ready)
	}
}
