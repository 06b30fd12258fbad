package disburse

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"disburser/payout"
	"disburser/payout/epochs"
	"disburser/payout/leases"
	"disburser/polling"
)

const (
	// idle is how long the loop sleeps at most when nothing is due: what other instances
	// take in is seen that late. busyPause is the same while there is work.
	idle      = 250 * time.Millisecond
	busyPause = 20 * time.Millisecond

	// breath is the least time between two looks, however often the loop is nudged: every
	// call that ends and every write does, and each look costs Redis a script. What comes
	// due meanwhile shares one lease and one decision.
	breath = 5 * time.Millisecond

	// crumbs is how long a lane waits for more free slots, where few are and more is due
	// than fits: a lease and a decision cost as much as the calls of a dozen payouts.
	crumbs = 15 * time.Millisecond

	// longestWait bounds a lane's pause for want of tokens: a provider's Retry-After may
	// be a minute, and rates may be changed meanwhile.
	longestWait = time.Second

	// largest is the most that one lease takes: one decision record of 128 payouts is
	// ten kilobytes.
	largest = 128

	// announceLargest bounds a batch of announcements: they take no slots.
	announceLargest = 500

	// planEvery is how often what was learned becomes a plan at most: making one takes
	// milliseconds, and a fast merchant settles hundreds of payouts a second. The learner
	// makes one only where it knows a quarter more; until the first one a payroll is asked
	// about more often than it need be.
	planEvery = time.Second

	// patience is how long a send that is prepared waits for its moment at least, if its lease
	// allows: to give it back and prepare it anew costs a decision, and should the journal be
	// lost then, a hold. A rate's schedule rests for a second in a new epoch, and calls queue
	// for half a second.
	patience = 2 * time.Second

	// rest is the pause of a lane after an error of Redis or Kafka, doubled up to mostRest.
	rest     = 250 * time.Millisecond
	mostRest = 5 * time.Second

	// mostMargin bounds the margin between a call's end and its lease's; see margin.
	mostMargin = 2 * time.Second

	// writeTime bounds a write of results after the work context has ended.
	writeTime = 5 * time.Second
)

// Merchant is one configured merchant as the loop sees it.
type Merchant struct {
	Name     string
	Policy   payout.Policy
	Timeout  time.Duration // of one call to the provider
	Provider Provider
	Send     Limiter
	Query    Limiter
}

// Config says what the loop works with.
type Config struct {
	Merchants []Merchant
	Slots     int
	Lease     time.Duration
	Breaker   BreakerSettings

	// Resolve completes a command by its merchant's settings, or says why it must be rejected:
	// payout.NotConfigured where nobody here knows the merchant, for at most Grace.
	Resolve func(payout.Command) (resolved payout.Command, country, invalid string)
	Grace   time.Duration

	Journal   Journal
	Decisions Decisions
	Announcer Announcer
	EpochLost func() // told when an epoch was refused; never blocks
	Metrics   *Metrics
	Logger    zerolog.Logger
}

var errPanic = errors.New("a panic, see above")

// Loop works on the payouts of one shard.
type Loop struct {
	Config
	merchants map[string]*merchant
	names     []string
	breaker   settings
	slots     map[payout.Step]*slots // of sends and of asks
	writer    *writer
	settled   *settled
	nudge     chan struct{}
	calls     sync.WaitGroup // workers and lanes under way
	jobs      chan func()    // to workers that wait for one
	beat      atomic.Int64   // when the loop last made progress, Unix nanoseconds
	epoch     string         // of the last lease of expiries, and since when it is known here;
	epochFrom time.Time      // both owned by that lane
	trouble   atomic.Value   // of string: why the journal didn't answer last, "" if it did
	apart     atomic.Int64   // how far Redis' clock was ahead at the last look
	granting  atomic.Pointer[clockReading]
	warning   atomic.Pointer[warning]
}

// merchant is a Merchant with what the loop keeps of it.
type merchant struct {
	Merchant
	sendGate, askGate *gate
	kept              kept
	stored            atomic.Int64 // asks that were due in the journal at the last look

	mu      sync.Mutex
	now     payout.Policy // Policy, or what it was changed to
	learner polling.Learner
	plan    *polling.Intervals // the learner's, as of planned and for the bounds
	planned time.Time
	bounds  payout.Poll
	served  leases.Served // the latest evidence that this process has seen
}

// New makes a loop; Run starts it.
func New(c Config) *Loop {
	l := &Loop{Config: c, merchants: map[string]*merchant{}, nudge: make(chan struct{}, 1), jobs: make(chan func())}
	l.breaker.Store(&c.Breaker)
	for _, m := range c.Merchants {
		l.names = append(l.names, m.Name)
		l.merchants[m.Name] = &merchant{
			Merchant: m, now: m.Policy,
			sendGate: newGate(&l.breaker, true, m.Name+" send", c.Logger),
			askGate:  newGate(&l.breaker, false, m.Name+" query", c.Logger),
		}
	}
	l.slots = map[payout.Step]*slots{}
	for _, step := range []payout.Step{payout.StepSend, payout.StepAsk} {
		l.slots[step] = newSlots(c.Slots, l.names, l.Nudge)
	}
	l.settled = newSettled()
	l.writer = newWriter(c.Journal, l.Nudge, l.calling, l.refused, l.over, c.Logger)
	l.beat.Store(time.Now().UnixNano())
	return l
}

// Nudge tells the loop that something may have come due. It never blocks.
func (l *Loop) Nudge() {
	select {
	case l.nudge <- struct{}{}:
	default:
	}
}

// Beat is when the loop last made progress, for the health check.
func (l *Loop) Beat() time.Time { return time.Unix(0, l.beat.Load()) }

// Trouble says why the journal can't be asked, "" while it can.
func (l *Loop) Trouble() string {
	why, _ := l.trouble.Load().(string)
	return why
}

// Run works until taking ends, then lets what is under way finish until working ends:
// leases that were not used are given back, results are written.
func (l *Loop) Run(taking, working context.Context) {
	written := make(chan struct{})
	go func() {
		defer close(written)
		l.writer.run(working)
	}()
	announced := make(chan struct{})
	go func() {
		defer close(announced)
		l.announceSettled(working)
	}()
	lanes := l.lanes()
	for taking.Err() == nil {
		began := time.Now()
		timer := time.NewTimer(l.round(taking, working, lanes))
		l.observe()
		select {
		case <-taking.Done():
		case <-l.nudge:
		case <-timer.C:
		}
		timer.Stop()
		pause(taking, breath-time.Since(began))
	}
	l.release() // at once: other instances may go on with them
	l.calls.Wait()
	close(l.jobs)
	l.writer.flush()
	l.release()      // whose sends were being written
	l.writer.flush() // what has settled is announced, and that is written too
	l.settled.close()
	<-announced
	l.writer.close()
	<-written
}

// lane is a step of a merchant, or of all; at most one batch of it is being prepared.
// Its first four fields are fixed; the others are the loop's own, and busy is cleared by
// the lane's goroutine.
type lane struct {
	step     payout.Step
	merchant *merchant // nil for announce and expire
	work     func(leases.Agenda) leases.Work
	run      func(taking, working context.Context, la *lane, due int) (leased int, err error)

	busy      atomic.Bool
	began     time.Time    // when the last batch did; owned by the loop
	restUntil atomic.Int64 // Unix nanoseconds
	failures  int          // in a row; owned by whoever is busy
}

// lanes lists all there is to do, in the order in which slots are offered.
func (l *Loop) lanes() []*lane {
	var all []*lane
	for _, name := range l.names {
		m := l.merchants[name]
		all = append(all,
			&lane{step: payout.StepAsk, merchant: m, run: l.askBatch, work: m.asks},
			&lane{step: payout.StepSend, merchant: m, run: l.sendBatch, work: func(a leases.Agenda) leases.Work { return a.Send[m.Name] }})
	}
	return append(all,
		&lane{step: payout.StepAnnounce, run: l.announceBatch, work: func(a leases.Agenda) leases.Work { return a.Announce }},
		&lane{step: payout.StepExpire, run: l.expireBatch, work: func(a leases.Agenda) leases.Work { return a.Expire }})
}

// round looks what is due, starts the lanes that have work, and answers how long there
// is nothing to look for.
func (l *Loop) round(taking, working context.Context, lanes []*lane) time.Duration {
	l.beat.Store(time.Now().UnixNano())
	asked := time.Now()
	agenda, err := l.Journal.Due(taking, l.names)
	if err != nil {
		l.trouble.Store(err.Error())
		l.refused(taking, err, "look what is due")
		return rest
	}
	l.trouble.Store("")
	l.sawClock(agenda.Now, asked, time.Now())
	pause := idle
	start := rand.IntN(len(lanes)) // nobody is always first when slots are short
	for i := range lanes {
		la := lanes[(start+i)%len(lanes)]
		w := la.work(agenda)
		if !w.Next.IsZero() {
			pause = min(pause, max(busyPause, w.Next.Sub(agenda.Now))) // where much is scheduled, something always comes due in a moment
		}
		if w.Due == 0 {
			continue
		}
		if rests := time.Unix(0, la.restUntil.Load()).Sub(asked); rests > 0 {
			pause = min(pause, max(busyPause, rests))
			continue
		}
		pause = min(pause, busyPause)
		l.start(taking, working, la, w.Due)
	}
	return pause
}

// start runs a lane's batch, unless one is being prepared or the lane rests.
func (l *Loop) start(taking, working context.Context, la *lane, due int) {
	now := time.Now()
	if s := l.slots[la.step]; s != nil && now.Sub(la.began) < crumbs && s.scarce(la.merchant.Name, due) {
		return
	}
	if now.UnixNano() < la.restUntil.Load() || !la.busy.CompareAndSwap(false, true) {
		return
	}
	la.began = now
	l.calls.Add(1)
	go func() {
		defer l.calls.Done()
		leased := 0
		defer func() {
			la.busy.Store(false)
			if leased > 0 { // there may be more; where nothing was leased the loop's own pause is enough
				l.Nudge()
			}
		}()
		var err error
		for more := true; more; more = err == nil && leased > 0 && taking.Err() == nil && l.goesOn(la, due) {
			if leased, err = l.batch(taking, working, la, due); err == nil {
				la.failures = 0
			}
			due -= leased
		}
		if err == nil {
			return
		}
		la.failures++
		la.restUntil.Store(time.Now().Add(min(rest<<min(la.failures-1, 10), mostRest)).UnixNano())
		l.refused(taking, err, la.step.String())
	}()
}

// goesOn tells whether a lane may do the next batch without another look: so much was due
// at the last one that more must be, and there are slots for it.
func (l *Loop) goesOn(la *lane, due int) bool {
	s := l.slots[la.step]
	if s == nil || due <= largest {
		return false
	}
	short := func() bool { return s.scarce(la.merchant.Name, due) }
	if short() {
		gatherWhile(crumbs, short)
	}
	return !short()
}

// batch runs a lane's batch; a panic is an error like others, and the lane rests.
func (l *Loop) batch(taking, working context.Context, la *lane, due int) (leased int, err error) {
	err = errPanic
	defer l.survive("a batch to " + la.step.String())
	leased, err = la.run(taking, working, la, due)
	return leased, err
}

// worker runs f for one payout; the slot and the pass are f's to end. A worker that is
// done waits for the next one: its stack has grown to what a call needs.
func (l *Loop) worker(f func()) {
	l.calls.Add(1)
	select {
	case l.jobs <- f:
	default:
		go func() {
			for ; f != nil; f = <-l.jobs {
				f()
				l.calls.Done()
			}
		}()
	}
}

// survive keeps a panic from ending the process without a word. What it was about comes
// due again when its lease ends.
func (l *Loop) survive(doing string) {
	if r := recover(); r != nil {
		l.Logger.Error().Str("panic", fmt.Sprint(r)).Bytes("stack", debug.Stack()).Msg("panic in " + doing)
	}
}

// refused reports an error, the lost epoch to whom it concerns.
func (l *Loop) refused(ctx context.Context, err error, doing string) {
	switch {
	case errors.Is(err, epochs.ErrOver):
		l.EpochLost()
	case ctx.Err() != nil:
	default:
		l.Logger.Warn().Err(err).Str("doing", doing).Msg("interrupted, trying again")
	}
}

// calling tells whether calls are under way, or about to be.
func (l *Loop) calling() bool {
	for _, s := range l.slots {
		if busy, _ := s.count(); busy > 0 {
			return true
		}
	}
	return false
}

// observe sets the gauges.
func (l *Loop) observe() {
	v := view{gates: map[gateName]int{}}
	for _, s := range l.slots {
		busy, free := s.count()
		v.busy, v.free = v.busy+busy, v.free+free
	}
	for name, m := range l.merchants {
		v.gates[gateName{name, OperationSend}] = m.sendGate.state()
		v.gates[gateName{name, OperationQuery}] = m.askGate.state()
	}
	l.Metrics.show(l, v)
}

// policy is the merchant's with a jitter of the moment and what has been learned so far.
func (m *merchant) policy() payout.Policy {
	m.mu.Lock()
	p := m.now
	if now := time.Now(); now.Sub(m.planned) >= planEvery || p.Poll != m.bounds {
		m.plan, m.planned, m.bounds = m.learner.Plan(p.Poll), now, p.Poll
	}
	if m.plan != nil {
		p.Learned = m.plan
	}
	m.mu.Unlock()
	p.Jitter = rand.Float64()
	return p
}

// Reload changes merchants' policies, for the answers that come from now on, and what
// opens a breaker and for how long; its window and probes stay.
func (l *Loop) Reload(policies map[string]payout.Policy, b BreakerSettings) {
	for name, p := range policies {
		if m := l.merchants[name]; m != nil {
			m.mu.Lock()
			m.now = p
			m.mu.Unlock()
		}
	}
	l.breaker.Store(&b)
}

// allowance is what a lane may lease: bounded by what is due, what fits a lease, free
// slots, the gate and the tokens. Whatever is not used must be handed back.
type allowance struct {
	loop     *Loop
	merchant *merchant
	of       *slots // the operation's
	passes   []pass
	moments  []time.Time
	slots    int
	used     int // by workers, who end them
}

// gather makes an allowance of up to due; wait says when to ask again if it is empty
// for want of tokens.
func (a *allowance) gather(ctx context.Context, g *gate, limiter Limiter, due int) (wait time.Duration, err error) {
	wanted := min(due, largest)
	if a.slots = a.of.take(a.merchant.Name, wanted); a.slots == 0 {
		// One that rests needs none. Whether there are tokens nobody can tell without taking them.
		a.of.lacks(a.merchant.Name, g.state() == 0)
		return 0, nil
	}
	if a.passes = g.admit(a.slots); len(a.passes) > 0 {
		a.moments, wait, err = limiter.Take(ctx, len(a.passes))
	}
	a.of.lacks(a.merchant.Name, a.slots < wanted && len(a.moments) == a.slots)
	a.shrink(len(a.moments))
	return wait, err
}

// work hands the next slot, pass and moment to a worker.
func (a *allowance) work(f func(moment time.Time, pass pass)) {
	moment, pass := a.moments[a.used], a.passes[a.used]
	a.used++
	a.loop.worker(func() { f(moment, pass) })
}

// end hands back what no worker was given, also after a panic.
func (a *allowance) end() { a.shrink(a.used) }

// shrink hands back what is beyond n.
func (a *allowance) shrink(n int) {
	for _, p := range a.passes[min(n, len(a.passes)):] {
		p.unused()
	}
	a.passes = a.passes[:min(n, len(a.passes))]
	a.moments = a.moments[:min(n, len(a.moments))]
	if a.slots > n {
		a.of.handBack(a.merchant.Name, a.slots-n)
		a.slots = n
	}
}

// lease leases a batch. It isn't interrupted by the end of taking: a lease that Redis has
// written and nobody knows of would leave its payouts sending, and somebody wondering
// about each of them. It is repeated under the same token until a third of its time is
// over.
func (l *Loop) lease(working context.Context, step payout.Step, merchant string, n int) (leases.Leased, error) {
	ctx, cancel := context.WithTimeout(working, l.Lease/3)
	defer cancel()
	r := leases.Request{Step: step, Merchant: merchant, N: n, For: l.Lease}
	if m := l.merchants[merchant]; m != nil {
		r.Account = m.Policy.Account
	}
	return l.Journal.Lease(ctx, r)
}

// margin is how long before the lease's end a call must be over (protocol S5): room for
// its result to be written. An eighth of a short lease, so that four seconds still leave
// three for a call and its decision; the configuration's check counts with it too.
func (l *Loop) margin() time.Duration { return min(mostMargin, l.Lease/8) }

// pause sleeps for want of tokens; the lane stays busy meanwhile.
func pause(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
