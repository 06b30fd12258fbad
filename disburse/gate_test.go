package disburse

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"disburser/payout/finding"
)

var (
	good    = finding.Finding{Kind: finding.Accepted}
	bad     = finding.Finding{Kind: finding.Unclear}
	refused = finding.Finding{Kind: finding.Refused}
)

// pass makes calls one after the other and answers how many were let through.
func (g *gate) pass(n int, f finding.Finding) (through int) {
	for range n {
		for _, p := range g.admit(1) {
			p.done(f)
			through++
		}
	}
	return through
}

func sendGate() *gate { return gateOf(testBreaker(), true, zerolog.Nop()) }

func gateOf(s BreakerSettings, sends bool, logger zerolog.Logger) *gate {
	var shared settings
	shared.Store(&s)
	return newGate(&shared, sends, "a send", &logger)
}

func TestTheGateOpensAtTheRatio(t *testing.T) {
	inTime(t, func(t *testing.T) {
		g := sendGate()
		for range 9 {
			g.pass(1, good)
			g.pass(1, bad)
		}
		g.pass(1, good)
		if g.state() != 0 {
			t.Fatal("open below min_requests")
		}
		if g.pass(1, bad); g.state() != 2 {
			t.Error("closed at 10 failures of 20")
		}
	})
}

// Where tokens are short, nearly all passes come back unused.
func TestUnusedPassesAreNoCalls(t *testing.T) {
	inTime(t, func(t *testing.T) {
		g := sendGate()
		for i := range 40 {
			passes := g.admit(128)
			for j, p := range passes {
				if j > 0 {
					p.unused()
				}
			}
			if len(passes) > 0 {
				passes[0].done([]finding.Finding{good, bad}[i%2])
			}
		}
		if g.state() != 2 {
			t.Error("half of the calls fail, and the gate is closed")
		}
	})
}

func TestFailuresInARow(t *testing.T) {
	for _, every := range []time.Duration{0, time.Second, time.Minute} { // a slow merchant too
		for name, f := range map[string]finding.Finding{"failures": bad, "refusals": refused, "not sent": {Kind: finding.NotSent}} {
			t.Run(fmt.Sprint(name, " every ", every), func(t *testing.T) {
				inTime(t, func(t *testing.T) {
					g := sendGate()
					g.pass(1000, good)
					time.Sleep(every)
					for range 19 {
						g.pass(1, f)
						time.Sleep(every)
					}
					if g.state() != 0 && (name == "refusals" || every == 0) { // failures alone in a window open by the ratio
						t.Fatal("open after 19")
					}
					if g.pass(1, f); g.state() != 2 || g.pass(5, good) != 0 {
						t.Error("not open after 20")
					}
				})
			})
		}
	}
}

func TestBusinessFailuresAreSuccesses(t *testing.T) {
	inTime(t, func(t *testing.T) {
		g := sendGate()
		for _, kind := range []finding.Kind{finding.SettledFailed, finding.SettledPartial, finding.SettledPaid} {
			g.pass(100, finding.Finding{Kind: kind})
		}
		g = sendGate()
		for range 100 { // refused, but not in a row
			g.pass(19, refused)
			g.pass(1, finding.Finding{Kind: finding.SettledFailed})
		}
		asks := gateOf(testBreaker(), false, zerolog.Nop())
		for _, kind := range finding.AskKinds {
			if kind != finding.Unclear {
				asks.pass(100, finding.Finding{Kind: kind})
			}
		}
		if g.state() != 0 || asks.state() != 0 {
			t.Error("open, though the provider answers")
		}
	})
}

func TestHalfOpenLetsJustTheProbesThrough(t *testing.T) {
	inTime(t, func(t *testing.T) {
		g := sendGate()
		g.pass(20, bad)
		time.Sleep(10*time.Second + 1)
		probes := g.admit(128)
		if len(probes) != 3 || len(g.admit(128)) != 0 || g.state() != 1 {
			t.Fatalf("%d probes, state %d", len(probes), g.state())
		}
		probes[0].unused() // frees its probe
		again := g.admit(128)
		if len(again) != 1 {
			t.Fatalf("an unused probe freed %d", len(again))
		}
		for _, p := range []pass{probes[1], probes[2], again[0]} {
			p.done(good)
		}
		if g.state() != 0 || len(g.admit(100)) != 100 {
			t.Error("not closed after three probes went well")
		}
	})
}

func TestAFailedProbeDoublesTheRest(t *testing.T) {
	inTime(t, func(t *testing.T) {
		g := sendGate()
		g.pass(20, bad)
		for i := range 100 {
			rest := min(10*time.Second<<min(i, 5), time.Minute)
			time.Sleep(rest - 1)
			if g.pass(1, bad) != 0 {
				t.Fatalf("opening %d: let through after %v", i, rest)
			}
			if time.Sleep(time.Millisecond); g.pass(1, bad) != 1 {
				t.Fatalf("opening %d: no probe after %v", i, rest)
			}
		}
		time.Sleep(time.Minute + 1)
		g.pass(3, good)
		g.pass(20, bad)
		if time.Sleep(10*time.Second + 1); g.pass(1, good) != 1 {
			t.Error("the rest didn't begin anew after the gate was closed")
		}
	})
}

func TestRefusalsPauseSendsWithOneProbeAtATime(t *testing.T) {
	inTime(t, func(t *testing.T) {
		g := sendGate()
		g.pass(20, refused)
		time.Sleep(10*time.Second + 1)
		probes := g.admit(128)
		if len(probes) != 1 {
			t.Fatalf("%d probes", len(probes))
		}
		probes[0].done(bad) // says nothing about the account: the probe is free again
		if g.state() != 1 || g.pass(1, refused) != 1 || g.state() != 2 {
			t.Error("an unclear probe decided")
		}
		time.Sleep(20*time.Second + 1)
		if g.pass(1, good); g.state() != 0 {
			t.Error("not closed after the probe went well")
		}
	})
}

// Answers to calls that began before the gate opened say nothing about now.
func TestLateFailuresDontCountAfterwards(t *testing.T) {
	inTime(t, func(t *testing.T) {
		g := sendGate()
		late := g.admit(50)
		g.pass(20, bad)
		time.Sleep(10*time.Second + 1)
		g.pass(3, good)
		for _, p := range late {
			p.done(bad)
		}
		if g.pass(1, bad); g.state() != 0 {
			t.Error("late failures opened it again")
		}
	})
}

func TestSlotsAreKeptForTheOthers(t *testing.T) {
	for _, c := range []struct{ total, merchants int }{{1, 1}, {1, 3}, {2, 2}, {128, 1}, {128, 2}, {128, 3}, {100, 7}, {10, 40}} {
		t.Run(fmt.Sprintf("%d slots, %d merchants", c.total, c.merchants), func(t *testing.T) {
			var names []string
			for i := range c.merchants {
				names = append(names, fmt.Sprint("m", i))
			}
			told := 0
			s := newSlots(c.total, names, func() { told++ }, func() {})
			half := c.total / (2 * c.merchants)
			for round, kept := range []int{(half + 1) / 2, half} { // at first all have been quiet
				held := map[string]int{}
				for _, name := range names { // each takes all it can get, the last one too
					if held[name] = s.take(name, 1000); held[name] < kept {
						t.Errorf("round %d: %s got %d, kept for it are %d", round, name, held[name], kept)
					}
				}
				if busy, free := s.count(); busy+free != c.total || free != 0 && c.merchants > 0 && busy < c.total-kept*(c.merchants-1) {
					t.Errorf("round %d: %d busy, %d free", round, busy, free)
				}
				for name, n := range held {
					s.returnUnused(name, n)
				}
				if busy, free := s.count(); busy != 0 || free != c.total || told != 0 {
					t.Errorf("round %d: %d busy, %d free, told %d times", round, busy, free, told)
				}
			}
			if s.release("m0", s.take("m0", 1)); told != 1 {
				t.Error("nobody was told of a release")
			}
			if s.release("m0", s.take("m0", 1)); told != 1 {
				t.Error("told of a release that nobody waits for")
			}
		})
	}
}

// 429 isn't down: it neither opens a breaker nor proves that the provider works again.
func TestTooFastIsNoFailure(t *testing.T) {
	inTime(t, func(t *testing.T) {
		tooFast := finding.Finding{Kind: finding.Unclear, TooFast: true}
		g := sendGate()
		if g.pass(500, tooFast); g.state() != 0 {
			t.Fatal("open")
		}
		g.pass(20, bad)
		time.Sleep(10*time.Second + 1)
		if through := g.pass(50, tooFast); through != 50 || g.state() != 1 {
			t.Errorf("%d passed a half-open gate, now %d: a probe that says nothing must be free again", through, g.state())
		}
		if g.pass(3, good); g.state() != 0 {
			t.Error("open after good probes")
		}
	})
}

// The numbers may change while the gate works; how long it rests follows at its next opening.
func TestTheBreakersNumbersChange(t *testing.T) {
	inTime(t, func(t *testing.T) {
		s := testBreaker()
		var shared settings
		shared.Store(&s)
		g := newGate(&shared, true, "a send", new(zerolog.Nop()))
		changed := s
		changed.MinRequests, changed.Refusals, changed.OpenFor, changed.MaxOpenFor = 5, 7, 2*time.Second, 3*time.Second
		g.pass(6, bad)
		shared.Store(&changed)
		if g.pass(1, bad); g.state() != 2 {
			t.Fatal("closed after 7 failures in a row, 5 are enough now")
		}
		time.Sleep(2*time.Second + 1)
		if through := g.pass(1, bad); through != 1 || g.state() != 2 {
			t.Fatalf("%d passed after the new open_for, now %d", through, g.state())
		}
		time.Sleep(3*time.Second + 1) // doubled it would be 4 s, max_open_for is 3 s
		if g.pass(3, good); g.state() != 0 {
			t.Fatal("open after good probes")
		}
		if g.pass(7, refused); g.state() != 2 {
			t.Error("closed after 7 refusals in a row")
		}
	})
}

// The fleet is told of refusals once they open the breaker, and of each probe while sends rest.
func TestTheFleetIsToldOfRefusals(t *testing.T) {
	inTime(t, func(t *testing.T) {
		b := newBench(t, orders(60, "a")...)
		var told, accepted atomic.Int64
		fleet := &fleetRefusals{}
		fleet.refused = func(_ time.Time, first time.Duration) {
			if first != 10*time.Second {
				t.Errorf("the first rest is %v", first)
			}
			fleet.resting.Store(true)
			told.Add(1)
		}
		fleet.accepted = func(time.Time) { fleet.resting.Store(false); accepted.Add(1) }
		m := free
		m.refusals = fleet
		m.take = func(_ context.Context, n int) ([]time.Time, time.Duration, error) {
			time.Sleep(time.Millisecond) // one send after the other
			return []time.Time{time.Now()}, 0, nil
		}
		b.merchant("a").Send = m
		var sends atomic.Int64
		account := b.merchant("a").Provider.(provider)
		account.send = func(context.Context, string, time.Time) finding.Finding {
			switch n := sends.Add(1); {
			case n <= 21:
				return refused
			case n == 22: // a probe that says nothing
				return bad
			}
			return good
		}
		b.merchant("a").Provider = account
		b.start()
		time.Sleep(9 * time.Second)
		if told.Load() != 1 {
			t.Errorf("told %d times of the opening", told.Load())
		}
		time.Sleep(5 * time.Minute)
		b.stop()
		if told.Load() != 2 || accepted.Load() != 1 || b.sends("a0059") != 1 {
			t.Errorf("told %d times of refusals, %d times of the end; the last one was sent %d times", told.Load(), accepted.Load(), b.sends("a0059"))
		}
	})
}

// Whoever reads that a breaker has opened wants to know by what.
func TestAnOpeningSaysWhy(t *testing.T) {
	hung := finding.Finding{Kind: finding.Unclear, Detail: "no whole answer before the deadline"}
	cut := finding.Finding{Kind: finding.Unclear, Detail: "no connection: EOF"}
	no := finding.Finding{Kind: finding.Refused, Status: "8000", StatusText: "low balance", Detail: "refused"}
	for _, c := range []struct {
		name  string
		calls func(g *gate)
		want  []string
	}{
		{"at the ratio", func(g *gate) { g.pass(10, good); g.pass(9, hung); g.pass(1, cut) },
			[]string{"10 of 20 calls within 30s failed, the last: no connection: EOF"}},
		{"in a row", func(g *gate) { g.pass(20, hung) }, []string{"20 calls in a row failed, the last: no whole answer before the deadline"}},
		{"a probe", func(g *gate) { g.pass(20, hung); time.Sleep(time.Minute); g.pass(1, cut) },
			[]string{"20 calls in a row failed", "a probe failed, the last: no connection: EOF", `"for":"10s"`, `"for":"20s"`}},
		{"refusals", func(g *gate) { g.pass(20, no) }, []string{"an empty account?", "20 calls in a row failed, the last: 8000, low balance, refused"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			inTime(t, func(t *testing.T) {
				zerolog.DurationFieldFormat = zerolog.DurationFormatString // as the program has it
				var log bytes.Buffer
				c.calls(gateOf(testBreaker(), true, zerolog.New(&log)))
				for _, want := range c.want {
					if !strings.Contains(log.String(), want) {
						t.Errorf("%q isn't in\n%s", want, &log)
					}
				}
			})
		})
	}
}

// A country's answers name no tradeNo. They are not believed, but the provider works.
func TestANamelessAnswerSaysNothingToTheBreaker(t *testing.T) {
	f := finding.Finding{Kind: finding.Unclear, Nameless: true, Detail: "an outcome without a tradeNo"}
	if got := failure(f); got != errNothing { //nolint:errorlint // it is told by itself
		t.Errorf("it means %v", got)
	}
	if f.Nameless = false; failure(f) == nil {
		t.Error("an unclear answer means nothing")
	}
}
