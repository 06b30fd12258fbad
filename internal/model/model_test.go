package model

import (
	"flag"
	"strings"
	"testing"
	"time"
)

var (
	faults = flag.Int("faults", 1, "how often Redis may be wiped, set back or split in a run")
	epochs = flag.Int("epochs", 3, "how many epochs a run may use, the first one included (at most 7)")
	limit  = flag.Int("limit", 10_000_000, "how many states a run may visit: 50 bytes each")
	every  = flag.Bool("every", false, "every run, some minutes; otherwise only those of a second (see make model)")
	full   = flag.Bool("full", false, "also the run in which everything may happen at once")
)

// With all rules nothing goes wrong, in any order of things.
func TestNothingGoesWrong(t *testing.T) {
	kinds := []struct {
		name string
		options
	}{
		{"sends", plain}, {"and expiries", ends}, {"and late records", lates}, {"and watermarks", marks}, {"all of it, one worker", alone}, {"two restarts", narrow},
		{"one partition for both", shared}, {"building while leasing", busy}, {"replayed in portions", helped},
	}
	if *full {
		kinds[0].name, kinds[0].options = "all of it", whole
	}
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			quick(t, k.options == narrow)
			t.Parallel()
			r := walk(t, k.options)
			if r.bad != "" {
				t.Errorf("%s, in %d steps:\n%s", r.bad, len(r.trace()), strings.Join(r.trace(), "\n"))
			} else if !r.complete() {
				t.Errorf("stopped at -limit=%d: this proves nothing", r.limit)
			}
		})
	}
}

// Without any one of them something does, and the log says how.
func TestEveryRuleIsNeeded(t *testing.T) {
	for _, g := range rules {
		t.Run(g.name, func(t *testing.T) {
			quick(t, g.in == plain)
			t.Parallel()
			o := g.in
			o.off = g.off
			r := walk(t, o)
			if r.bad == "" {
				t.Fatalf("without this rule (%s) nothing went wrong: is it needed?", g.rule)
			}
			trace := r.trace()
			t.Logf("without %q (%s): %s, in %d steps", g.name, g.rule, r.bad, len(trace))
			for i, line := range trace {
				t.Logf("%3d  %s", i+1, line)
			}
		})
	}
}

func quick(t *testing.T, is bool) {
	t.Helper()
	if !is && !*every {
		t.Skip("walks a million states and more: make model")
	}
}

func walk(t *testing.T, o options) *run {
	t.Helper()
	o.faults, o.epochs = max(o.faults, *faults), *epochs
	r := newRun(o, *limit)
	r.search()
	t.Logf("%d states in %.1f s, %d MB; %d times only the number of epochs forbade a step", r.seen.len(), time.Since(r.began).Seconds(), r.bytes()>>20, r.bounded)
	return r
}

// What is packed is what comes out.
func TestPacked(t *testing.T) {
	r := newRun(whole, 20_000)
	r.faults, r.epochs = 2, 4
	r.search()
	for i := range r.seen.len() {
		k := r.seen.key(uint32(i))
		s := k.unpack()
		if again := s.pack(); again != k {
			t.Fatalf("state %d: packed %x, then %x", i, k, again)
		}
	}
}
