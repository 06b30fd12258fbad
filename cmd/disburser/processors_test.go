package main

import (
	"testing"
	"time"
)

// One processor is for a process that has been quiet for a while. All are there at the first look that finds
// much to do.
func TestProcessorsFollowTheLoad(t *testing.T) {
	var p processors
	for i, c := range []struct {
		looks int
		part  float64 // of a core, in each of these looks
		last  change  // what the last of them says; the others say nothing
	}{
		{100, 1.4, unchanged}, {19, 0.1, unchanged}, {1, 0.5, unchanged}, {19, 0.34, unchanged}, {1, 0.34, one},
		{100, 0.59, unchanged}, {1, 0.6, all}, {19, 0, unchanged}, {1, 0, one}, {100, 0.2, unchanged}, {1, 1, all},
	} {
		for look := range c.looks {
			want := unchanged
			if look == c.looks-1 {
				want = c.last
			}
			if got := p.next(time.Duration(c.part*float64(processorsEvery)), processorsEvery); got != want {
				t.Fatalf("step %d, look %d: %d, not %d", i, look, got, want)
			}
		}
	}
	if p.next(time.Hour, 0) != unchanged {
		t.Error("a look right after another one counts")
	}
}

func TestProcessorTimeGrows(t *testing.T) {
	before, known := processorTime()
	if !known {
		t.Skip("this system doesn't tell")
	}
	for began := time.Now(); time.Since(began) < time.Minute; {
		if after, _ := processorTime(); after > before {
			return
		}
	}
	t.Error("a minute's work used none")
}
