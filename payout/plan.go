package payout

import (
	"math"
	"slices"
	"sort"
	"time"
)

const (
	// gridGrowth is how fine the plan's possible ages are: a twentieth, half of what the
	// jitter moves an ask.
	gridGrowth = 1.05

	// planned is how far a plan reaches, in longest pauses; beyond it every pause is the
	// longest one.
	planned = 20

	// A plan must not keep people waiting longer than the plain schedule: its median
	// delay stays so far below, because what it was made of is an estimate.
	delayMargin = 0.95
)

// tempers are ways to weigh a second's delay by the age at which it comes: by the age's
// root, by the age, and more. Which one saves most depends on the settle times.
var tempers = []float64{0.5, 1, 1.5, 2}

// Plan says when to ask about payouts that settle as those before them did. It never
// changes.
type Plan struct {
	ages []float64 // seconds since the send; the first is 0
	next []int     // unsettled at this age, ask again at that one
}

// newPlan makes the plan with the fewest asks that keeps nobody waiting longer than the
// plain schedule does, or answers nil if there is none.
//
// Each ask costs one, each second of delay costs the more the younger the payout is
// (who has waited ten minutes doesn't mind ten seconds more). What delay costs against
// asks is then turned up until the delays are those of the plain schedule.
func newPlan(poll Poll, share [buckets]float64) *Plan {
	p := newProblem(poll, share)
	plain := p.judge(p.plain())
	fewest := plain.asks
	var best *Plan
	for _, temper := range tempers {
		p.weigh(temper)
		low, high := math.Log(1e-3), math.Log(1e3)
		for range 14 {
			price := (low + high) / 2
			next := p.solve(math.Exp(price))
			if got := p.judge(p.along(next)); got.median > delayMargin*plain.median || got.relative > plain.relative {
				low = price
				continue
			} else if got.asks < fewest {
				fewest, best = got.asks, &Plan{ages: p.ages, next: next}
			}
			high = price
		}
	}
	return best
}

// pause is how long to wait at an age; ok is false where the plan says nothing.
func (p *Plan) pause(since time.Duration) (pause float64, ok bool) {
	age := since.Seconds()
	at := sort.SearchFloat64s(p.ages, age+1e-9) - 1
	if at < 0 || p.next[at] < 0 {
		return 0, false
	}
	return p.ages[p.next[at]] - age, true
}

// problem is the search for a plan: at which of the ages to ask. Sums make the cost of
// any pause a subtraction.
type problem struct {
	first, longest float64
	factor         float64
	ages           []float64
	left           []float64 // the share that is unsettled at an age
	cost, moment   []float64 // sums of the settled share, by cost of a second's delay, and that times the age
	middle         []float64 // of the ages before and at i
}

func newProblem(poll Poll, share [buckets]float64) *problem {
	p := &problem{first: poll.First.Seconds(), longest: poll.Max.Seconds(), factor: poll.Factor}
	p.ages = []float64{0}
	end := min(planned*p.longest, poll.GiveUp.Seconds())
	for age := p.first; age < end; age += min(age*(gridGrowth-1), p.longest/4) {
		p.ages = append(p.ages, age)
	}
	var before [buckets + 1]float64
	for i, x := range share {
		before[i+1] = before[i] + x
	}
	n := len(p.ages)
	p.left, p.cost, p.moment, p.middle = make([]float64, n), make([]float64, n), make([]float64, n), make([]float64, n)
	p.left[0] = 1
	for i := 1; i < n; i++ {
		p.left[i] = max(0, 1-settledBy(p.ages[i], share, before))
		p.middle[i] = (p.ages[i-1] + p.ages[i]) / 2
	}
	return p
}

// weigh sets what a second's delay costs at each age.
func (p *problem) weigh(temper float64) {
	for i := 1; i < len(p.ages); i++ {
		dear := (p.left[i-1] - p.left[i]) / math.Pow(1+p.middle[i]/p.first, temper)
		p.cost[i] = p.cost[i-1] + dear
		p.moment[i] = p.moment[i-1] + dear*p.middle[i]
	}
}

// settledBy is the share that has settled by an age, in seconds. Within a bucket it is
// spread evenly.
func settledBy(age float64, share [buckets]float64, before [buckets + 1]float64) float64 {
	b := bucketOf(time.Duration(age * float64(time.Second)))
	if b == buckets-1 {
		return 1
	}
	from, to := edge(b), edge(b+1)
	return before[b] + share[b]*min(1, max(0, (age-from)/(to-from)))
}

// solve finds the cheapest asks at a price of delay, from the last age backwards.
func (p *problem) solve(price float64) (next []int) {
	n := len(p.ages)
	next = make([]int, n)
	cost := make([]float64, n)
	for i := n - 1; i >= 0; i-- {
		next[i] = -1 // the end: what remains costs every choice the same
		best := math.Inf(1)
		for j := i + 1; j < n && p.ages[j]-p.ages[i] <= p.longest+1e-6; j++ {
			if p.ages[j]-p.ages[i] < p.first-1e-6 {
				continue
			}
			delay := p.ages[j]*(p.cost[j]-p.cost[i]) - (p.moment[j] - p.moment[i])
			if c := p.left[i] + price*delay + cost[j]; c < best {
				best, next[i] = c, j
			}
		}
		if next[i] >= 0 {
			cost[i] = best
		}
	}
	return next
}

// plain are the ages at which the plain schedule asks, with half of its jitter.
func (p *problem) plain() (asks []float64) {
	age, pause := 0.0, p.first
	for last := p.ages[len(p.ages)-1]; age < last; pause = min(pause*p.factor, p.longest) {
		age += pause * (1 - jitterShare/2)
		asks = append(asks, age)
	}
	return asks
}

// along are the ages at which a solution asks.
func (p *problem) along(next []int) (asks []float64) {
	for at := next[0]; at >= 0; at = next[at] {
		asks = append(asks, p.ages[at])
	}
	return asks
}

// merits are what a schedule would have cost.
type merits struct {
	asks     float64 // on average
	median   float64 // delay in seconds, of those that settle within the ages
	relative float64 // delay by age, on average
}

func (p *problem) judge(asks []float64) merits {
	type wait struct{ delay, share float64 }
	var waits []wait
	m := merits{asks: 1} // the first is for all
	at := 0
	for i := 1; i < len(p.ages); i++ {
		for at < len(asks) && asks[at] < p.middle[i] {
			m.asks += p.left[i-1]
			at++
		}
		if at == len(asks) {
			break
		}
		w := wait{asks[at] - p.middle[i], p.left[i-1] - p.left[i]}
		waits = append(waits, w)
		m.relative += w.share * w.delay / (p.middle[i] + p.first)
	}
	slices.SortFunc(waits, func(a, b wait) int {
		if a.delay < b.delay {
			return -1
		}
		return 1
	})
	all := 0.0
	for _, w := range waits {
		all += w.share
	}
	so := 0.0
	for _, w := range waits {
		if so += w.share; so >= all/2 {
			m.median = w.delay
			break
		}
	}
	return m
}
