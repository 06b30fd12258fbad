package model

import "testing"

// The model of what is parked, and of a batch's cancel: A4 and A10. It has one payout of the batch, two instances, and
// one Redis that may be wiped or set back. A send is no matter here, only that somebody may begin one. The
// steps of an instance's worker and of its sweep run beside each other, also within one instance.

// How far the payout is.
const (
	notYet    = iota // its command comes later
	scheduled        // it waits for its notBefore
	due
	parked
	reviewed // cancelled, to be ended
	over
)

// yard is everything in this model.
type yard struct {
	topic  [mostActions]uint8
	length uint8
	early  bool // notBefore is still to come
	redis  lot
	old    lot // what disk or replica have
	frozen bool
	passed bool // a pass was through, in any epoch
	said   bool // an outcome of the cancel stands
	faults uint8
	person [instances]follower
	bad    bool // leased though its view has it as paused
}

// lot is Redis.
type lot struct {
	open   bool
	state  uint8
	offset uint8 // the largest view under which something was parked or brought back
	pass   uint8 // of the cancel: 1 begun, 2 through, 3 never to be
	cancel uint8 // the view under which the pass began
	others bool  // its outcome stood before this epoch: what an older view inserts waits until it is due
}

// follower is an instance.
type follower struct {
	read   uint8
	owes   bool  // it has read something, and hasn't swept since
	sweeps uint8 // 1 + the view of the sweep that is on its way
	task   uint8 // what is on its way: a state to write
	view   uint8 // and its view
}

// The rules that a run can leave out.
const (
	keptOffset rule = 1 << iota
	raisedAlways
	sweptAtChange
	sweptAtOpening
	sweptByMinute
	neverParked
	leasedByName
	insertAsks
	insertOffset
	passAgain
	passNeverExpires
)

type parkRun struct {
	off    rule
	writes []uint8
	faults int
	dies   bool // instances die; then each minute's sweep must do
	early  bool // the payout has a notBefore
}

var (
	prompt = parkRun{writes: []uint8{firstPause, resumeAll, secondPause}, faults: 1}
	lasts  = parkRun{writes: []uint8{firstPause, resumeAll}, faults: 1, dies: true}
	now    = parkRun{writes: []uint8{firstPause, cancelBatch}}
	batch  = parkRun{writes: []uint8{firstPause, cancelBatch}, faults: 1, early: true}
)

var parkRules = []struct {
	off  rule
	name string
	rule string
	in   parkRun
}{
	{keptOffset, "A4 offset", "an older view parks nothing", prompt},
	{raisedAlways, "A4 raised", "a sweep raises the offset also where it brings nothing back", prompt},
	{sweptAtChange, "A4 at each change", "what is parked is swept at each change", prompt},
	{sweptAtOpening, "A4 at each opening", "and at each epoch's opening", prompt},
	{sweptByMinute, "A4 every minute", "and every minute", lasts},
	{neverParked, "A4 cancelled", "a cancelled payout never parks", now},
	{leasedByName, "A4 asked before the lease", "a payout is parked from where it waits, not from its lease", prompt},
	{insertAsks, "A10 insert", "what comes later is met by the insert", batch},
	{insertOffset, "A10 insert's view", "an insert with an older view than the cancel is looked at again", batch},
	{passAgain, "A10 again", "the pass begins again in each epoch, while its outcome doesn't stand", batch},
	{passNeverExpires, "A10 never expires", "the pass is exempt from the expiry of what was recorded before the epoch", batch},
}

// Nothing stays parked without a reason in force, and a batch's cancel leaves nothing behind.
func TestWhatIsParked(t *testing.T) {
	for name, o := range map[string]parkRun{"nobody dies": prompt, "instances die": lasts, "a batch's cancel": batch} {
		t.Run(name, func(t *testing.T) {
			quick(t, !o.early)
			t.Parallel()
			o.explore().clean(t)
		})
	}
}

// Without any one of the rules it isn't so, and the log says how.
func TestEveryRuleOfParkingIsNeeded(t *testing.T) {
	for _, g := range parkRules {
		t.Run(g.name, func(t *testing.T) {
			t.Parallel()
			o := g.in
			o.off = g.off
			o.explore().disaster(t, g.name, g.rule)
		})
	}
}

func (o parkRun) explore() *exploration[yard] {
	e := &exploration[yard]{first: []yard{{early: o.early, faults: uint8(o.faults), redis: lot{open: true}}}}
	e.steps = func(s *yard, take func(deed, yard)) {
		c := parkSteps{o, s, take}
		c.people()
		c.world()
		for i := range s.person {
			c.follow(i)
			c.work(i)
			c.pass(i)
		}
	}
	e.wrong = func(s *yard) string {
		c := parkSteps{o, s, nil}
		switch {
		case s.bad:
			return "a payout became sending though it was paused all the time: a crash makes a hold of it"
		case !c.quiet():
		case s.redis.state == parked && c.stays():
			return "parked, and nothing in force parks it"
		case s.redis.state == scheduled && s.redis.pass >= 2 && s.wrote(cancelBatch) && !s.redis.others:
			return "the cancel is through, and a payout of the batch still waits for its time"
		}
		return ""
	}
	return e
}

// parkSteps are the steps from one state.
type parkSteps struct {
	parkRun
	s    *yard
	take func(deed, yard)
}

func (c *parkSteps) step(words string, who int, change func(t *yard, n *follower)) {
	t := *c.s
	change(&t, &t.person[who])
	c.take(deed{words: words, who: uint8(who)}, t)
}

// quiet tells that everybody has read everything, and nothing is on its way.
func (c *parkSteps) quiet() bool {
	for _, n := range c.s.person {
		if n.read < c.s.length || n.owes || n.sweeps != 0 || n.task != 0 {
			return false
		}
	}
	return c.s.redis.open
}

// stays tells whether a parked payout stays so, though nothing in force parks it. Where instances die, each minute's sweep
// must bring it back.
func (c *parkSteps) stays() bool {
	stands := c.stands(c.s.length)
	if stands == byFirst || stands == bySecond || stands == byFirst|bySecond {
		return false
	}
	if c.dies && !c.off.has(sweptByMinute) {
		after := c.s.redis
		c.sweep(&after, c.s.length)
		return after.state == parked
	}
	return true
}

func (s *yard) wrote(kind uint8) bool {
	for _, k := range s.topic[:s.length] {
		if k == kind {
			return true
		}
	}
	return false
}

// people write pauses, a resume, a batch's cancel.
func (c *parkSteps) people() {
	for _, kind := range c.writes {
		if c.s.wrote(kind) || kind == resumeAll && !c.s.wrote(firstPause) || kind == secondPause && !c.s.wrote(resumeAll) {
			continue
		}
		c.step(said[kind], 0, func(t *yard, _ *follower) { t.topic[t.length] = kind; t.length++ })
	}
}

// stands is what is in force in a view.
func (c *parkSteps) stands(view uint8) (stands uint8) {
	for _, kind := range c.s.topic[:view] {
		switch kind {
		case firstPause:
			stands |= byFirst
		case secondPause:
			stands |= bySecond
		case cancelBatch:
			stands |= byCancel
		case resumeAll:
			stands &= byCancel
		}
	}
	return stands
}

// place is where A0 puts a payout that was never sent; 0 leaves it where it is.
func (c *parkSteps) place(view uint8) uint8 {
	switch stands := c.stands(view); {
	case stands&byCancel != 0 && !c.off.has(neverParked):
		return reviewed
	case stands != 0:
		return parked
	}
	return 0
}

// world is time and what breaks. What was on its way is of an epoch that is over.
func (c *parkSteps) world() {
	s := c.s
	if s.early {
		c.step("the payout's notBefore comes", 0, func(t *yard, _ *follower) {
			if t.early = false; t.redis.state == scheduled {
				t.redis.state = due
			}
			if t.old.state == scheduled {
				t.old.state = due
			}
		})
	}
	loses := func(t *yard, to lot) {
		t.redis, t.old, t.frozen = to, lot{}, false
		t.redis.open = false
		for i := range t.person {
			n := &t.person[i]
			n.sweeps, n.task, n.view = 0, 0, 0
		}
	}
	if s.faults > 0 {
		c.step("Redis is wiped", 0, func(t *yard, _ *follower) { t.faults--; loses(t, lot{}) })
		c.step("Redis' replica and disk get nothing more from here on", 0, func(t *yard, _ *follower) {
			t.faults--
			t.old, t.frozen = t.redis, true
		})
	}
	if s.frozen {
		c.step("Redis comes back as disk or replica had it", 0, func(t *yard, _ *follower) { loses(t, t.old) })
	}
	if s.redis.state == reviewed && s.redis.open {
		c.step("the review ends the cancelled payout", 0, func(t *yard, _ *follower) { t.redis.state = over })
	}
}

// follow reads the topic, opens epochs, and sweeps.
func (c *parkSteps) follow(i int) {
	s, n := c.s, c.s.person[i]
	if n.read < s.length {
		c.step("%i reads the next record", i, func(_ *yard, n *follower) { n.read++; n.owes = !c.off.has(sweptAtChange) })
	}
	if c.dies {
		c.step("%i dies, starts again, and reads all records", i, func(t *yard, n *follower) { *n = follower{read: t.length} })
	}
	if !s.redis.open {
		c.step("%i opens an epoch", i, func(t *yard, n *follower) {
			t.redis.open = true
			n.owes = n.owes || !c.off.has(sweptAtOpening)
			switch {
			case c.off.has(passNeverExpires) && t.wrote(cancelBatch):
				t.redis.pass = 3
			case t.said || t.passed && c.off.has(passAgain):
				t.redis.pass, t.redis.cancel, t.redis.others = 2, 0, t.said
			default:
				t.redis.pass, t.redis.cancel = 0, 0
			}
		})
		return
	}
	if n.owes && n.sweeps == 0 {
		c.step("%i begins a sweep by what it has read", i, func(_ *yard, n *follower) { n.owes, n.sweeps = false, 1+n.read })
	}
	if n.sweeps != 0 {
		c.step("%i's sweep runs in Redis", i, func(t *yard, n *follower) {
			c.sweep(&t.redis, n.sweeps-1)
			n.sweeps = 0
		})
	}
}

// sweep is a script: it brings back what is parked and has no reason in this view.
func (c *parkSteps) sweep(r *lot, view uint8) {
	found := false
	if r.state == parked && view >= r.offset {
		switch c.place(view) {
		case 0:
			r.state, found = due, true
		case reviewed:
			r.state, found = reviewed, true
		}
	}
	if found || !c.off.has(raisedAlways) {
		r.offset = max(r.offset, view)
	}
}

// work inserts, looks at what is due, parks, moves to the review, or leases.
func (c *parkSteps) work(i int) {
	s, n := c.s, c.s.person[i]
	if !s.redis.open {
		return
	}
	if n.task != 0 {
		c.step(map[uint8]string{
			scheduled: "%i inserts the payout", parked: "%i's script parks it, unless a newer view came first", reviewed: "%i's script moves it to the review",
		}[n.task], i, func(t *yard, n *follower) {
			c.write(t, n)
			n.task, n.view = 0, 0
		})
		return
	}
	switch place := c.place(n.read); {
	case s.redis.state == notYet:
		c.step("%i reads the payout's command, and asks what stops it", i, func(_ *yard, n *follower) { n.task, n.view = scheduled, n.read })
	case s.redis.state != due:
	case place != 0 && c.off.has(leasedByName):
		c.step("%i leases the payout, and finds that it is paused", i, func(t *yard, _ *follower) { t.bad = true })
	case place != 0:
		c.step("%i finds the payout due, and asks what stops it", i, func(_ *yard, n *follower) { n.task, n.view = place, n.read })
	default:
		c.step("%i leases the payout to send it", i, func(t *yard, _ *follower) { t.redis.state = over })
	}
}

// write is the script that was on its way.
func (c *parkSteps) write(t *yard, n *follower) {
	r := &t.redis
	switch {
	case n.task == scheduled && r.state == notYet:
		if r.state = due; t.early {
			r.state = scheduled
		}
		if c.place(n.view) == reviewed && !c.off.has(insertAsks) || n.view < r.cancel && !c.off.has(insertOffset) {
			r.state = reviewed
		}
	case n.task == parked && r.state == due && (n.view >= r.offset || c.off.has(keptOffset)):
		r.state, r.offset = parked, max(r.offset, n.view)
	case n.task == reviewed && r.state == due:
		r.state = reviewed
	}
}

// pass is the batch's cancel: it goes through what is open. Who dies in it is taken over.
func (c *parkSteps) pass(i int) {
	r, n := c.s.redis, c.s.person[i]
	if !r.open || c.stands(n.read)&byCancel == 0 {
		return
	}
	switch r.pass {
	case 0:
		c.step("%i begins the batch's cancel in Redis", i, func(t *yard, n *follower) { t.redis.pass, t.redis.cancel = 1, n.read })
	case 1:
		c.step("%i goes through the batch's payouts; the cancel is through", i, func(t *yard, _ *follower) {
			if s := t.redis.state; s == scheduled || s == due || s == parked && !c.off.has(neverParked) {
				t.redis.state = reviewed
			}
			t.redis.pass, t.passed = 2, true
		})
	case 2:
		c.step("%i publishes the cancel's outcome", i, func(t *yard, _ *follower) { t.said = true })
	}
}
