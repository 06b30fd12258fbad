package payout

import (
	"math"
	"time"
)

// How settle times are counted. Buckets are a quarter apart, from a quarter of a second
// to four and a half days: finer than any pause between two asks can tell.
const (
	buckets      = 96
	firstBucket  = 250 * time.Millisecond
	bucketGrowth = 1.15

	// remembers is how many settlements weigh in: enough that the estimate's noise costs
	// little, few enough that a provider that changes is followed within a thousand or two.
	remembers = 700

	// guess is the weight of "anything may happen", spread evenly over all buckets: where
	// nothing was ever seen, the schedule grows as the plain one does.
	guess = 2.0

	// rounds of estimation: it has settled by then to less than a bucket's noise.
	rounds = 60

	// smooth is the share that each round moves to each of a bucket's neighbours. Without it
	// the estimate becomes a comb, and the plan believes in its teeth: delays came out a
	// sixth longer than planned with 0.05, and as planned or shorter with 0.12.
	smooth = 0.12
)

// settling is what was seen of how long payouts take to settle. All that an ask can tell
// is that it happened after one ask and before the next, so what is counted are
// intervals; what lies within them is estimated from all of them together. Counted as if
// they had settled when they were seen, they would only ever confirm the times at which
// we ask.
type settling struct {
	seen   [buckets][buckets]float64 // by first and last bucket of the interval
	weight float64                   // of the next one; grows, so that older ones fade
	count  int                       // settlements in all
}

// add counts a payout that settled between two ages.
func (s *settling) add(after, before time.Duration) {
	if s.weight == 0 {
		s.weight = 1
	}
	s.seen[bucketOf(after)][max(bucketOf(after), bucketOf(before))] += s.weight
	s.count++
	if s.weight *= 1 + 1.0/remembers; s.weight > 1e9 {
		for i := range s.seen {
			for j := range s.seen[i] {
				s.seen[i][j] /= s.weight
			}
		}
		s.weight = 1
	}
}

// bucketOf is the bucket of an age.
func bucketOf(age time.Duration) int {
	if age <= firstBucket {
		return 0
	}
	return min(buckets-1, int(math.Log(float64(age)/float64(firstBucket))/math.Log(bucketGrowth)))
}

// edge is where a bucket begins, in seconds; the first begins with the send.
func edge(bucket int) float64 {
	if bucket == 0 {
		return 0
	}
	return firstBucket.Seconds() * math.Pow(bucketGrowth, float64(bucket))
}

// interval is a group of settlements that were seen alike.
type interval struct {
	from, to int
	weight   float64
}

// estimate is the share of settlements in each bucket: the most likely one, given the
// intervals (Turnbull's estimate, by expectation and maximisation, smoothed). Each round
// spreads an interval's weight over its buckets as the last round says it lies there. It
// begins evenly each time, or it would believe itself.
func (s *settling) estimate() [buckets]float64 {
	var all []interval
	for i := range s.seen {
		for j := i; j < buckets; j++ {
			if w := s.seen[i][j] / s.weight; w > 1e-6 {
				all = append(all, interval{i, j, w})
			}
		}
	}
	var share [buckets]float64
	for i := range share {
		share[i] = 1.0 / buckets
	}
	for range rounds {
		share = smoothed(expect(share, all))
	}
	return share
}

func expect(share [buckets]float64, all []interval) [buckets]float64 {
	var sum [buckets + 1]float64 // of the shares before a bucket
	for i, x := range share {
		sum[i+1] = sum[i] + x
	}
	var step [buckets + 1]float64 // how the weight per share changes from bucket to bucket
	total := guess
	for _, v := range all {
		if within := sum[v.to+1] - sum[v.from]; within > 0 {
			step[v.from] += v.weight / within
			step[v.to+1] -= v.weight / within
			total += v.weight
		}
	}
	var next [buckets]float64
	per := 0.0
	for i := range next {
		per += step[i]
		next[i] = (guess/buckets + share[i]*max(0, per)) / total
	}
	return next
}

func smoothed(share [buckets]float64) [buckets]float64 {
	var next [buckets]float64
	for i, x := range share {
		next[i] += x * (1 - 2*smooth)
		next[max(0, i-1)] += x * smooth
		next[min(buckets-1, i+1)] += x * smooth
	}
	return next
}
