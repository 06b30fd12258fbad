package simulation

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redis/go-redis/v9"
)

// make simulate sets these; `go test` alone runs a few seeds that are always the same.
var (
	seeds = flag.Uint64("seeds", 6, "how many seeds to simulate")
	from  = flag.Uint64("from", 1, "the first seed")
	most  = flag.Int("faults", 7, "at most so many faults in a seed")
	kinds = flag.String("kinds", "", "only these kinds of faults, separated by commas")
	told  = flag.Bool("told", false, "print a line for each seed")
	story = flag.String("story", "", "tell what happened to this tradeNo, also where nothing went wrong")
)

func TestMain(m *testing.M) {
	flag.Parse()
	redis.SetLogger(quiet{}) // it writes to stderr whatever a cut connection costs
	os.Exit(m.Run())
}

type quiet struct{}

// Printf drops the library's lines: the logs of the instances say what matters.
func (quiet) Printf(context.Context, string, ...any) {}

// TestSeeds simulates seeds, as many at once as there are processors.
func TestSeeds(t *testing.T) {
	var s summary
	began := time.Now()
	t.Cleanup(func() { s.print(time.Since(began)) })
	for seed := *from; seed < *from+*seeds; seed++ {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			simulate(t, seed, &s)
		})
	}
}

func simulate(t *testing.T, seed uint64, s *summary) {
	began := time.Now()
	var r Report
	var err error
	synctest.Test(t, func(*testing.T) { r, err = Run(Draw(seed, *most, chosen()), *story) })
	if err != nil {
		t.Fatal(err)
	}
	s.add(r)
	if *told {
		fmt.Fprintf(os.Stdout, "seed %-6d %6.2fs  %v\n", seed, time.Since(began).Seconds(), r)
	}
	for _, v := range r.Violations {
		t.Errorf("%v", v)
	}
	if len(r.Violations) > 0 {
		t.Errorf("again: go test ./internal/simulation -run TestSeeds -count=1 -v -args -seeds 1 -from %d -faults %d -kinds %q", seed, *most, *kinds)
	}
	if r.Trace != "" {
		t.Log(r.Trace)
	}
}

func chosen() (list []Kind) {
	for k := range strings.SplitSeq(*kinds, ",") {
		if k != "" {
			list = append(list, Kind(k))
		}
	}
	return list
}

// summary adds up what was simulated.
type summary struct {
	mu                   sync.Mutex
	seeds, violated      int
	virtual              time.Duration
	faults               map[Kind]int
	payouts, held, sends int
	epochs, lives, lost  int
	said, resolved       int
	outcomes             map[string]int
}

func (s *summary) add(r Report) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.faults == nil {
		s.faults, s.outcomes = map[Kind]int{}, map[string]int{}
	}
	s.seeds++
	if len(r.Violations) > 0 {
		s.violated++
	}
	s.virtual += r.Virtual
	for _, f := range r.Plan.Faults {
		s.faults[f.Kind]++
	}
	for kind, n := range r.Results {
		s.payouts += n
		if kind == "payout.held" {
			s.held += n
		}
	}
	for result, n := range r.Outcomes {
		s.outcomes[result] += n
	}
	s.said, s.resolved = s.said+r.Said, s.resolved+r.Resolved
	s.sends, s.epochs, s.lives, s.lost = s.sends+r.Placements, s.epochs+r.Epochs, s.lives+r.Lives, s.lost+r.Lost
}

func (s *summary) print(took time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var faults []string
	for _, k := range slices.Sorted(maps.Keys(s.faults)) {
		faults = append(faults, fmt.Sprintf("%s %d", k, s.faults[k]))
	}
	fmt.Fprintf(os.Stdout, "%d seeds from %d, %d with a violation; %v of virtual time in %v\n", s.seeds, *from, s.violated, s.virtual.Round(time.Second), took.Round(100*time.Millisecond))
	var outcomes []string
	for _, result := range slices.Sorted(maps.Keys(s.outcomes)) {
		outcomes = append(outcomes, fmt.Sprintf("%s %d", result, s.outcomes[result]))
	}
	fmt.Fprintf(os.Stdout, "people said %d things, and ended %d payouts; outcomes: %s\n", s.said, s.resolved, strings.Join(outcomes, ", "))
	fmt.Fprintf(os.Stdout, "%d payouts (%d held), %d sends; %d lives of instances, %d epochs, %d messages lost\nfaults: %s\n",
		s.payouts, s.held, s.sends, s.lives, s.epochs, s.lost, strings.Join(faults, ", "))
}

// A plan is the seed's alone.
func TestASeedAlwaysDrawsTheSamePlan(t *testing.T) {
	for seed := range uint64(50) {
		if a, b := fmt.Sprintf("%+v", Draw(seed, 7, nil)), fmt.Sprintf("%+v", Draw(seed, 7, nil)); a != b {
			t.Fatalf("seed %d: two plans", seed)
		}
	}
}
