package model

// intake inserts the payout's command, which may come at any time, also once more after a wipe.
func (c *standSteps) intake(i, at int) {
	n, r := c.s.clerk[i], c.s.shard[at]
	switch {
	case at != c.shards-1: // the payout is another shard's
	case n.insert[at] == 0 && r.state == notYet:
		c.step("%i reads the command of %c's payout", i, at, func(_ *desk, n *clerk, _ *cell) { n.insert[at] = 1 + n.read })
	case n.insert[at] == 0:
	case n.insert[at] == 1 && r.passed && !c.off.has(notedByPass):
		c.step("%c refuses %i's insert: it hasn't read the cancel", i, at, func(_ *desk, n *clerk, _ *cell) { n.insert[at] = 0 })
	default:
		c.step("%i inserts the payout into %c", i, at, func(t *desk, n *clerk, r *cell) {
			if r.state == notYet {
				if r.state = scheduled; c.said(t, n.insert[at]-1).stands && !c.off.has(intakeAsks) {
					r.state = reviewed
				}
			}
			n.insert[at] = 0
		})
	}
}

// sends is A0 before a lease: what is due is sent, or goes to the lane of reviews.
func (c *standSteps) sends(i, at int) {
	switch n, r := c.s.clerk[i], c.s.shard[at]; {
	case r.state != due:
	case c.said(c.s, n.read).stands:
		c.step("%i finds the payout of %c due and cancelled: it is reviewed", i, at, func(_ *desk, _ *clerk, r *cell) { r.state = reviewed })
	default:
		c.step("%i sends the payout of %c", i, at, func(_ *desk, _ *clerk, r *cell) { r.state = over })
	}
}

// review ends a cancelled payout, once the topic says that the cancel stands.
func (c *standSteps) review(i, at int) {
	n, r := c.s.clerk[i], c.s.shard[at]
	view := c.said(c.s, n.read)
	switch {
	case n.reviews[at] == toSay:
		c.step("%i writes that the cancel STANDS", i, at, func(t *desk, n *clerk, _ *cell) { t.write(itStands); n.reviews[at] = noReview })
	case n.reviews[at] == toEnd:
		c.step("%i ends the payout of %c by the cancel", i, at, func(t *desk, n *clerk, r *cell) {
			if r.state == reviewed {
				r.state, t.ended = rejectedByIt, true
			}
			n.reviews[at] = noReview
		})
	case r.state != reviewed:
	case !view.stands:
		c.step("%i's review finds nothing that stops the payout of %c", i, at, func(_ *desk, _ *clerk, r *cell) { r.state = due })
	case view.firm || c.off.has(standsFirst):
		c.step("%i counts in %c that the payout is about to end by the cancel", i, at, func(_ *desk, n *clerk, r *cell) {
			if r.touched, n.reviews[at] = true, toEnd; r.mark == refusal {
				r.mark, r.told = 0, false
			}
		})
	default:
		c.step("%i's review finds the payout of %c cancelled, and not that the cancel stands", i, at, func(_ *desk, n *clerk, _ *cell) { n.reviews[at] = toSay })
	}
}

// pass goes through what is open in a shard, and marks what came of that.
func (c *standSteps) pass(i, at int) {
	n, r := c.s.clerk[i], c.s.shard[at]
	view := c.said(c.s, n.read)
	mine := r.claim == 1+uint8(i)
	switch {
	case n.read == 0 || view.refused || view.told[at]:
	case r.mark == refusal && view.firm && !c.off.has(voidMarkEnds):
		c.step("%i finds the mark of %c void: the cancel stands", i, at, func(_ *desk, _ *clerk, r *cell) { r.mark, r.told = 0, false })
	case r.mark != 0:
		if !r.told && n.says[at] == 0 {
			c.step("%i finds the action marked in %c, and sees no foreign fence", i, at, func(_ *desk, n *clerk, r *cell) { n.says[at] = r.mark })
		}
	case r.claim == 0:
		c.step("%i claims the cancel in %c, and begins a pass", i, at, func(_ *desk, n *clerk, r *cell) {
			r.claim, r.passed, n.looked[at] = 1+uint8(i), true, false
		})
	case !mine:
	case !n.looked[at]:
		c.step("%i goes through the open payouts of %c", i, at, func(_ *desk, n *clerk, r *cell) {
			switch r.state {
			case scheduled, due:
				r.state = reviewed
			case reviewed: // until a pass meets nothing that waits
			default:
				n.looked[at] = true
			}
		})
	default:
		c.conclude(i, at, view)
	}
}

// conclude marks what a pass has come to. Without a payout that is known shard 0 refuses, as the last one.
func (c *standSteps) conclude(i, at int, view heard) {
	r := c.s.shard[at]
	blind := r.old && !c.off.has(newEpochKnowsNothing)
	mark := func(words string, word uint8) {
		c.step(words, i, at, func(_ *desk, n *clerk, r *cell) {
			if n.looked[at], r.claim = false, 0; word != refusal || !r.touched {
				r.mark = word
			}
		})
	}
	knows := r.touched || r.state == rejectedByIt || r.state == over
	switch {
	case at == 1 && (knows || blind && !c.off.has(othersMayNotKnow)):
		mark("%i marks in %c: done", doneBy1Some)
	case at == 1:
		mark("%i marks in %c: done, nothing of it is known here", doneBy1)
	case knows || blind || view.firm:
		mark("%i marks in %c: done", doneBy0)
	case c.shards == 2 && !view.told[1] && !c.off.has(shard0Last):
		c.step("%i waits until the other shard has spoken, and looks again", i, at, func(_ *desk, n *clerk, _ *cell) { n.looked[at] = false })
	case c.shards == 2 && view.knew:
		mark("%i marks in %c: done", doneBy0)
	default:
		mark("%i marks in %c: refused, nobody knows the batch", refusal)
	}
}

// publish writes what was marked. It may come much later, also after the epoch of the mark.
func (c *standSteps) publish(i, at int) {
	word := c.s.clerk[i].says[at]
	if word == 0 {
		return
	}
	said := [...]string{refusal: "REFUSED", doneBy0: "DONE in shard 0", doneBy1: "DONE in shard 1, which knows nothing of it", doneBy1Some: "DONE in shard 1"}[word]
	c.step("%i publishes: "+said, i, at, func(t *desk, n *clerk, r *cell) {
		t.write(word)
		n.says[at] = 0
		if r.mark == word {
			r.told = true
		}
	})
}
