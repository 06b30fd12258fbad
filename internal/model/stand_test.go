package model

import "testing"

// The model of a batch's cancel that is refused, or stands: A10. It has one payout of the batch, and up to two shards: then shard 0
// knows nothing of the batch. Each has one Redis that may be wiped. There are two instances. In each of them intake, reviews, passes
// and publishing run beside each other.

// What the topic says, in its order. Each is there once: what comes again says nothing new.
const (
	theCancel = 1 + iota
	refusal   // shard 0's
	itStands
	doneBy0
	doneBy1     // shard 1 knew nothing of the batch
	doneBy1Some // it did, or can't know
	mostWords   = doneBy1Some
)

// desk is everything in this model.
type desk struct {
	topic  [mostWords]uint8
	length uint8
	shard  [2]cell
	clerk  [instances]clerk
	faults uint8
	ended  bool // a payout has ended by the cancel
}

// cell is the journal of a shard.
type cell struct {
	open    bool
	old     bool // this epoch began after the cancel was recorded
	state   uint8
	before  bool // the payout waited when the cancel was recorded
	claim   uint8
	mark    uint8 // a word
	told    bool
	touched bool
	passed  bool // a pass has begun: who hasn't read the cancel inserts nothing
}

// clerk is an instance.
type clerk struct {
	read    uint8
	insert  [2]uint8 // 1 + the view of an insert on its way, by shard
	looked  [2]bool  // a pass has met nothing that waits
	says    [2]uint8 // a word that is about to be published; nothing takes it back
	reviews [2]uint8 // a review on its way
}

// rejectedByIt is how the cancel ends a payout. The other states are those of parking; over is sent here.
const rejectedByIt = over + 1

// What a review is about to do.
const (
	noReview = iota
	toSay    // that it stands
	toEnd
)

// The rules that a run can leave out.
const (
	standsFirst rule = 1 << iota
	refusalVoid
	standsVoid
	idStaysFree
	voidMarkEnds
	newEpochKnowsNothing
	shard0Last
	othersMayNotKnow
	notedByPass
	intakeAsks
)

type standRun struct {
	off    rule
	shards int
	faults int
	dies   bool
}

var (
	oneShard  = standRun{shards: 1, faults: 1, dies: true}
	twoShards = standRun{shards: 2, faults: 1}
)

var standRules = []struct {
	off  rule
	name string
	rule string
	in   standRun
}{
	{standsFirst, "A10 stands first", "nothing ends by a cancel before the topic says that it stands", oneShard},
	{refusalVoid, "A10 refusal void", "a refusal after that is void", oneShard},
	{standsVoid, "A10 stands void", "after a refusal it can't stand any more", oneShard},
	{idStaysFree, "A10 id free", "a refusal that is void takes no outcome's place", oneShard},
	{voidMarkEnds, "A10 void mark", "a mark that refuses what stands is void: the pass begins again", oneShard},
	{newEpochKnowsNothing, "A10 wiped", "an epoch that began after the cancel refuses nothing", oneShard},
	{shard0Last, "A10 shard 0 last", "shard 0 refuses only after the others have spoken", twoShards},
	{othersMayNotKnow, "A10 another shard, wiped", "a shard whose epoch began after the cancel doesn't count as knowing nothing", twoShards},
	{notedByPass, "A10 passed", "whoever hasn't read the cancel inserts nothing behind its pass", oneShard},
	{intakeAsks, "A10 insert", "what comes later is met by the insert", oneShard},
}

// A cancel is refused, or it stands, and nothing waits behind its pass.
func TestACancelIsRefusedOrStands(t *testing.T) {
	for name, o := range map[string]standRun{"one shard": oneShard, "two shards": twoShards} {
		t.Run(name, func(t *testing.T) {
			quick(t, false)
			t.Parallel()
			o.explore().clean(t)
		})
	}
}

// Without any one of the rules it isn't so, and the log says how.
func TestEveryRuleOfStandingIsNeeded(t *testing.T) {
	for _, g := range standRules {
		t.Run(g.name, func(t *testing.T) {
			quick(t, g.in.shards == 1)
			t.Parallel()
			o := g.in
			o.off = g.off
			o.explore().disaster(t, g.name, g.rule)
		})
	}
}

func (o standRun) explore() *exploration[desk] {
	first := desk{faults: uint8(o.faults)}
	for s := range o.shards {
		first.shard[s].open = true
	}
	e := &exploration[desk]{first: []desk{first}}
	e.steps = func(s *desk, take func(deed, desk)) {
		c := standSteps{o, s, take}
		c.world()
		c.works()
	}
	e.wrong = o.wrong
	return e
}

// wrong is what must never be.
func (o standRun) wrong(s *desk) string {
	all := o.said(s, s.length)
	if all.refused && s.ended {
		return "refused is said of what took effect, and the rest of the batch is sent"
	}
	for at := range o.shards {
		if c := s.shard[at]; all.refused && c.before && c.state != over {
			return "refused, though a payout of the batch has waited since before the cancel: it is sent"
		}
	}
	if !o.quiet(s) || all.refused || s.length == 0 {
		return ""
	}
	goesOn := false
	c := standSteps{o, s, func(_ deed, t desk) { goesOn = goesOn || t != *s }}
	c.works()
	for at := range o.shards {
		switch cell := s.shard[at]; {
		case all.told[at] && cell.state == scheduled && cell.mark != 0: // an outcome of an earlier epoch says nothing of this one
			return "the cancel is through, and a payout of the batch still waits for its time"
		case !goesOn && !all.told[at]:
			return "nobody can go on, and the cancel has no outcome"
		}
	}
	return ""
}

// quiet tells that everybody has read everything, and nothing is on its way.
func (o standRun) quiet(s *desk) bool {
	for _, n := range s.clerk {
		if (n != clerk{read: s.length}) {
			return false
		}
	}
	return s.shard[0].open && (o.shards == 1 || s.shard[1].open)
}

// heard is what a view makes of the topic.
type heard struct {
	stands  bool // the cancel is in force
	firm    bool // and can't be refused any more
	refused bool
	told    [2]bool // a shard's outcome counts
	knew    bool    // shard 1 knew of the batch, or couldn't know
}

// said folds the topic up to a view, as package acts does.
func (o standRun) said(s *desk, view uint8) (w heard) {
	taken := false // the id of shard 0's outcome
	for _, word := range s.topic[:view] {
		switch word {
		case theCancel:
			w.stands = true
		case refusal:
			switch {
			case taken:
			case w.firm && !o.off.has(refusalVoid):
				taken = o.off.has(idStaysFree)
			default:
				taken, w.refused, w.stands, w.firm, w.told[0] = true, true, false, false, true
			}
		case itStands:
			if !w.refused {
				w.firm = true
			} else if o.off.has(standsVoid) {
				w.firm, w.stands = true, true
			}
		case doneBy0:
			if !taken {
				taken, w.firm, w.told[0] = true, true, true
			}
		case doneBy1, doneBy1Some:
			if !w.told[1] {
				w.told[1], w.knew = true, word == doneBy1Some
			}
		}
	}
	return w
}

// standSteps are the steps from one state.
type standSteps struct {
	standRun
	s    *desk
	take func(deed, desk)
}

func (c *standSteps) step(words string, who, at int, change func(t *desk, n *clerk, r *cell)) {
	t := *c.s
	change(&t, &t.clerk[who], &t.shard[at])
	t.normal()
	c.take(deed{words: words, who: uint8(who), at: uint8(at)}, t)
}

// normal forgets what no longer means anything, and which instance is which.
func (t *desk) normal() {
	for at := range t.shard {
		r := &t.shard[at]
		if r.state == over || r.state == rejectedByIt {
			r.before = false
		}
		if r.mark != 0 {
			r.claim = 0
		}
		for i := range t.clerk {
			n := &t.clerk[i]
			if r.state != notYet {
				n.insert[at] = 0
			}
			if n.reviews[at] == toEnd && r.state != reviewed {
				n.reviews[at] = noReview
			}
			n.looked[at] = n.looked[at] && r.claim == 1+uint8(i)
		}
	}
	if t.clerk[1].number() < t.clerk[0].number() {
		t.clerk[0], t.clerk[1] = t.clerk[1], t.clerk[0]
		for at := range t.shard {
			t.shard[at].claim = [...]uint8{0, 2, 1}[t.shard[at].claim]
		}
	}
}

// number tells what an instance is at, so that two can be sorted.
func (n clerk) number() (sum uint64) {
	sum = uint64(n.read)
	for at := range n.insert {
		sum = sum<<12 | uint64(n.insert[at])<<6 | uint64(n.says[at])<<3 | uint64(n.reviews[at])<<1
		if n.looked[at] {
			sum |= 1
		}
	}
	return sum
}

// write adds a word to the topic, unless it stands there.
func (t *desk) write(word uint8) {
	for _, w := range t.topic[:t.length] {
		if w == word || w == doneBy1 && word == doneBy1Some || w == doneBy1Some && word == doneBy1 {
			return
		}
	}
	t.topic[t.length] = word
	t.length++
}

// world is the person, time, and what breaks.
func (c *standSteps) world() {
	if c.s.length == 0 {
		c.step("Alice writes a cancel of the batch", 0, 0, func(t *desk, _ *clerk, _ *cell) {
			t.write(theCancel)
			for s := range t.shard {
				t.shard[s].before = t.shard[s].state == scheduled || t.shard[s].state == due
			}
		})
	}
	for at := range c.shards {
		r := c.s.shard[at]
		if r.state == scheduled {
			c.step("the payout's notBefore comes in %c", 0, at, func(_ *desk, _ *clerk, r *cell) { r.state = due })
		}
		if r.claim != 0 {
			c.step("the claim in %c ends", 0, at, func(_ *desk, _ *clerk, r *cell) { r.claim = 0 })
		}
		if c.s.faults > 0 {
			c.step("%c is wiped", 0, at, func(t *desk, _ *clerk, r *cell) {
				t.faults--
				was := *r
				if *r = (cell{before: was.before}); was.state == over || was.state == rejectedByIt {
					r.state = was.state // it was decided, and the replay finds that
				}
				for i := range t.clerk { // the scripts of the epoch are refused; what is to be published isn't
					n := &t.clerk[i]
					n.insert[at], n.looked[at], n.reviews[at] = 0, false, noReview
				}
			})
		}
	}
	if c.dies {
		for i := range c.s.clerk {
			c.step("%i dies and starts again", i, 0, func(_ *desk, n *clerk, _ *cell) { *n = clerk{} })
		}
	}
}

// works are all that instances do.
func (c *standSteps) works() {
	for i, n := range c.s.clerk {
		if n.read < c.s.length {
			c.step("%i reads the next record", i, 0, func(_ *desk, n *clerk, _ *cell) { n.read++ })
		}
		for at := range c.shards {
			c.publish(i, at)
			if !c.s.shard[at].open {
				c.step("%i opens an epoch in %c", i, at, func(t *desk, _ *clerk, r *cell) {
					r.open, r.old = true, t.length > 0
				})
				continue
			}
			c.intake(i, at)
			c.sends(i, at)
			c.review(i, at)
			c.pass(i, at)
		}
	}
}
