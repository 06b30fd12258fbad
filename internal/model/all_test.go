package model

import "testing"

func TestAll(t *testing.T) {
	names := []string{"stateCheck", "tokenCheck", "decision", "acknowledged", "theLook", "lookFromFence", "leaseEpoch", "deadline", "finalDecision", "finalLook", "waitAfter", "byID", "runID", "buildRefuses", "fenceAll", "notedAfter", "fenceLast", "replay", "sendOutranks", "finalValid", "tiedReplay", "markLooks", "markOrder"}
	for i, n := range names {
		o := options{faults: *faults, epochs: *epochs, late: *late_, expiry: *expiry, mark: *mark, busy: *busy, off: 1 << i}
		if *off != 0 && *off != 1<<i {
			continue
		}
		r := newRun(o, *limit)
		r.search()
		t.Logf("%s: %q %d states", n, r.bad, r.seen.len())
		if r.bad != "" {
			l := r.trace()
			t.Logf("  %d steps", len(l))
			if *off != 0 {
				for i, l := range l {
					t.Logf("%3d %s", i+1, l)
				}
			}
		}
	}
}
