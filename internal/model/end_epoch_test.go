package model

// begins is E4a and E4b in one step: the building record, and the fence. Between them nothing happens that the first
// model doesn't have, but what A5 says of the actions' end.
func (c *endSteps) begins(i, d int) {
	s, h := c.s, &c.s.half[d]
	if h.kind != serving || h.epoch != 0 && h.epoch == s.fence || s.lives >= c.lives {
		return
	}
	early := c.off.has(notedBehind)
	c.step("%i begins an epoch in %c, and fences", i, d, func(t *office) {
		t.lives++
		t.half[d].epoch, t.half[d].building = 0, t.lives
		t.hand[i] = hand{work: mustOpen, lease: t.lives}
		if early {
			t.hand[i].work = mustFence
			c.note(t, d)
		} else {
			t.fence = t.lives
		}
	})
}

// note is the end of the actions: what stands before it isn't carried out in the epoch that begins.
func (c *endSteps) note(t *office, d int) {
	for k := range t.half[d].act {
		t.half[d].act[k].before = t.word[k].asked && !c.off.has(actionsNoted)
	}
}

// builds is the rest of E4: the ends are noted, everything is replayed, and the epoch opens.
func (c *endSteps) builds(i int) {
	h := c.s.hand[i]
	d := -1
	for at, r := range c.s.half {
		if r.kind == serving && r.building == h.lease {
			d = at
		}
	}
	switch {
	case d < 0:
		c.goes("%i finds its building record gone", i, ready)
	case h.work == mustFence:
		c.step("%i fences", i, d, func(t *office) { t.fence, t.hand[i].work = h.lease, mustOpen })
	case c.s.fence != h.lease:
		c.step("%i finds a later fence; it starts over", i, d, func(t *office) { t.half[d].building, t.hand[i].work = 0, ready })
	default:
		c.step("%i notes the ends, replays, and opens its epoch in %c", i, d, func(t *office) {
			if !c.off.has(notedBehind) {
				c.note(t, d)
			}
			c.replay(t, d)
			t.half[d].epoch, t.half[d].building, t.hand[i].work = h.lease, 0, ready
		})
	}
}

// replay merges what results and decisions say, by rank (E4d, A6), and says what became of actions (A5).
func (c *endSteps) replay(t *office, d int) {
	r := &t.half[d]
	log := t.log()
	if c.marks {
		log = r.news
	}
	for k := range r.act {
		e, w := &r.act[k], t.word[k]
		if !e.before {
			if !c.off.has(actionsNoted) {
				*e = entry{}
			}
			continue
		}
		was := e.mark
		*e = entry{before: true, mark: uncertain, public: w.outcome != nothing}
		if was == done || log&(logFirst<<k) != 0 {
			e.mark = done
		}
	}
	ended := uint8(0)
	for k, w := range t.word {
		if (log&(logFirst<<k) != 0 || w.void) && ended == 0 {
			ended = 1 + uint8(k)
		}
	}
	hold := log&logHold != 0 && (r.state == unknown || r.state == fresh || r.state == doubted || r.state == leased || r.state == byPerson && !r.vouched)
	switch {
	case log&logPaid != 0:
		r.state = paidKept
	case log&logEnd != 0:
		r.state = endKept
	case r.state == byProvider, r.state == paidKept, r.state == endKept:
		return
	case ended != 0 && !(c.off.has(fromMemory) && r.state == unknown) && !(c.off.has(aboveHold) && (hold || r.state == held)):
		r.state, r.by, r.vouched = byPerson, ended, true
	case hold:
		r.state = held
	case r.state == byPerson && !r.vouched && log&logSend == 0 && !c.off.has(ownEpoch):
		r.state = held
	case log&logSend == 0:
	case r.state == byPerson && !r.vouched && !c.off.has(ownBecomesHeld):
		r.state = held
	case r.state == held, r.state == byPerson && r.vouched:
	default:
		r.state = leased
	}
	if r.token = 0; r.state == leased || r.state == held && !c.off.has(raised) {
		r.waits, r.proven = 0, false
		for i, h := range t.hand {
			if h.live {
				r.waits |= 1 << i
			}
		}
	}
}
