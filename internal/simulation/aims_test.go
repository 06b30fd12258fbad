package simulation

import (
	"slices"
	"testing"
)

// Each seed with people has an aim, and the aims share the seeds. Without faults there is none.
func TestEachPlanWithPeopleHasAnAim(t *testing.T) {
	aimed := 0
	for seed := range uint64(60) {
		bare, plan := Draw(seed, 7, []Kind{Kill}), Draw(seed, 7, nil)
		if len(plan.People.Words) == 0 {
			continue
		}
		if len(Draw(seed, 0, nil).Faults) > 0 || len(bare.Bursts) >= len(plan.Bursts) {
			t.Errorf("seed %d: no aim, or one without faults", seed)
		}
		for _, f := range plan.Faults {
			if f.At < 0 || f.At > calm {
				t.Errorf("seed %d: %v", seed, f)
			}
		}
		if !slices.IsSortedFunc(plan.Faults, func(a, b Fault) int { return int(a.At - b.At) }) {
			t.Errorf("seed %d: the faults aren't in order", seed)
		}
		aimed++
	}
	if aimed < 30 {
		t.Errorf("%d of 60 seeds", aimed)
	}
}
