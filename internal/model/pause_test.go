package model

import "testing"

// No send begins later than staleness after a pause or a cancellation that covers it was acknowledged.
func TestWhatIsPausedIsNotSent(t *testing.T) {
	for _, k := range pauseRuns {
		t.Run(k.name, func(t *testing.T) {
			quick(t, k.name == pauseRuns[0].name)
			t.Parallel()
			k.explore().clean(t)
		})
	}
}

// Without any one of the rules one does, and the log says how.
func TestEveryRuleOfPausesIsNeeded(t *testing.T) {
	for _, g := range pauseRules {
		t.Run(g.name, func(t *testing.T) {
			t.Parallel()
			o := g.in
			o.off = g.off
			o.explore().disaster(t, g.name, g.rule)
		})
	}
}

func (o pauseRun) explore() *exploration[room] {
	e := &exploration[room]{first: []room{{faults: uint8(o.faults)}}}
	e.steps = func(s *room, take func(deed, room)) {
		c := pauseSteps{o, s, take}
		c.people()
		c.kafka()
		for i := range s.reader {
			if i == 0 || o.both {
				c.follow(uint8(i))
				c.send(uint8(i))
			}
		}
	}
	e.wrong = func(s *room) string {
		switch s.bad {
		case 1:
			return "sent though a person has paused or cancelled it"
		default:
			return ""
		}
	}
	return e
}

// pauseSteps are the steps from one state.
type pauseSteps struct {
	pauseRun
	s    *room
	take func(deed, room)
}

func (c *pauseSteps) step(words string, who uint8, change func(t *room, n *reader)) {
	t := *c.s
	change(&t, &t.reader[who])
	if !c.off.has(bothClocks) {
		for i := range t.reader {
			t.reader[i].time = 0
		}
	}
	c.take(deed{words: words, who: who}, t)
}

var said = map[uint8]string{
	firstPause: "Alice writes pause P1", resumeAll: "Alice writes a resume of all that stands", secondPause: "Alice writes pause P2",
	cancelBatch: "Alice cancels the batch", confirmed: "Bob confirms the resume", selfConfirmed: "Alice confirms her own resume",
	forgedPause: "somebody writes an unsigned pause with the id that Alice's cancel will have", forgedResume: "somebody writes an unsigned resume",
	resumeCopy: "the producer's retry of the resume arrives: a copy",
}

// people write records, in any order that has a sense.
func (c *pauseSteps) people() {
	s := c.s
	if s.served != s.length || s.anew && s.back != 2 {
		return // a new leader acknowledges nothing before it knows its end; and nobody writes to a topic that no one believes
	}
	for _, kind := range c.writes {
		wrote := func(k uint8) bool { return s.wrote>>k&1 == 1 }
		switch {
		case wrote(kind), s.length == mostActions:
			continue
		case kind == resumeAll && !wrote(firstPause) && !wrote(forgedPause), kind == forgedPause && wrote(cancelBatch):
			continue
		case (kind == confirmed || kind == selfConfirmed || kind == resumeCopy) && !wrote(resumeAll):
			continue
		}
		c.step(said[kind], 0, func(t *room, _ *reader) {
			t.wrote |= 1 << kind
			t.append(kind)
			c.truth(t, kind)
		})
	}
}

func (s *room) append(kind uint8) {
	s.topic[s.length] = kind
	s.length++
	s.served = s.length
}

// truth is what people mean by it, whoever knows of it.
func (c *pauseSteps) truth(t *room, kind uint8) {
	switch kind {
	case firstPause:
		t.stands |= byFirst
	case secondPause:
		t.stands |= bySecond
	case cancelBatch:
		t.stands |= byCancel
	case resumeAll:
		if t.before = t.stands &^ byCancel; !c.two {
			t.stands &^= t.before
		}
	case confirmed:
		t.stands &^= t.before
	}
}

// view is what an instance believes to be in force, by what it has read.
func (c *pauseSteps) view(n *reader) (stands uint8) {
	lifts, taken := uint8(0), false
	for _, kind := range c.s.topic[:n.read] {
		switch kind {
		case firstPause:
			stands |= byFirst
		case secondPause:
			stands |= bySecond
		case forgedPause:
			stands |= byForged
			taken = c.off.has(signedPlace)
		case cancelBatch:
			if !taken {
				stands |= byCancel
			}
		case resumeAll:
			if lifts = stands &^ byCancel; !c.two {
				stands &^= lifts
			}
		case confirmed, selfConfirmed:
			if c.off.has(ownPlace) {
				lifts = stands &^ byCancel
			}
			if kind == confirmed || c.off.has(otherPerson) {
				stands &^= lifts
			}
		case forgedResume:
			if c.off.has(signedOnly) {
				stands &= byCancel
			}
		case resumeCopy:
			if c.off.has(firstCopy) {
				stands &= byCancel
			}
		}
	}
	return stands
}

// kafka is what happens to the topic, and time.
func (c *pauseSteps) kafka() {
	s := c.s
	if s.passed < s.length {
		c.step("staleness passes since the next record was acknowledged", 0, func(t *room, _ *reader) {
			kind := t.topic[t.passed]
			t.due |= map[uint8]uint8{firstPause: byFirst, secondPause: bySecond, cancelBatch: byCancel}[kind]
			t.passed++
			for i := range t.reader {
				if n := &t.reader[i]; !n.asleep {
					n.time = t.passed
				}
			}
		})
	}
	if s.served < s.length {
		c.step("the new leader knows its end again", 0, func(t *room, _ *reader) { t.served = t.length })
	}
	if s.faults == 0 {
		return
	}
	if c.leader && s.length > 0 && s.served == s.length {
		c.step("the partition's leader dies; the next one doesn't know yet that the last record is acknowledged", 0, func(t *room, _ *reader) {
			t.faults--
			t.served--
		})
		if last := s.length - 1; c.off.has(allReplicas) && s.reader[0].read <= last && s.reader[1].read <= last {
			c.step("the partition's leader dies; no replica has the last record", 0, func(t *room, _ *reader) {
				t.faults--
				t.length--
				t.topic[last] = 0
				t.served, t.passed = t.length, min(t.passed, t.length)
			})
		}
	}
	if c.anew {
		c.makeAnew()
	}
}

// makeAnew is a topic that is deleted and made again, after somebody has obeyed all that stands in it. What nobody has read yet
// is lost with it, as with any record that Kafka loses.
func (c *pauseSteps) makeAnew() {
	s := c.s
	c.step("Redis is wiped, or forgets what the epoch's key had of actions", 0, func(t *room, _ *reader) { t.faults--; t.inKey = 0 })
	obeyed := false
	for i := range s.reader {
		n := &s.reader[i]
		obeyed = obeyed || n.read == s.length && c.isFresh(n)
	}
	if s.anew || s.length == 0 || s.passed != s.length || !obeyed {
		return
	}
	c.step("the topic is deleted and made anew", 0, func(t *room, _ *reader) {
		t.faults--
		t.anew, t.topic, t.length, t.served, t.passed = true, [mostActions]uint8{}, 0, 0, 0
		for i := range t.reader {
			n := &t.reader[i]
			*n = reader{lost: n.read > 0, leased: n.leased, begun: n.begun}
		}
	})
}

// isFresh is A2.
func (c *pauseSteps) isFresh(n *reader) bool {
	s, now := c.s, c.s.passed
	if c.off.has(bothClocks) {
		now = n.time
	}
	known := max(s.inKey, s.inLog)
	return n.fresh && !n.lost && n.read >= n.end &&
		(n.looked >= now || c.off.has(youngView)) &&
		(known >= n.read || s.anew || c.off.has(recordedFirst))
}

// stops is A0.
func (c *pauseSteps) stops(n *reader) bool { return !c.isFresh(n) || c.view(n) != 0 }

// matches is A1: the topic holds the action that is recorded as the latest.
func (c *pauseSteps) matches() bool {
	return !c.s.anew || c.s.back == 2 || max(c.s.inKey, c.s.inLog) == 0
}

// follow reads the topic, and asks how long it is.
func (c *pauseSteps) follow(i uint8) {
	s, n := c.s, &c.s.reader[i]
	if n.asleep {
		c.step("%i's machine goes on", i, func(_ *room, n *reader) { n.asleep = false })
		return
	}
	if n.read < s.served && !n.lost {
		c.step("%i reads the next record", i, func(_ *room, n *reader) { n.read++ })
	}
	if n.asking == 0 && s.served == s.length {
		c.step("%i asks the leader for the topic's end; the answer is on its way", i, func(t *room, n *reader) {
			n.asking, n.asked, n.told, n.agrees = 1, t.length, t.length, c.matches()
		})
	}
	if n.asking == 1 {
		c.step("%i hears the topic's end", i, func(t *room, n *reader) { c.hear(t, n) })
	}
	if c.off.has(emptyFetch) && n.read == s.served {
		c.step("%i fetches and gets nothing", i, func(t *room, n *reader) { n.fresh, n.end, n.looked = true, n.read, t.length })
	}
	if known := max(s.inKey, s.inLog); n.read > known && !s.anew {
		c.step("%i writes the latest action into the epoch's key, and as an alive record", i, func(t *room, n *reader) {
			if t.inKey = n.read; !c.off.has(recordedInLog) {
				t.inLog = n.read
			}
		})
	}
	if *n != (reader{}) {
		c.step("%i dies and starts again", i, func(_ *room, n *reader) { *n = reader{time: c.s.passed} })
	}
	if c.off.has(bothClocks) {
		c.step("%i's machine is stopped, and its monotonic clock with it", i, func(_ *room, n *reader) { n.asleep = true })
	}
	c.wayOut()
}

// hear takes an answer for a look.
func (c *pauseSteps) hear(t *room, n *reader) {
	told, asked, agrees := n.told, n.asked, n.agrees
	n.asking, n.told, n.asked, n.agrees = 0, 0, 0, false
	if told < n.read {
		n.lost = true // another topic than the one it has read
	}
	if c.off.has(comparedBefore) {
		agrees = c.matches()
	}
	if !agrees && !(c.off.has(comparedEachLook) && n.begun) {
		return
	}
	n.fresh, n.end, n.looked, n.begun = true, told, asked, c.off.has(comparedEachLook)
	if c.off.has(sinceAsked) {
		n.looked = t.length
	}
}

// wayOut is the operator's command for a topic that was made anew.
func (c *pauseSteps) wayOut() {
	s := c.s
	if !s.anew || s.back == 2 {
		return
	}
	supersede := func(t *room) { t.back, t.inKey, t.inLog = 2, 0, 0 }
	write := func(t *room) {
		if t.stands&byFirst != 0 {
			t.append(firstPause)
		}
		if t.stands&bySecond != 0 {
			t.append(secondPause)
		}
	}
	if c.off.has(rewrittenFirst) {
		c.step("the operator supersedes what was recorded of the old topic", 0, func(t *room, _ *reader) { supersede(t) })
		return
	}
	if s.back == 0 {
		c.step("the operator writes again what was in force", 0, func(t *room, _ *reader) { t.back = 1; write(t) })
	} else {
		c.step("the operator supersedes what was recorded of the old topic", 0, func(t *room, _ *reader) { supersede(t) })
	}
}

// send begins a send: A0 is asked before the lease, and last before the first byte.
func (c *pauseSteps) send(i uint8) {
	n := &c.s.reader[i]
	if n.asleep {
		return
	}
	older := c.off.has(noOlder)
	if !n.leased {
		if older || !c.stops(n) {
			c.step("%i leases a payout for a send, and decides", i, func(_ *room, n *reader) { n.leased = true })
		}
		return
	}
	stopped := c.stops(n)
	if c.off.has(oneAnswer) {
		stopped = !c.isFresh(n) || c.view(n)&^byCancel != 0
	}
	if stopped && !c.off.has(checkedLast) && !older {
		c.step("%i stops at the last check, and gives the payout back", i, func(_ *room, n *reader) { n.leased = false })
		return
	}
	c.step("%i begins to SEND", i, func(t *room, n *reader) {
		n.leased = false
		if t.stands&t.due != 0 {
			t.bad = 1
		}
	})
}
