package model

import "testing"

// What a person ends is sent no more, and what is said of an action is true.
func TestWhatAPersonEnds(t *testing.T) {
	for _, k := range endRuns {
		t.Run(k.name, func(t *testing.T) {
			quick(t, false)
			t.Parallel()
			k.swaps = true
			k.explore().clean(t)
		})
	}
}

// Without any one of the rules it isn't so, and the log says how.
func TestEveryRuleOfEndsIsNeeded(t *testing.T) {
	for _, g := range endRules {
		t.Run(g.name, func(t *testing.T) {
			quick(t, false)
			t.Parallel()
			o := g.in
			o.off = g.off
			o.explore().disaster(t, g.name, g.rule)
		})
	}
}

func (o endRun) explore() *exploration[office] {
	first := office{fence: 1, lives: 1, left: uint8(o.faults)}
	first.half[0] = half{kind: serving, epoch: 1, state: o.start}
	e := &exploration[office]{first: []office{first}}
	if o.start != fresh {
		unsent := first
		unsent.decided = true
		e.first[0] = unsent
		e.first[0].sent = 1
		e.first = append(e.first, unsent)
		if hidden := e.first[0]; o.slow {
			hidden.hidden = true
			e.first = append(e.first, hidden)
		}
	}
	e.steps = func(s *office, take func(deed, office)) {
		c := endSteps{o, s, take}
		c.people()
		c.world()
		for i := range s.hand {
			c.work(i)
		}
	}
	e.wrong = o.wrong
	return e
}

// wrong is what must never be.
func (o endRun) wrong(s *office) string {
	switch {
	case s.bad != 0:
		return [...]string{
			sentAfter: "ended by a person, and sent afterwards", tooLateFor: "it takes effect though the person has given up on it",
			alone1: "one person alone did what needs two", against: "ended against what the provider had said",
			revived: "sent though this Redis had it as ended by a person",
		}[s.bad]
	case s.sent > 1:
		return "paid twice"
	case s.saidEnd && s.sent > 0 && !o.force:
		return "announced as ended by a person, and paid"
	case s.saidEnd && s.saidPaid:
		return "two outcomes announced"
	case s.saidPaid && s.sent == 0:
		return "announced as paid, and never paid"
	}
	for k, w := range s.word {
		if (w.outcome == refused || w.outcome == expired) && (w.took || s.saidEnd && o.acts[1] == noAction) {
			return "refused or expired is said of what took effect"
		}
		if w.outcome != done || o.acts[k] == endedPaid {
			continue
		}
		if !w.took {
			return "done is said of what no decision bears"
		}
		for _, d := range s.half {
			if d.kind == serving && d.epoch != 0 && d.epoch == s.fence && d.state != byPerson && d.state != endKept {
				return "done is said, and the payout isn't ended"
			}
		}
	}
	return ""
}

// endSteps are the steps from one state.
type endSteps struct {
	endRun
	s    *office
	take func(deed, office)
}

func (c *endSteps) step(words string, who, at int, change func(t *office)) {
	t := *c.s
	change(&t)
	c.news(&t)
	c.normal(&t)
	c.take(deed{words, uint8(who), uint8(at)}, t)
}

// log is what results and decisions say.
func (t *office) log() (says uint8) {
	for bit, is := range map[uint8]bool{logSend: t.decided, logHold: t.saidHeld, logPaid: t.saidPaid, logEnd: t.saidEnd, logFirst: t.word[0].took, logSecond: t.word[1].took} {
		if is {
			says |= bit
		}
	}
	return says
}

// news puts what is new in the log behind every watermark.
func (c *endSteps) news(t *office) {
	if !c.marks {
		t.written = 0
		return
	}
	for d := range t.half {
		h := &t.half[d]
		switch {
		case h.kind == gone:
		case *h == half{kind: serving}:
			h.news = t.log() // wiped: everything is replayed
		default:
			h.news |= t.written
		}
	}
	t.written = 0
}

// normal forgets what no longer means anything.
func (c *endSteps) normal(t *office) {
	for i := range t.hand {
		h := &t.hand[i]
		if c.lost(t, h) {
			*h = hand{}
		}
		for d := range t.half {
			if !h.live {
				t.half[d].waits &^= 1 << i
			}
			if h.work == ready && t.half[d].token == 1+uint8(i) {
				t.half[d].token = 0
			}
		}
	}
	for d := range t.half {
		h := &t.half[d]
		if b := h.building; b != 0 && t.hand[0].lease != b && t.hand[1].lease != b {
			h.building = 0
		}
		if h.state != leased && h.state != held {
			h.waits = 0
		}
		h.proven = h.proven && h.state == held
		if h.state != byPerson {
			h.by, h.vouched = 0, false
		}
		if h.state == paidKept || h.state == endKept || h.state == byProvider {
			h.token, h.ended = 0, false
		}
		for k := range h.act {
			e := &h.act[k]
			if h.epoch == 0 && !c.off.has(actionsNoted|notedBehind) {
				was := e.mark
				if *e = (entry{}); c.marks && was == done {
					e.mark = done // the opening says what becomes of it
				}
			}
			if e.mark != nothing {
				e.seen, e.over, e.claim = false, false, 0
			} else if e.made && !c.off.has(madeStays|deadlineLast) {
				e.seen, e.over = false, false
			}
		}
	}
	if c.swaps && less(t.hand[1], t.hand[0]) {
		t.swap()
	}
}

// lost tells whether an instance can only find that what it is at is over.
func (c *endSteps) lost(t *office, h *hand) bool {
	n := endSteps{s: t}
	switch h.work {
	case ready:
		return true
	case mustGiveBack, mustAct, mustAsk, mustEnd, mustForget:
		return n.open(h.lease) < 0
	case mustDecide:
		return t.fence != h.lease
	case mustDecideEnd:
		return t.fence != h.lease && !c.off.has(validEnd|decidedEnd)
	case mustLook, mustLookEnd:
		return h.void
	case mustFence, mustOpen:
		return t.half[0].building != h.lease && t.half[1].building != h.lease
	}
	return false
}

// swap gives each instance the other's name.
func (t *office) swap() {
	other := [...]uint8{0, 2, 1}
	t.hand[0], t.hand[1] = t.hand[1], t.hand[0]
	for d := range t.half {
		h := &t.half[d]
		h.token, h.waits = other[h.token], h.waits>>1|h.waits&1<<1
		for k := range h.act {
			h.act[k].claim = other[h.act[k].claim]
		}
	}
}

func less(a, b hand) bool {
	of := func(h hand) int {
		n := int(h.work)<<12 | int(h.lease)<<8 | int(h.act)<<7 | int(h.mark)<<2
		if h.live {
			n |= 2
		}
		if h.void {
			n |= 1
		}
		return n
	}
	return of(a) < of(b)
}

// people write actions and confirmations.
func (c *endSteps) people() {
	for k, w := range c.s.word {
		if c.acts[k] == noAction {
			continue
		}
		name := [...]string{cancelled: "a cancel of the payout", endedFailed: "that it has failed", endedPaid: "that it was paid"}[c.acts[k]]
		if !w.asked && (k == 0 || c.s.word[k-1].asked) {
			c.step("Alice writes "+name, 0, 0, func(t *office) { t.word[k].asked, t.word[k].agreed = true, !c.two })
		}
		if w.asked && !w.agreed {
			c.step("Bob confirms "+name, 0, 0, func(t *office) { t.word[k].agreed = true })
		}
		if w.asked && !w.late && w.outcome == nothing && c.late {
			c.step("so much time passes that Alice has given up on it", 0, 0, func(t *office) {
				t.word[k].late = true
				for d := range t.half {
					if e := &t.half[d].act[k]; e.seen {
						e.over = true
					}
				}
			})
		}
	}
}

// world is time, the provider, and what breaks.
func (c *endSteps) world() {
	s := c.s
	if s.hidden {
		c.step("the provider shows the order now", 0, 0, func(t *office) { t.hidden = false })
	}
	for i, h := range s.hand {
		if h.live {
			c.step("%i's lease ends", i, 0, func(t *office) { t.hand[i].live = false })
		}
		if h.work != ready && !c.calm {
			c.step("%i dies and starts again", i, 0, func(t *office) { t.hand[i] = hand{} })
		}
	}
	for d := range s.half {
		for k, e := range s.half[d].act {
			if e.claim != 0 && !c.calm {
				c.step("the claim in %c ends", 0, d, func(t *office) { t.half[d].act[k].claim = 0 })
			}
			if e.seen && !e.over && !c.calm {
				c.step("the action's deadline passes in %c", 0, d, func(t *office) { t.half[d].act[k].over = true })
			}
		}
		if h := &s.half[d]; c.marks && h.kind == serving && h.epoch != 0 && h.epoch == s.fence && h.news != 0 && (h.state != byPerson || h.vouched || c.off.has(markWaits)) {
			c.step("a watermark is written into %c", 0, d, func(t *office) { t.half[d].news = 0 })
		}
		c.breaks(d)
	}
}

// breaks is a wipe, a set-back or a split. What was opened on another run of the server is refused (E2).
func (c *endSteps) breaks(d int) {
	s := c.s
	other := 1 - d
	switch {
	case s.half[d].kind == serving && s.left > 0:
		if !c.splits {
			c.step("%c is wiped", 0, d, func(t *office) { t.half[d] = half{kind: serving}; t.left-- })
		}
		if s.half[other].kind == gone {
			c.step("%c's replica and disk get nothing more from here on", 0, d, func(t *office) {
				t.half[other] = t.half[d]
				t.half[other].kind, t.half[other].epoch, t.half[other].building = frozen, 0, 0
				t.left--
			})
		}
	case s.half[d].kind == frozen && c.splits:
		c.step("the replica is promoted beside its master: Redis is split, %c is the new half", 0, d, func(t *office) { t.half[d].kind = serving })
	case s.half[d].kind == frozen:
		c.step("Redis comes back as disk or replica had it", 0, d, func(t *office) {
			t.half[0] = t.half[d]
			t.half[0].kind = serving
			t.half[1] = half{}
		})
	}
}
