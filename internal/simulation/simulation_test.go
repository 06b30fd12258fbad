package simulation

import (
	"flag"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

var (
	seeds = flag.Uint64("seeds", 4, "how many seeds to simulate")
	from  = flag.Uint64("from", 1, "the first seed")
	most  = flag.Int("faults", 6, "at most so many faults in a seed")
	kinds = flag.String("kinds", "", "only these kinds of faults, separated by commas")
)

func TestSeeds(t *testing.T) {
	for seed := *from; seed < *from+*seeds; seed++ {
		began := time.Now()
		var r Report
		var err error
		synctest.Test(t, func(t *testing.T) { r, err = Run(Draw(seed, *most, chosen())) })
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("seed %d: %v real, %v virtual, quiet after %v, %v, placements %d, epochs %d", seed, time.Since(began).Round(time.Millisecond), r.Virtual, r.Quiet, r.Results, r.Placements, r.Epochs)
		for _, v := range r.Violations {
			t.Errorf("seed %d: %v", seed, v)
		}
		if r.Trace != "" {
			t.Log(r.Trace)
		}
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
