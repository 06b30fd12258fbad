package polling

import (
	"cmp"
	"math"
	"slices"
	"time"
)

// Settle times are counted in time buckets: from a fiftieth of a second to four days, each about a
// seventh longer than the one before. No pause between two asks can tell anything finer.
const (
	buckets      = 120
	firstBucket  = 20 * time.Millisecond
	bucketGrowth = 1.15
)

const (
	// remembered is how many settlements weigh in. They are enough to keep the estimate's noise
	// small, and few enough to follow a provider that changes within a thousand or two.
	remembered = 700

	// At every age we pretend to have seen priorPayouts more, of which a share of priorShare
	// settled there. Where nothing was ever seen, the intervals then grow like the plain schedule.
	priorPayouts = 0.5
	priorShare   = 0.05

	// negligibleWeight is the weight, in observations, from which on an interval says nothing.
	negligibleWeight = 1e-6

	// emRounds are enough: by then the estimate changes less than the noise of one bucket.
	emRounds = 60

	// smoothing is the share that each round moves to each of a bucket's neighbours. Without it the
	// estimate has narrow peaks that aren't there, and intervals are made for them. With 0.12 it is
	// so blurred that a tenth more asks are needed.
	smoothing = 0.03
)

// settleTimes are what the asks have told of how long payouts take to settle.
//
// An ask tells of a payout that was unsettled at one age whether it is settled at a later one, and
// nothing else. Payouts must not be counted as if they had settled when they were seen: that would
// only confirm the ages at which we ask.
//
// Each ask is an observation by itself, whoever made the others about the same payout. Asks that
// found nothing count as well: in a payroll's first minute only its quickest payouts have settled.
//
// Of all possible intervals, 7,260, only those that were seen take memory: a few hundred.
type settleTimes struct {
	settled   []interval       // those that were seen, ordered by the first and the last bucket
	unsettled [buckets]float64 // came through a bucket unsettled; parts of a bucket are added up
	weight    float64          // of the next observation; it grows, so that older ones weigh less
	count     int              // settlements in all
}

// add counts an answer at the age answeredAt, about a payout that was unsettled at unsettledAt.
func (s *settleTimes) add(unsettledAt, answeredAt time.Duration, settled bool) {
	if s.weight == 0 {
		s.weight = 1
	}
	from, to := bucketAt(unsettledAt), bucketAt(max(unsettledAt, answeredAt))
	if !settled {
		s.stayed(from, to, s.weight)
		return
	}
	// The interval ends at whole buckets. The nearest ones are as often too early as too late.
	first, end := math.Round(from), math.Round(to)
	if first == end {
		first = math.Floor((from + to) / 2)
		end = first + 1
	}
	*s.within(uint8(first), uint8(end)-1) += s.weight
	s.stayed(from, first, s.weight) // the asks before have counted it up to from
	s.count++
	if s.weight *= 1 + 1.0/remembered; s.weight > 1e9 { // before numbers become too large
		s.rescale()
	}
}

// within is the weight of an interval, which is added where it wasn't seen before.
func (s *settleTimes) within(from, to uint8) *float64 {
	at, found := slices.BinarySearchFunc(s.settled, interval{from: from, to: to}, func(a, b interval) int {
		return cmp.Or(cmp.Compare(a.from, b.from), cmp.Compare(a.to, b.to))
	})
	if !found {
		s.settled = slices.Insert(s.settled, at, interval{from: from, to: to})
	}
	return &s.settled[at].weight
}

// rescale makes the next observation's weight 1 again. Intervals that nobody has settled in for
// long, so that they say nothing any more, are forgotten.
func (s *settleTimes) rescale() {
	for i := range s.unsettled {
		s.unsettled[i] /= s.weight
	}
	for i := range s.settled {
		s.settled[i].weight /= s.weight
	}
	s.settled = slices.DeleteFunc(s.settled, func(v interval) bool { return v.weight <= negligibleWeight })
	s.weight = 1
}

// stayed counts that a payout came through the buckets between two places unsettled. If the second
// place lies before the first, it takes that back.
func (s *settleTimes) stayed(from, to, weight float64) {
	if from > to {
		from, to, weight = to, from, -weight
	}
	for i := int(from); i <= int(to) && i < buckets; i++ {
		s.unsettled[i] += weight * (min(to, float64(i+1)) - max(from, float64(i)))
	}
}

// bucketAt is the bucket of an age and, behind the point, the part of it that is over.
func bucketAt(age time.Duration) float64 {
	at := math.Log(float64(age)/float64(firstBucket)) / math.Log(bucketGrowth)
	if !(at >= 1) { // also where there is no logarithm
		at = max(0, float64(age)/(float64(firstBucket)*bucketGrowth))
	}
	return min(at, buckets-1e-6)
}

// edge is where a bucket begins, in seconds; the first begins with the send.
func edge(bucket int) float64 {
	if bucket == 0 {
		return 0
	}
	return firstBucket.Seconds() * math.Pow(bucketGrowth, float64(bucket))
}

// interval is a group of settlements that were seen between the same two buckets.
type interval struct {
	weight   float64
	from, to uint8
}

// estimate is the share of payouts that settle in each bucket. It is Turnbull's estimate for
// interval-censored and left-truncated data, by expectation maximisation with smoothing.
//
// Each round spreads an interval's weight over its buckets by the shares of the last round (expect).
// From that follow new shares (maximise). The first shares are the same at each call. If they were
// those of the last call, errors would grow. On the near side of a peak, later in an interval always
// looks likelier than earlier. When payouts settle before the first ask stays unknown.
func (s *settleTimes) estimate() [buckets]float64 {
	var all []interval
	for _, v := range s.settled {
		if v.weight /= s.weight; v.weight > negligibleWeight {
			all = append(all, v)
		}
	}
	var unsettled, share [buckets]float64
	for i := range share {
		unsettled[i] = max(0, s.unsettled[i]/max(1, s.weight)) // it is below 0 where another instance made the asks before
		share[i] = math.Pow(edge(i+1)-edge(i), 3)
	}
	for range emRounds {
		events, atRisk := expect(share, all)
		for i := range atRisk {
			atRisk[i] += unsettled[i]
		}
		share = maximise(smoothed(events), smoothed(atRisk))
	}
	return share
}

// expect is the expectation step. For each bucket it answers how many payouts settle in it (events),
// and how many of those that settle come to it unsettled (at risk). Sums over the buckets before make
// the cost independent of how wide the intervals are.
func expect(share [buckets]float64, all []interval) (events, atRisk [buckets]float64) {
	var sum [buckets + 1]float64 // of the shares before a bucket
	for i, x := range share {
		sum[i+1] = sum[i] + x
	}
	// By how much two sums change from bucket to bucket. One is the weight per share, the other one is
	// that times the shares up to the interval's end.
	var step, end [buckets + 1]float64
	for _, v := range all {
		if within := sum[v.to+1] - sum[v.from]; within > 0 {
			per := v.weight / within
			step[v.from] += per
			step[v.to+1] -= per
			end[v.from] += per * sum[v.to+1]
			end[v.to+1] -= per * sum[v.to+1]
		}
	}
	per, till := 0.0, 0.0
	for i := range events {
		per += step[i]
		till += end[i]
		events[i] = max(0, share[i]*per)
		atRisk[i] = max(events[i], till-per*sum[i])
	}
	return events, atRisk
}

// maximise is the maximisation step. It answers the most likely shares, given how many were at risk in
// each bucket and how many of them settled there. That is the product-limit estimate of Kaplan and
// Meier.
func maximise(events, atRisk [buckets]float64) (share [buckets]float64) {
	left := 1.0
	for i := range share {
		share[i] = left * min(1, (events[i]+priorPayouts*priorShare)/(atRisk[i]+priorPayouts))
		left -= share[i]
	}
	share[buckets-1] += left
	return share
}

// smoothed moves a part of each bucket to its neighbours.
func smoothed(x [buckets]float64) [buckets]float64 {
	var next [buckets]float64
	for i, x := range x {
		next[i] += x * (1 - 2*smoothing)
		next[max(0, i-1)] += x * smoothing
		next[min(buckets-1, i+1)] += x * smoothing
	}
	return next
}
