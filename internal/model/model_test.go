package model

import (
	"flag"
	"testing"
	"time"
)

var (
	expiry = flag.Bool("expiry", true, "")
	busy     = flag.Bool("busy", false, "")
	together = flag.Bool("together", false, "")
	faults   = flag.Int("faults", 1, "")
	epochs   = flag.Int("epochs", 3, "")
	limit    = flag.Int("limit", 30_000_000, "")
	off      = flag.Uint("off", 0, "")
	late_    = flag.Bool("late", true, "")
	mark     = flag.Bool("mark", true, "")
)

func TestModel(t *testing.T) {
	o := options{faults: *faults, epochs: *epochs, late: *late_, expiry: *expiry, busy: *busy, together: *together, mark: *mark, off: guard(*off)}
	r := newRun(o, *limit)
	r.search()
	t.Logf("%d states, %v, %d MB, complete %v bounded %d, %s", r.seen.len(), time.Since(r.began), r.seen.bytes()>>20, r.complete(), r.bounded, r.bad)
	if r.bad != "" {
		for i, l := range r.trace() {
			t.Logf("%3d %s", i+1, l)
		}
	}
}
