package decisions

import (
	"math/rand/v2"
	"time"
)

// pulse notices partitions of the decisions in which nobody writes. One goroutine owns it.
type pulse struct {
	ends  map[int]int64
	moved map[int]time.Time
	slack time.Duration // of this instance, so that not all speak at once
}

func newPulse(ends map[int]int64) *pulse {
	p := &pulse{ends: map[int]int64{}, moved: map[int]time.Time{}, slack: rand.N(markEvery)}
	p.silent(ends, time.Now())
	return p
}

// silent answers the partitions that need a sign of life, by the ends that they have now. It
// is one, if nothing was written anywhere for a while, and each that retention is about to
// empty.
func (p *pulse) silent(ends map[int]int64, now time.Time) (partitions []int) {
	var latest time.Time
	longest := -1
	for number, end := range ends {
		if last, known := p.ends[number]; !known || end != last {
			p.ends[number], p.moved[number] = end, now
		}
		moved := p.moved[number]
		if moved.After(latest) {
			latest = moved
		}
		if now.Sub(moved) >= keepEvery+p.slack {
			partitions = append(partitions, number)
		}
		if longest < 0 || moved.Before(p.moved[longest]) {
			longest = number
		}
	}
	if len(partitions) == 0 && longest >= 0 && now.Sub(latest) >= aliveEvery+p.slack {
		partitions = append(partitions, longest)
	}
	return partitions
}
