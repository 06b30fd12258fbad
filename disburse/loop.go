package disburse

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"disburser/internal/grid"
	"disburser/payout"
	"disburser/payout/epochs"
	"disburser/payout/leases"
)

const (
	// idle is how long the loop sleeps at most. Payouts that other instances take in are seen that
	// late. busyPause is the least time until a look at what comes due by itself. Payouts that come
	// due soon after each other share one look and one lease.
	idle      = grid.Slow
	busyPause = 80 * time.Millisecond

	// starvedPause is how often lanes are started again that lack slots.
	starvedPause = 40 * time.Millisecond

	// believedFor is how long an idle loop is content with looks that aren't believed. A Redis that was
	// restarted or replaced while nobody works is noticed that late.
	believedFor = 2 * time.Second

	// debounce is the least time between two rounds, however often the loop is nudged: each costs
	// Redis a script. Payouts that come due meanwhile share one lease and one decision.
	debounce = 5 * time.Millisecond

	// mostMargin bounds the margin between a call's end and its lease's; see margin.
	mostMargin = 2 * time.Second
)

// Config says what the loop works with.
type Config struct {
	Merchants []Merchant
	Slots     int
	Lease     time.Duration
	Breaker   BreakerSettings
	MaxOpen   int // nothing is brought back while so many payouts of this shard are open that aren't parked

	// Resolve completes a command by its merchant's settings, or says why it must be rejected. Where
	// nobody here knows the merchant that is payout.NotConfigured, for at most Grace.
	Resolve func(payout.Command) (resolved payout.Command, country, invalid string)
	Grace   time.Duration

	Journal   Journal
	Decisions Decisions
	Actions   Actions
	OneShots  *OneShots // nil: nobody carries any out here
	Announcer Announcer
	EpochLost func() // told when an epoch was refused; never blocks

	// StoodStill is told for how long this machine stood still together with its clocks. It may be nil.
	StoodStill func(time.Duration)

	Metrics *Metrics
	Logger  zerolog.Logger
}

var errPanic = errors.New("a panic, see above")

// Loop works on the payouts of one shard.
type Loop struct {
	Config
	merchants  map[string]*merchant
	names      []string
	breaker    settings
	slots      map[payout.Step]*slots // of sends and of asks
	writer     *writer
	toAnnounce *inHand        // ends by the provider's word that are written
	nudge      chan struct{}  // something may have come due
	sweeps     chan struct{}  // what is parked must be asked about
	full       atomic.Bool    // payouts stay parked because too many are open
	room       chan struct{}  // slots came free that lanes wait for
	calls      sync.WaitGroup // workers and lanes that are running
	jobs       chan func()    // to workers that wait for one
	beat       atomic.Int64   // when the loop last made progress, Unix nanoseconds
	epoch      string         // of the last lease of reviews, and since when it is known here;
	epochFrom  time.Time      // both owned by that lane

	// saidToStand is when it was said of batches' cancels that they stand; also owned by that lane.
	saidToStand map[string]time.Time
	trouble     atomic.Value // of string: why the journal didn't answer last, "" if it did

	starved     atomic.Bool  // a lane with work doesn't run because it lacks slots
	sleepsUntil atomic.Int64 // when the next round comes, Unix nanoseconds; math.MaxInt64 during a round

	idleUntil time.Time           // until when nothing comes due, by the last round; zero if there was something to do
	others    map[leases.Lane]int // what was due in that round: of merchants that nobody here works on

	// How far ahead of this process' clock Redis' was last: the journal's (nanoseconds), and that
	// of the Redis which grants the calls.
	journalAhead atomic.Int64
	grantAhead   atomic.Pointer[clockReading]
	stoodStill   standstill // by the journal's clock

	warning atomic.Pointer[warning]
}

// New makes a loop; Run starts it.
func New(c Config) *Loop {
	l := &Loop{Config: c, merchants: map[string]*merchant{}, nudge: make(chan struct{}, 1), sweeps: make(chan struct{}, 1), room: make(chan struct{}, 1), jobs: make(chan func())}
	l.sleepsUntil.Store(math.MaxInt64)
	l.breaker.Store(&c.Breaker)
	shared := new(learning)
	for _, m := range c.Merchants {
		l.names = append(l.names, m.Name)
		l.merchants[m.Name] = &merchant{
			Merchant: m, current: m.Policy, toAsk: newInHand(asksInHand, l.comesDue), learning: shared,
			sendGate: newGate(&l.breaker, true, m.Name+" send", &l.Logger),
			askGate:  newGate(&l.breaker, false, m.Name+" query", &l.Logger),
		}
	}
	l.slots, l.saidToStand = map[payout.Step]*slots{}, map[string]time.Time{}
	for _, step := range []payout.Step{payout.StepSend, payout.StepAsk} {
		l.slots[step] = newSlots(c.Slots, l.names, l.hasRoomAgain, func() { l.writer.stir() })
	}
	l.toAnnounce = newInHand(announcementsInHand, nil)
	l.writer = newWriter(c.Journal, l.written, l.callsInFlight, l.reportError, l.forgetEpoch, c.Logger)
	l.beat.Store(time.Now().UnixNano())
	c.Metrics.of(l)
	return l
}

// Nudge tells the loop that something may have come due. It never blocks.
func (l *Loop) Nudge() {
	select {
	case l.nudge <- struct{}{}:
	default:
	}
}

// hasRoomAgain tells the loop that slots came free. It never blocks.
func (l *Loop) hasRoomAgain() {
	select {
	case l.room <- struct{}{}:
	default:
	}
}

// comesDue tells the loop that something comes due at that moment of this process' clock. It nudges
// the loop only if that would sleep for longer. It never blocks.
func (l *Loop) comesDue(at time.Time) {
	if at.UnixNano() < l.sleepsUntil.Load() {
		l.Nudge()
	}
}

// written is told when something comes due that was written, by Redis' clock.
func (l *Loop) written(due time.Time) {
	l.comesDue(due.Add(-time.Duration(l.journalAhead.Load())))
}

// Beat is when the loop last made progress, for the health check.
func (l *Loop) Beat() time.Time { return time.Unix(0, l.beat.Load()) }

// Trouble says why the journal can't be asked, "" while it can.
func (l *Loop) Trouble() string {
	why, _ := l.trouble.Load().(string)
	return why
}

// Run works until taking ends. Then it lets what is in flight finish, until working ends:
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
		l.announceInHand(working)
	}()
	l.calls.Add(1)
	go func() {
		defer l.calls.Done()
		l.keepParkedRight(taking)
	}()
	if l.OneShots != nil {
		l.calls.Add(1)
		go func() {
			defer l.calls.Done()
			newExecutor(l).run(taking, working)
		}()
	}
	lanes := l.lanes()
	for nudged := true; taking.Err() == nil; {
		began := time.Now()
		l.sleepsUntil.Store(math.MaxInt64)
		sleep, still := time.Duration(0), false
		if !nudged {
			sleep, still = l.stillIdle(taking)
		}
		if !still {
			sleep = l.round(taking, working, lanes)
		}
		if sleep >= idle { // with whatever else looks that seldom
			sleep = max(busyPause, grid.UntilNext(idle))
		}
		l.sleepsUntil.Store(time.Now().Add(sleep).UnixNano())
		nudged = l.sleep(taking, working, lanes, sleep)
		pause(taking, debounce-time.Since(began))
	}
	l.release() // at once: other instances may go on with them
	l.calls.Wait()
	close(l.jobs)
	l.writer.flush()
	l.release()      // whose sends were being written
	l.writer.flush() // what has settled is announced, and that is written too
	l.toAnnounce.close()
	<-announced
	l.writer.close()
	<-written
}

// sleep sleeps, and tells whether it was nudged. Meanwhile it starts lanes that lacked slots: that needs no
// look. It does so when slots come free, and every starvedPause, because what is reserved for others
// changes by time too.
func (l *Loop) sleep(taking, working context.Context, lanes []*lane, d time.Duration) (nudged bool) {
	over, again := time.NewTimer(d), time.NewTimer(starvedPause)
	defer over.Stop()
	defer again.Stop()
	for {
		if !l.starved.Load() {
			again.Stop()
		}
		select {
		case <-taking.Done():
			return false
		case <-l.nudge:
			return true
		case <-over.C:
			return false
		case <-again.C:
		case <-l.room:
			pause(taking, debounce)
		}
		l.startLanes(taking, working, lanes)
		again.Reset(starvedPause)
	}
}

// round asks the journal what is due, starts the lanes that have work, and answers how long the
// loop may sleep before the next round.
func (l *Loop) round(taking, working context.Context, lanes []*lane) time.Duration {
	l.beat.Store(time.Now().UnixNano())
	asked := time.Now()
	l.idleUntil = time.Time{}
	leftOut := workingOnEnough(lanes)
	agenda, err := l.Journal.DueBut(taking, l.names, leftOut)
	if err != nil {
		l.trouble.Store(err.Error())
		l.reportError(taking, err, "look what is due")
		return leastBackoff
	}
	l.trouble.Store("")
	now := time.Now()
	l.sawClock(agenda.Now, asked, now)
	l.sawStandstill(&l.stoodStill, agenda.Now, asked, now)
	for _, la := range lanes {
		if !la.leftOut.Load() {
			la.left.Store(int64(agenda.Due[la.Lane]))
		}
	}
	busy := l.callsInFlight() || len(leftOut) > 0
	wait, some := l.startLanes(taking, working, lanes)
	if !agenda.Next.IsZero() {
		wait = min(wait, agenda.Next.Sub(agenda.Now))
	}
	if !busy && !some {
		l.idleUntil, l.others = asked.Add(believedFor), agenda.Due
		if !agenda.Next.IsZero() {
			l.idleUntil = asked.Add(min(believedFor, agenda.Next.Sub(agenda.Now)))
		}
	}
	return max(busyPause, wait) // where much is scheduled, something always comes due in a moment
}

// startLanes starts the lanes that have work. It answers how long the loop may sleep for the sake of those
// that don't run, and whether any lane has work.
func (l *Loop) startLanes(taking, working context.Context, lanes []*lane) (wait time.Duration, busy bool) {
	wait = idle
	l.starved.Store(false)
	now, first := time.Now(), rand.IntN(len(lanes)) // nobody is always first when slots are short
	for i := range lanes {
		la := lanes[(first+i)%len(lanes)]
		due, next := la.work(now)
		runs := la.busy.Load()
		busy = busy || runs || due > 0 || !next.IsZero()
		switch paused := time.Unix(0, la.pausedUntil.Load()).Sub(now); {
		case runs: // it goes on by itself
		case !next.IsZero() && next.Sub(now) <= idle: // it waits for that by itself, and isn't late
			l.start(taking, working, la, due)
		case !next.IsZero():
			wait = min(wait, next.Sub(now))
		case due > 0 && paused > 0:
			wait = min(wait, paused)
		case due > 0:
			l.start(taking, working, la, due)
		}
	}
	return wait, busy
}

// stillIdle tells whether there is still nothing to do since the last round found nothing, and for how
// long the loop may sleep. It asks only which lanes may be due: an idle instance would cost Redis ten
// times as much if it believed each look. Whatever it finds or fails at, the next round decides.
func (l *Loop) stillIdle(taking context.Context) (sleep time.Duration, still bool) {
	if !time.Now().Before(l.idleUntil) {
		return 0, false
	}
	lanes, err := l.Journal.MayBeDue(taking)
	if err != nil {
		return 0, false
	}
	for _, la := range lanes {
		if l.others[la] == 0 {
			return 0, false
		}
	}
	l.beat.Store(time.Now().UnixNano())
	return min(idle, time.Until(l.idleUntil)), true
}

// worker runs f for one payout, whose permit is f's to end, or for a lane. A worker that is
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

// survive keeps a panic from ending the process without a word. The payout of the
// panic comes due again when its lease ends.
func (l *Loop) survive(doing string) {
	if r := recover(); r != nil {
		l.Logger.Error().Str("panic", fmt.Sprint(r)).Bytes("stack", debug.Stack()).Msg("panic in " + doing)
	}
}

// reportError logs an error. The loss of the epoch is told to whoever looks after epochs.
func (l *Loop) reportError(ctx context.Context, err error, doing string) {
	switch {
	case errors.Is(err, epochs.ErrOver):
		l.EpochLost()
	case ctx.Err() != nil:
	default:
		l.Logger.Warn().Err(err).Str("doing", doing).Msg("interrupted, trying again")
	}
}

// callsInFlight tells whether calls are in flight, or about to be.
func (l *Loop) callsInFlight() bool {
	for _, s := range l.slots {
		if inUse, _ := s.count(); inUse > 0 {
			return true
		}
	}
	return false
}

// margin is how long before the lease's end a call must be over (protocol S5), so that its
// result can still be written. Of a short lease it is an eighth: four seconds still leave
// three for a call and its decision. The configuration's check counts with it too.
func (l *Loop) margin() time.Duration { return min(mostMargin, l.Lease/8) }
