package disburse

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"disburser/message"
	"disburser/payout"
	"disburser/payout/finding"
	"disburser/payout/leases"
)

// onePermit is an issuer's, which says what went wrong to log.
func onePermit(t *testing.T, log *strings.Builder) (*issuer, *permit) {
	t.Helper()
	b := testBreaker()
	var s settings
	s.Store(&b)
	i := &issuer{
		merchant: "a", slots: newSlots(8, []string{"a"}, func() {}, func() {}), gate: newGate(&s, true, "a send", new(zerolog.Nop())),
		limiter: free, logger: zerolog.New(log),
	}
	taken, _, err := i.take(context.Background(), 1, i.limiter.Take)
	if err != nil || taken.len() != 1 {
		t.Fatal(taken, err)
	}
	return i, taken.next()
}

// back tells whether all slots and passes have come back, and how many calls failed.
func (i *issuer) back() (all bool, failed int) {
	all = true
	for _, b := range i.gate.breakersForCall() {
		c := b.two.Counts()
		all = all && c.Requests == c.TotalSuccesses+c.TotalFailures+c.TotalExclusions
		failed += int(c.TotalFailures)
	}
	taken, _ := i.slots.count()
	return all && taken == 0, failed
}

// Whatever was done with a permit, it ends once, and the breakers hear what it was.
func TestHowAPermitEnds(t *testing.T) {
	for name, c := range map[string]struct {
		life   func(p *permit)
		failed int
		wrong  int // mistakes that are said
	}{
		"unused":                     {func(p *permit) { p.end() }, 0, 0},
		"ended by a lane":            {func(p *permit) { p.endUnused() }, 0, 0},
		"by what the call found":     {func(p *permit) { p.begin(); p.answered(bad); p.end() }, 1, 0},
		"by what went well":          {func(p *permit) { p.begin(); p.answered(good); p.end() }, 0, 0},
		"by a panic":                 {func(p *permit) { p.begin(); p.end() }, 1, 0},
		"twice":                      {func(p *permit) { p.end(); p.end() }, 0, 1},
		"twice, by a lane":           {func(p *permit) { p.end(); p.endUnused() }, 0, 1},
		"used for two calls":         {func(p *permit) { p.begin(); p.answered(good); p.begin(); p.end() }, 0, 1},
		"used after its end":         {func(p *permit) { p.end(); p.begin() }, 0, 1},
		"answered twice":             {func(p *permit) { p.begin(); p.answered(good); p.answered(bad); p.end() }, 0, 1},
		"answered though not called": {func(p *permit) { p.answered(bad); p.end() }, 0, 1},
	} {
		t.Run(name, func(t *testing.T) {
			var log strings.Builder
			i, p := onePermit(t, &log)
			if all, _ := i.back(); all {
				t.Fatal("nothing was taken")
			}
			c.life(p)
			all, failed := i.back()
			if !all || failed != c.failed {
				t.Errorf("all came back: %v, %d failures", all, failed)
			}
			if n := strings.Count(log.String(), programmingError); n != c.wrong {
				t.Errorf("%d mistakes are said: %s", n, log.String())
			}
			if p.good() || p.begin() {
				t.Error("it is good for another call")
			}
		})
	}
}

// What there are too few slots, passes or tickets for comes back at once.
func TestWhatDoesNotBecomeAPermitComesBack(t *testing.T) {
	for name, take := range map[string]func(context.Context, int) ([]time.Time, time.Duration, error){
		"no tickets":        func(context.Context, int) ([]time.Time, time.Duration, error) { return nil, time.Second, nil },
		"one ticket":        func(ctx context.Context, _ int) ([]time.Time, time.Duration, error) { return free.take(ctx, 1) },
		"more than enough":  func(ctx context.Context, n int) ([]time.Time, time.Duration, error) { return free.take(ctx, n+3) },
		"an error":          func(context.Context, int) ([]time.Time, time.Duration, error) { return nil, 0, errRedis },
		"a limiter's panic": func(context.Context, int) ([]time.Time, time.Duration, error) { panic("broken") },
	} {
		t.Run(name, func(t *testing.T) {
			var log strings.Builder
			i, p := onePermit(t, &log)
			p.end()
			i.limiter = limiter{take: take}
			func() {
				defer func() { _ = recover() }()
				taken, _, err := i.take(context.Background(), 100, i.limiter.Take)
				defer taken.end()
				if busy, _ := i.slots.count(); busy != taken.len() || err != nil && busy > 0 {
					t.Errorf("%d slots are taken for %d permits", busy, taken.len())
				}
			}()
			if all, _ := i.back(); !all {
				t.Error("not all came back")
			}
		})
	}
}

// A merchant at its limit takes no slots from the others that it gets no tickets for, and no passes. One
// that no limit holds back gets whole groups.
func TestPermitsAreAskedForByWhatCameLast(t *testing.T) {
	var log strings.Builder
	i, p := onePermit(t, &log)
	p.end()
	i.slots = newSlots(2*largest, []string{"a"}, func() {}, func() {})
	i.most = 0
	var free, asked int
	i.limiter = limiter{take: func(_ context.Context, n int) ([]time.Time, time.Duration, error) {
		asked = n
		return make([]time.Time, min(n, free)), time.Millisecond, nil
	}}
	for step, c := range []struct{ free, asks int }{
		{0, largest}, {0, unknownAsked}, {3, unknownAsked}, {0, 6}, {1, 6}, {4, leastAsked}, {largest, 8}, {largest, 16}, {largest, 32}, {10, 64}, {0, 20}, {largest, 20}, {largest, 40},
	} {
		free = c.free
		taken, _, err := i.take(context.Background(), 500, i.limiter.Take)
		if err != nil || asked != c.asks || taken.len() != min(c.free, c.asks) {
			t.Errorf("step %d: asks for %d and gets %d, want %d and %d: %v", step, asked, taken.len(), c.asks, min(c.free, c.asks), err)
		}
		var passes uint32
		for _, b := range i.gate.breakersForCall() {
			passes = b.two.Counts().Requests - b.two.Counts().TotalExclusions
		}
		if passes != uint32(taken.len()) {
			t.Errorf("step %d: %d passes for %d permits", step, passes, taken.len())
		}
		taken.end()
	}
}

// Where a breaker isn't closed, no ticket is taken that there is no pass for: it might be the probe's.
func TestAnOpenBreakerTakesNoTickets(t *testing.T) {
	inTime(t, func(t *testing.T) {
		var log strings.Builder
		i, p := onePermit(t, &log)
		p.end()
		asked := 0
		i.limiter = limiter{take: func(_ context.Context, n int) ([]time.Time, time.Duration, error) {
			asked += n
			return make([]time.Time, n), 0, nil
		}}
		i.gate.pass(30, bad)
		if taken, _, err := i.take(context.Background(), 100, i.limiter.Take); asked != 0 || taken.len() != 0 || err != nil {
			t.Errorf("open: asked for %d, %d permits, %v", asked, taken.len(), err)
		}
		time.Sleep(time.Minute)
		taken, _, err := i.take(context.Background(), 100, i.limiter.Take)
		if probes := testBreaker().Probes; err != nil || asked > probes || asked == 0 || taken.len() != asked {
			t.Errorf("half-open: asked for %d, %d permits, %v", asked, taken.len(), err)
		}
		taken.end()
	})
}

// errOften is what half of all that fails says; the other half panics.
var errOften = errors.New("broken now and then")

// All neighbours of a loop fail and panic at random. Each permit is ended, once, and each payout
// goes only through the stages that there are.
func TestEachPermitIsEndedWhateverPanics(t *testing.T) {
	for seed := range 8 {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) { inTime(t, func(t *testing.T) { amongPanics(t, newDice(uint64(seed))) }) })
	}
}

func amongPanics(t *testing.T, d dice) {
	breaks := func(one int) error {
		switch {
		case !d.one(one):
			return nil
		case d.one(2):
			panic("broken")
		}
		return errOften
	}
	b := newBench(t, append(orders(150, "a"), orders(150, "b")...)...)
	b.config.Slots = 20
	b.journal.fault = func(op string) error {
		if op == "due" || op == "may be due" { // the loop itself has nobody who would survive for it
			return nil
		}
		return breaks(30)
	}
	b.decider.send = func(context.Context, []payout.Payout) error { return breaks(6) }
	b.announce.results = func(_ context.Context, events []message.Event) ([]bool, error) {
		return make([]bool, rand.IntN(len(events)+1)), breaks(6)
	}
	for _, name := range []string{"a", "b"} {
		l := free
		l.take = func(ctx context.Context, n int) ([]time.Time, time.Duration, error) {
			if err := breaks(10); err != nil {
				return nil, 0, err
			}
			return free.take(ctx, n)
		}
		l.wait = func(context.Context, time.Time) error { return breaks(10) }
		l.told = func(time.Time, bool, time.Duration) { _ = breaks(3) }
		l.lastReading = func() (redis, asked time.Time) { _ = breaks(20); return time.Time{}, time.Time{} }
		call := func(context.Context, string, time.Time) finding.Finding {
			time.Sleep(d.upTo(time.Second))
			if breaks(10) != nil {
				return finding.Finding{Kind: finding.Unclear, TooFast: true}
			}
			return finding.Finding{Kind: finding.Accepted}
		}
		ask := func(ctx context.Context, no string, latest time.Time) finding.Finding {
			if f := call(ctx, no, latest); f.Kind == finding.Unclear {
				return f
			}
			return finding.Finding{Kind: []finding.Kind{finding.Paid, finding.Processing, finding.NoRecord}[rand.IntN(3)], Served: true}
		}
		m := b.merchant(name)
		m.Send, m.Query, m.Provider = l, l, provider{send: call, ask: ask}
	}
	b.journal.served["a"] = leases.Evidence{Settled: "a9999"}
	b.start()
	time.Sleep(3 * time.Minute)
	b.stop()
	if b.logged("panic in") == 0 {
		t.Error("nothing panicked")
	}
}

// A ticket whose call isn't made goes back, so that another call is made ready. So where a lease has fewer
// payouts, a breaker opens, or nothing is decided.
func TestTicketsOfCallsThatAreNotMadeAreReturned(t *testing.T) {
	inTime(t, func(t *testing.T) {
		var taken, returned atomic.Int64
		counting := limiter{wait: free.wait, returned: &returned, take: func(ctx context.Context, n int) ([]time.Time, time.Duration, error) {
			taken.Add(int64(n))
			return free.take(ctx, n)
		}}
		b := newBench(t, orders(50, "a")...)
		b.merchant("a").Send = counting
		fails := 2
		b.decider.send = func(context.Context, []payout.Payout) error {
			if fails--; fails >= 0 {
				return errKafka
			}
			return nil
		}
		b.journal.fault = leaseFails
		b.start()
		time.Sleep(time.Second)
		b.journal.mu.Lock()
		b.journal.fault = nil
		b.journal.mu.Unlock()
		time.Sleep(time.Minute)
		if kept := taken.Load() - returned.Load(); kept != int64(b.allSends()) || returned.Load() == 0 {
			t.Errorf("%d tickets were taken and not returned, for %d sends; %d returned", kept, b.allSends(), returned.Load())
		}
		b.stop()
	})
}
