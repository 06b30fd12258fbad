package disburse

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"
	"github.com/sony/gobreaker/v2"

	"disburser/payout/finding"
)

// BreakerSettings are the operator's (the configuration's key breaker).
type BreakerSettings struct {
	FailureRatio        float64
	MinRequests         int
	Window              time.Duration
	OpenFor, MaxOpenFor time.Duration
	Probes, Refusals    int
}

// errNothing is what a call means to a breaker that neither failed nor went well.
var errNothing = errors.New("says nothing about the provider")

// buckets cut the breaker's window, so that it rolls instead of starting anew.
const buckets = 10

// gate lets calls of one merchant and operation through while the provider works. It has a breaker
// on failures. For sends it has a second one, on refusals in a row, so that an empty account
// pauses a payroll instead of failing it. An open breaker refuses before the lease writes
// `sending`, so it costs no payout anything.
//
// Its breakers are made when the first call wants to pass: a merchant that does nothing has none.
type gate struct {
	settings *settings
	logger   *zerolog.Logger
	name     string
	sends    bool

	mu   sync.Mutex // one goroutine makes them
	made atomic.Pointer[[]*breaker]
}

// settings are the breakers' of all gates. Window and Probes stay; the others may change while a
// gate works.
type settings = atomic.Pointer[BreakerSettings]

func newGate(s *settings, sends bool, name string, logger *zerolog.Logger) *gate {
	return &gate{settings: s, sends: sends, name: name, logger: logger}
}

// breakers are those that are made, none before the first call.
func (g *gate) breakers() []*breaker {
	if made := g.made.Load(); made != nil {
		return *made
	}
	return nil
}

// breakersForCall makes them where nobody has.
func (g *gate) breakersForCall() []*breaker {
	if made := g.breakers(); made != nil {
		return made
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if made := g.breakers(); made != nil {
		return made
	}
	s := g.settings
	made := []*breaker{newBreaker(s, g.name, says(g.logger, zerolog.WarnLevel, ""), failing, failure, uint32(s.Load().Probes))}
	if g.sends {
		loud := says(g.logger, zerolog.ErrorLevel, "the provider refuses one send after the other (an empty account? a revoked key?): the merchant's sends rest, then one payout at a time tries whether it is over; ")
		made = append(made, newBreaker(s, g.name+" (refusals)", loud, refusing, refusal, 1))
	}
	g.made.Store(&made)
	return made
}

// say is told of a breaker's change; of an opening also for how long and why.
type say func(name string, from, to gobreaker.State, openFor time.Duration, why string)

// says makes what logs a breaker's changes: an opening at a level, and with a reason that
// begins with what it is about.
func says(logger *zerolog.Logger, opening zerolog.Level, about string) say {
	return func(name string, from, to gobreaker.State, openFor time.Duration, why string) {
		event := logger.Info()
		if to == gobreaker.StateOpen {
			event = logger.WithLevel(opening).Dur("for", openFor).Str("why", about+why)
		}
		event.Str("breaker", name).Stringer("from", from).Stringer("to", to).Msg("breaker changed")
	}
}

// trips tells whether a breaker opens, by its counts and the failures in a row.
type trips func(s *BreakerSettings, c gobreaker.Counts, row int) bool

// failing trips at the ratio, or after so many failures in a row that the ratio is no
// question any more. Only calls that are over count: Requests has the unused passes too,
// which where tokens are short are many times the calls.
func failing(s *BreakerSettings, c gobreaker.Counts, row int) bool {
	over := int(c.TotalSuccesses + c.TotalFailures)
	return row >= s.MinRequests || over >= s.MinRequests && float64(c.TotalFailures) >= s.FailureRatio*float64(over)
}

func refusing(s *BreakerSettings, _ gobreaker.Counts, row int) bool { return row >= s.Refusals }

// failure: a provider that answers at all works, whatever it answers. "Too fast" may come
// from a gateway in front of it and says neither; the rate takes care of it. Nor does a clear
// answer that names no tradeNo: nothing of it is believed, but the provider works. A call that a person
// has stopped says nothing about it.
func failure(f finding.Finding) error {
	switch {
	case f.TooFast, f.Nameless, f.Kind == finding.Stopped:
		return errNothing
	case f.Kind == finding.Unclear, f.Kind == finding.NotSent:
		return failedBy(f)
	}
	return nil
}

// failedBy is what is said about a failure, for the breaker's reason. Of a refusal that
// is the provider's own word.
func failedBy(f finding.Finding) error {
	said := []string{f.Detail}
	if f.Kind == finding.Refused {
		said = []string{f.Status, f.StatusText, f.Detail}
	}
	said = slices.DeleteFunc(said, func(part string) bool { return part == "" })
	if len(said) == 0 {
		return errors.New("nothing is known about it")
	}
	return errors.New(strings.Join(said, ", "))
}

func refusal(f finding.Finding) error {
	switch f.Kind {
	case finding.Refused:
		return failedBy(f)
	case finding.Unclear, finding.NotSent, finding.Stopped:
		return errNothing
	default:
		return nil
	}
}

// pass is the leave of all breakers of a gate for one call. Exactly one of done and unused must
// be called.
type pass []leave

// leave is one breaker's.
type leave struct {
	end   func(error)                 // tells it how the call ended
	means func(finding.Finding) error // what a finding means to it
	still func() bool                 // tells whether it hasn't opened since
}

// good tells whether the call may still be made: no breaker has opened since.
func (p pass) good() bool {
	for _, of := range p {
		if !of.still() {
			return false
		}
	}
	return true
}

func (p pass) done(f finding.Finding) {
	for _, of := range p {
		of.end(of.means(f))
	}
}

// panicked ends the pass of a call of which nobody knows how it ended.
func (p pass) panicked() { p.done(finding.Finding{Kind: finding.Unclear}) }

func (p pass) unused() {
	for _, of := range p {
		of.end(errNothing)
	}
}

// admit gives up to n passes.
func (g *gate) admit(n int) []pass {
	var passes []pass
	for range n {
		p, ok := g.one()
		if !ok {
			break
		}
		passes = append(passes, p)
	}
	return passes
}

func (g *gate) one() (pass, bool) {
	breakers := g.breakersForCall()
	p := make(pass, 0, len(breakers))
	for _, b := range breakers {
		end, still, ok := b.allow()
		if !ok {
			p.unused()
			return nil, false
		}
		p = append(p, leave{end, b.meaning, still})
	}
	return p, true
}

// refusing tells whether sends pause because one after the other was refused.
func (g *gate) refusing() bool {
	breakers := g.breakers()
	return len(breakers) > 1 && breakers[1].isOpen()
}

// state is the worst of the breakers', as the metric counts: 0 closed, 1 half-open, 2 open.
func (g *gate) state() int {
	worst := 0
	for _, b := range g.breakers() {
		worst = max(worst, b.state())
	}
	return worst
}

// breaker is a gobreaker whose open time doubles each time that the probes fail.
type breaker struct {
	two      *gobreaker.TwoStepCircuitBreaker[struct{}]
	meaning  func(finding.Finding) error
	settings *settings

	mu        sync.Mutex
	openFor   time.Duration // at the last opening; 0 once it was closed
	openUntil time.Time     // at least

	// row counts failures in a row. gobreaker's own count forgets what is older than its
	// window, and a slow merchant never has enough in one.
	row   int
	last  error  // of the calls that failed, the last
	count string // so many of so many failed: noted when the breaker trips
	since int    // changes of state so far: what began before the last one doesn't count
}

func newBreaker(s *settings, name string, say say, trip trips, meaning func(finding.Finding) error, probes uint32) *breaker {
	b := &breaker{meaning: meaning, settings: s}
	window := s.Load().Window
	b.two = gobreaker.NewTwoStepCircuitBreaker[struct{}](gobreaker.Settings{
		Name: name, MaxRequests: probes, Interval: window, BucketPeriod: max(window/buckets, time.Millisecond),
		Timeout: time.Millisecond, // how long it is open is decided here: it doubles, and may be changed
		ReadyToTrip: func(c gobreaker.Counts) bool {
			row, _ := b.inRow()
			return trip(s.Load(), c, row) && b.counted(c, row, window)
		},
		IsExcluded: func(err error) bool { return errors.Is(err, errNothing) },
		// Called under gobreaker's lock: only notes, never calls back.
		OnStateChange: func(name string, from, to gobreaker.State) {
			why := b.why(from)
			say(name, from, to, b.changed(to), why)
		},
	})
	return b
}

// counted notes what the breaker trips by.
func (b *breaker) counted(c gobreaker.Counts, row int, window time.Duration) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	over := c.TotalSuccesses + c.TotalFailures
	if uint32(row) >= over {
		b.count = fmt.Sprintf("%d calls in a row failed", row)
	} else {
		b.count = fmt.Sprintf("%d of %d calls within %s failed", c.TotalFailures, over, window)
	}
	return true
}

// why says what a breaker opens by, and what the last failure was.
func (b *breaker) why(from gobreaker.State) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	why := b.count
	if from == gobreaker.StateHalfOpen {
		why = "a probe failed"
	}
	if b.last != nil {
		why += ", the last: " + b.last.Error()
	}
	return why
}

// changed doubles the open time with each opening in a row, up to the most.
func (b *breaker) changed(to gobreaker.State) time.Duration {
	s := b.settings.Load()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.row = 0
	b.since++
	switch to {
	case gobreaker.StateOpen:
		b.openFor = min(max(s.OpenFor, 2*b.openFor), s.MaxOpenFor)
		b.openUntil = time.Now().Add(b.openFor)
		return b.openFor
	case gobreaker.StateClosed:
		b.openFor, b.openUntil = 0, time.Time{}
	default: // half-open: how long it was open still counts
	}
	return 0
}

func (b *breaker) inRow() (row, since int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.row, b.since
}

// note counts failures in a row, before gobreaker asks for them.
func (b *breaker) note(since int, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case since != b.since || errors.Is(err, errNothing):
	case err != nil:
		b.row, b.last = b.row+1, err
	default:
		b.row = 0
	}
}

// allow lets one call through: how it ends must be told, and right before it is made one
// asks whether it still may.
func (b *breaker) allow() (end func(error), still func() bool, ok bool) {
	if b.isOpen() {
		return nil, nil, false
	}
	over, err := b.two.Allow()
	if err != nil {
		return nil, nil, false
	}
	_, since := b.inRow()
	still = func() bool { return !b.isOpen() }
	return func(err error) {
		b.note(since, err)
		if !b.isOpen() { // a call of before the opening: it says nothing any more, and asking gobreaker would end the open time
			over(err)
		}
	}, still, true
}

// isOpen tells whether the breaker is open: gobreaker's own time is over at once.
func (b *breaker) isOpen() bool {
	b.mu.Lock()
	until := b.openUntil
	b.mu.Unlock()
	return time.Now().Before(until)
}

func (b *breaker) state() int {
	if b.isOpen() {
		return 2
	}
	switch b.two.State() {
	case gobreaker.StateOpen:
		return 2
	case gobreaker.StateHalfOpen:
		return 1
	default:
		return 0
	}
}
