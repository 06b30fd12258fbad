package polling

import (
	"math"
	"sort"
	"time"

	"disburser/payout"
)

const (
	// ageGrowth is how far apart the possible ages are: by less than the jitter moves an ask.
	ageGrowth = 1.04

	// horizon is up to which age intervals reach, in longest pauses. They end before it where
	// fewer than negligible are still unsettled: what is later is left to the plain schedule.
	horizon    = 20
	negligible = 1.0 / 2000

	// Intervals that save hardly anything aren't worth the risk: what they were made of is an
	// estimate. They may need maxAsks of the plain schedule's asks.
	maxAsks = 0.95

	// The payouts that settle before the first ask are even a guess. If they are half of all payouts,
	// the median is a guess too. So the limit is lower by unseenMargin times the square of their
	// share: by a third if it is half.
	unseenMargin = 1.3
)

// margin says how far below the plain schedule's the delays are meant to stay, the median and the
// mean. It is used where so small a part of the plain asks is enough for it.
type margin struct{ median, mean, asks float64 }

// margins are tried one after the other, the widest first. The intervals are made for an
// estimate, and its errors make the best ones look better than they are. Where many asks can be
// saved, some of them are spent on certainty.
//
// The last one keeps to the plain median alone. Its mean may be a quarter longer, which is what it
// takes to leave out asks for the few between two peaks. Without any bound on the mean half of the
// payouts could be left to wait for the longest pause.
var margins = []margin{{0.75, 1, 0.6}, {0.85, 1, 0.6}, {0.95, 1.1, 0.65}, {1, 1.25, 0.75}}

// delayPrices are the prices of delay that are tried. Each is how many asks it may cost to see a
// payout earlier by the plain schedule's mean delay.
var delayPrices = []float64{0.2, 0.4, 0.8, 1.6, 3.2}

// Intervals say when to ask about payouts that settle as those before them did. They never change.
type Intervals struct {
	ages []float64 // seconds since the send; the first is 0
	next []int     // unsettled at this age, ask again at that one
}

// newIntervals makes those with the fewest asks. Half of the payouts wait no longer than by the plain
// schedule, and on average not much longer. It answers nil if none save enough.
func newIntervals(poll payout.Poll, share [buckets]float64) (best *Intervals) {
	p := newProblem(poll, share)
	plainAges := p.plainAges()
	plain, median := p.costsOf(plainAges, 0), p.median(plainAges)
	seen, _ := p.at(p.first)
	limit := (maxAsks - unseenMargin*(1-seen)*(1-seen)) * plain.asks
	for _, m := range margins {
		found, asks := p.cheapest(plain, median, m, limit)
		if found != nil && asks <= m.asks*plain.asks {
			return found
		}
		if best == nil { // none save much: then those with the widest margin
			best = found
		}
	}
	return best
}

// cheapest are the intervals with the fewest asks, below a limit, that keep a margin.
//
// Both bounds become prices (Lagrange multipliers). A second's delay costs a part of an ask. To see
// a settlement within the median pays some asks back. For each price of delay, the other one is
// searched for by halving: the lowest that keeps both bounds.
func (p *problem) cheapest(plain costs, median float64, m margin, limit float64) (best *Intervals, fewest float64) {
	p.setPromptDelay(m.median * median)
	fewest = limit
	// A wider margin wants a little more than half: between two peaks a few payouts make the median.
	half := p.half() * (1 + (1-m.median)/3)
	for _, price := range delayPrices {
		low, high := math.Log(1e-2), math.Log(50)
		for range 7 {
			middle := (low + high) / 2
			next := p.solve(price/plain.mean, math.Exp(middle))
			got := p.costsOf(p.agesOf(next), m.median*median)
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

// After is how long to wait at an age, in seconds; false where hardly any payout becomes so old.
func (p *Intervals) After(since time.Duration) (seconds float64, known bool) {
	age := since.Seconds()
	at := sort.SearchFloat64s(p.ages, age+1e-9) - 1
	if at < 0 || p.next[at] < 0 {
		return 0, false
	}
	return p.ages[p.next[at]] - age, true
}

// survival is the estimated survival function: the share of payouts that isn't settled at an age.
// It has sums over the buckets before.
type survival struct {
	share         [buckets]float64
	before, times [buckets + 1]float64 // of the shares, and of the shares times their age
}

func newSurvival(share [buckets]float64) survival {
	o := survival{share: share}
	for i, x := range share {
		o.before[i+1] = o.before[i] + x
		o.times[i+1] = o.times[i] + x*(edge(i)+edge(i+1))/2
	}
	return o
}

// at is the share that is unsettled at an age, in seconds, and the sum of the ages of
// what has settled, by share. Within a bucket it is spread evenly.
func (o *survival) at(age float64) (left, times float64) {
	if age <= 0 {
		return 1, 0
	}
	b := int(bucketAt(time.Duration(age * float64(time.Second))))
	from, to := edge(b), edge(b+1)
	part := min(1, max(0, (age-from)/(to-from)))
	return max(0, 1-o.before[b]-part*o.share[b]), o.times[b] + part*o.share[b]*(from+part*(to-from)/2)
}

// problem is the search for the ages at which to ask. With sums the cost of any pause is a
// subtraction.
type problem struct {
	survival
	policy         payout.Policy // the plain schedule, in the middle of its jitter
	first, longest float64
	ages           []float64
	left, sum      []float64 // the survival function at each age
	recent         []float64 // the survival function one prompt delay before each age; see setPromptDelay
}

func newProblem(poll payout.Poll, share [buckets]float64) *problem {
	p := &problem{survival: newSurvival(share), policy: payout.Policy{Poll: poll, Jitter: 0.5}, first: poll.First.Seconds(), longest: poll.Max.Seconds()}
	p.ages, p.left, p.sum = []float64{0}, []float64{1}, []float64{0}
	end := min(horizon*p.longest, poll.GiveUp.Seconds())
	left, sum := 1.0, 0.0
	for age := p.first; age < end && left > negligible; age += min(age*(ageGrowth-1), p.longest/4) {
		left, sum = p.at(age)
		p.ages, p.left, p.sum = append(p.ages, age), append(p.left, left), append(p.sum, sum)
	}
	return p
}

// setPromptDelay says within which delay, in seconds, a settlement counts as seen promptly.
func (p *problem) setPromptDelay(delay float64) {
	p.recent = make([]float64, len(p.ages))
	for i, age := range p.ages {
		p.recent[i], _ = p.at(age - delay)
	}
}

// solve finds the cheapest asks for two prices, by dynamic programming from the last age backwards.
// next says for each age at which age the next ask comes. A second's delay costs wait, and a
// settlement that is seen promptly pays soon back.
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

// plainAges are those at which the plain schedule asks, in the middle of its jitter.
func (p *problem) plainAges() (asks []float64) {
	for asked, age := 0, 0.0; age < p.ages[len(p.ages)-1]; asked++ {
		age += p.policy.Pause("", 0, asked).Seconds()
		asks = append(asks, age)
	}
	return asks
}

// agesOf are those at which a solution asks.
func (p *problem) agesOf(next []int) (asks []float64) {
	for at := next[0]; at >= 0; at = next[at] {
		asks = append(asks, p.ages[at])
	}
	return asks
}

// costs are what a schedule takes, by the estimate.
type costs struct {
	asks   float64 // on average
	mean   float64 // delay in seconds
	within float64 // the share that is seen promptly
}

func (p *problem) costsOf(asks []float64, promptDelay float64) (m costs) {
	left, sum := 1.0, 0.0
	for _, age := range asks {
		nextLeft, nextSum := p.at(age)
		recent, _ := p.at(age - promptDelay)
		m.asks += left
		m.mean += age*(left-nextLeft) - (nextSum - sum)
		m.within += min(left, recent) - nextLeft
		left, sum = nextLeft, nextSum
	}
	return m
}

// median is the delay within which half of the payouts are seen, of those that settle within the
// ages.
func (p *problem) median(asks []float64) float64 {
	low, high := 0.0, p.longest
	for range 30 {
		middle := (low + high) / 2
		if p.costsOf(asks, middle).within < p.half() {
			low = middle
		} else {
			high = middle
		}
	}
	return high
}
