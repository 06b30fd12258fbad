package polling

import (
	"math"
	"sort"
	"time"

	"disburser/payout"
)

const (
	// gridGrowth is how fine the plan's possible ages are: less than the jitter moves an ask.
	gridGrowth = 1.04

	// planned is how far a plan reaches, in longest pauses, unless hardly anything is
	// unsettled before.
	planned  = 20
	unlikely = 1.0 / 2000

	// A plan that saves hardly anything isn't worth the risk that what it was made of is an
	// estimate: worth is which part of the plain schedule's asks it may need. What settles
	// before first, when nobody can look, is even a guess; where that is half of the
	// payouts the median is one too, and a quarter of unseen more must be saved.
	worth  = 0.95
	unseen = 1.3
)

// margin is how far a plan's delays are meant to stay below the plain schedule's, the
// median and the mean, and which part of its asks is few enough to keep that margin.
type margin struct{ median, mean, asks float64 }

// margins, the widest first. What is planned for is an estimate, and the best plan is the
// one that it flatters most: where there is much to save, some of it buys certainty. Only
// the median must be no longer; but by the median alone half of the payouts could be left
// to wait for the longest pause. A quarter on the mean is what it takes to leave out asks
// for the few between two peaks, where that makes the difference.
var margins = []margin{{0.75, 1, 0.6}, {0.85, 1, 0.6}, {0.95, 1.1, 0.65}, {1, 1.25, 0.75}}

// prices of the mean delay, in asks for as long as the plain schedule lets people wait.
var prices = []float64{0.2, 0.4, 0.8, 1.6, 3.2}

// Plan says when to ask about payouts that settle as those before them did. It never
// changes.
type Intervals struct {
	ages []float64 // seconds since the send; the first is 0
	next []int     // unsettled at this age, ask again at that one
}

// newPlan makes a plan with as few asks as keep people waiting no longer than the plain
// schedule does: half of them no longer, and on average not much. It answers nil if there
// is none that is worth it.
func newIntervals(poll payout.Poll, share [buckets]float64) (best *Intervals) {
	p := newProblem(poll, share)
	plain := p.plain()
	all, median := p.judge(plain, 0), p.median(plain)
	soonest, _ := p.at(p.first)
	limit := (worth - unseen*(1-soonest)*(1-soonest)) * all.asks
	for _, m := range margins {
		plan, asks := p.cheapest(all, median, m, limit)
		if plan != nil && asks <= m.asks*all.asks {
			return plan
		}
		if best == nil { // nothing saves much: then as surely as possible
			best = plan
		}
	}
	return best
}

// cheapest is the plan with the fewest asks, below a limit, that keeps a margin.
//
// Both bounds have a price: a second's delay costs a part of an ask, and to see a
// settlement within the median saves one. For each of some prices of the one, that of the
// other is turned up until both bounds are kept.
func (p *problem) cheapest(plain merits, median float64, m margin, limit float64) (best *Intervals, fewest float64) {
	p.look(m.median * median)
	fewest = limit
	half := p.half() * (1 + (1-m.median)/3) // between two peaks a few payouts more or less make the median
	for _, price := range prices {
		low, high := math.Log(1e-2), math.Log(50)
		for range 7 {
			middle := (low + high) / 2
			next := p.solve(price/plain.mean, math.Exp(middle))
			got := p.judge(p.along(next), m.median*median)
			if got.within < half || got.mean > m.mean*plain.mean {
				low = middle
				continue
			}
			if got.asks < fewest {
				fewest, best = got.asks, &Intervals{ages: p.ages, next: next}
			}
			high = middle
		}
	}
	return best, fewest
}

// half of what settles within the ages.
func (p *problem) half() float64 { return (1 - p.left[len(p.left)-1]) / 2 }

// After is how long to wait at an age, in seconds; ok is false where hardly any payout becomes so old.
func (p *Intervals) After(since time.Duration) (seconds float64, known bool) {
	age := since.Seconds()
	at := sort.SearchFloat64s(p.ages, age+1e-9) - 1
	if at < 0 || p.next[at] < 0 {
		return 0, false
	}
	return p.ages[p.next[at]] - age, true
}

// outlook is what is believed about settle times, with sums over the buckets before.
type outlook struct {
	share         [buckets]float64
	before, times [buckets + 1]float64 // the share, and that times its age
}

func newOutlook(share [buckets]float64) outlook {
	o := outlook{share: share}
	for i, x := range share {
		o.before[i+1] = o.before[i] + x
		o.times[i+1] = o.times[i] + x*(edge(i)+edge(i+1))/2
	}
	return o
}

// at is the share that is unsettled at an age, in seconds, and the sum of the ages of
// what has settled, by share. Within a bucket it is spread evenly.
func (o *outlook) at(age float64) (left, times float64) {
	if age <= 0 {
		return 1, 0
	}
	b := int(bucketAt(time.Duration(age * float64(time.Second))))
	from, to := edge(b), edge(b+1)
	part := min(1, max(0, (age-from)/(to-from)))
	return max(0, 1-o.before[b]-part*o.share[b]), o.times[b] + part*o.share[b]*(from+part*(to-from)/2)
}

// problem is the search for a plan: at which of the ages to ask. Sums make the cost of
// any pause a subtraction.
type problem struct {
	outlook
	policy         payout.Policy // the plain schedule, in the middle of its jitter
	first, longest float64
	ages           []float64
	left, sum      []float64 // the outlook at each age
	recent         []float64 // unsettled a moment before an age
}

func newProblem(poll payout.Poll, share [buckets]float64) *problem {
	p := &problem{outlook: newOutlook(share), policy: payout.Policy{Poll: poll, Jitter: 0.5}, first: poll.First.Seconds(), longest: poll.Max.Seconds()}
	p.ages, p.left, p.sum = []float64{0}, []float64{1}, []float64{0}
	end := min(planned*p.longest, poll.GiveUp.Seconds())
	left, sum := 1.0, 0.0
	for age := p.first; age < end && left > unlikely; age += min(age*(gridGrowth-1), p.longest/4) {
		left, sum = p.at(age)
		p.ages, p.left, p.sum = append(p.ages, age), append(p.left, left), append(p.sum, sum)
	}
	return p
}

// look sets what a moment is.
func (p *problem) look(moment float64) {
	p.recent = make([]float64, len(p.ages))
	for i, age := range p.ages {
		p.recent[i], _ = p.at(age - moment)
	}
}

// solve finds the cheapest asks, from the last age backwards. A second's delay costs
// wait, what is seen within a moment saves soon.
func (p *problem) solve(wait, soon float64) (next []int) {
	n := len(p.ages)
	next = make([]int, n)
	cost := make([]float64, n)
	rest := make([]float64, n) // what an ask at an age costs, wherever the last one was
	nearest := n
	for i := n - 1; i >= 0; i-- {
		for nearest > 0 && p.ages[nearest-1]-p.ages[i] >= p.first-1e-6 {
			nearest--
		}
		next[i] = -1 // the end: what remains costs every choice the same
		best, left := math.Inf(1), p.left[i]
		for j := nearest; j < n && p.ages[j]-p.ages[i] <= p.longest+1e-6; j++ {
			if c := rest[j] + wait*p.ages[j]*left - soon*min(left, p.recent[j]); c < best {
				best, next[i] = c, j
			}
		}
		if next[i] >= 0 {
			cost[i] = best + left + wait*p.sum[i]
		}
		rest[i] = cost[i] - wait*(p.ages[i]*left+p.sum[i]) + soon*left
	}
	return next
}

// plain are the ages at which the plain schedule asks, with half of its jitter.
func (p *problem) plain() (asks []float64) {
	for asked, age := 0, 0.0; age < p.ages[len(p.ages)-1]; asked++ {
		age += p.policy.Pause("", 0, asked).Seconds()
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

// merits are what a schedule costs by this outlook.
type merits struct {
	asks   float64 // on average
	mean   float64 // delay in seconds
	within float64 // the share that is seen within a moment
}

func (p *problem) judge(asks []float64, moment float64) (m merits) {
	left, sum := 1.0, 0.0
	for _, age := range asks {
		nextLeft, nextSum := p.at(age)
		recent, _ := p.at(age - moment)
		m.asks += left
		m.mean += age*(left-nextLeft) - (nextSum - sum)
		m.within += min(left, recent) - nextLeft
		left, sum = nextLeft, nextSum
	}
	return m
}

// median is the delay that half of the payouts stay within, of those that settle within
// the ages.
func (p *problem) median(asks []float64) float64 {
	low, high := 0.0, p.longest
	for range 30 {
		middle := (low + high) / 2
		if p.judge(asks, middle).within < p.half() {
			low = middle
		} else {
			high = middle
		}
	}
	return high
}
