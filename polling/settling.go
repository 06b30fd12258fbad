package polling

import (
	"math"
	"time"
)

// How settle times are counted. Buckets are a seventh apart, from a fiftieth of a second
// to four days: finer than any pause between two asks can tell.
const (
	buckets      = 120
	firstBucket  = 20 * time.Millisecond
	bucketGrowth = 1.15

	// remembers is how many settlements weigh in: enough that the estimate's noise costs
	// little, few enough that a provider that changes is followed within a thousand or two.
	remembers = 700

	// guess is how many payouts we pretend to have seen that settle at any age, likely in
	// every bucket of it: where nothing was ever seen, the schedule grows as the plain one.
	guess  = 0.5
	likely = 0.05

	// rounds of estimation: it has settled by then to less than a bucket's noise.
	rounds = 60

	// smooth is the share that each round moves to each of a bucket's neighbours. Without it
	// the estimate becomes a comb, and the plan believes in its teeth; with 0.12 it is so
	// blurred that plans need a tenth more asks than they must.
	smooth = 0.03
)

// settling is what was seen of how long payouts take to settle. An ask tells of a payout
// that was unsettled at one age whether it is at a later one, and nothing else; counted as
// if they had settled when they were seen, payouts would only ever confirm the times at
// which we ask.
//
// Each ask is an observation by itself, whoever made the others about the same payout, and
// those that found nothing count as well: in a payroll's first minute only its quickest
// payouts have settled.
type settling struct {
	seen   [buckets][buckets]float64 // settled, by first and last bucket of the interval
	passed [buckets]float64          // unsettled through a bucket, parts of it added up
	weight float64                   // of the next one; grows, so that older ones fade
	count  int                       // settlements in all
}

// add counts an answer about a payout that was unsettled at the age of after.
func (s *settling) add(after, before time.Duration, settled bool) {
	if s.weight == 0 {
		s.weight = 1
	}
	from, to := bucketAt(after), bucketAt(max(after, before))
	if !settled {
		s.pass(from, to, s.weight)
		return
	}
	// The nearest edges, for they are as often too early as too late.
	first, end := math.Round(from), math.Round(to)
	if first == end {
		first = math.Floor((from + to) / 2)
		end = first + 1
	}
	s.seen[int(first)][int(end)-1] += s.weight
	s.pass(from, first, s.weight) // the asks before have counted up to from
	s.count++
	if s.weight *= 1 + 1.0/remembers; s.weight > 1e9 {
		for i := range s.seen {
			s.passed[i] /= s.weight
			for j := range s.seen[i] {
				s.seen[i][j] /= s.weight
			}
		}
		s.weight = 1
	}
}

// pass counts that a payout came from one place to another and was unsettled; if the other
// one lies before, that it didn't.
func (s *settling) pass(from, to, weight float64) {
	if from > to {
		from, to, weight = to, from, -weight
	}
	for i := int(from); i <= int(to) && i < buckets; i++ {
		s.passed[i] += weight * (min(to, float64(i+1)) - max(from, float64(i)))
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

// interval is a group of settlements that were seen alike.
type interval struct {
	from, to int
	weight   float64
}

// estimate is the share of payouts that settle in each bucket: the most likely one, given
// what the asks found (Turnbull's estimate, by expectation and maximisation, smoothed).
// Each round spreads an interval's weight over its buckets as the last round says it lies
// there. It begins anew each time, or it would believe itself: with what is true of any
// peak's near side, that later within an interval is likelier than earlier. Nobody can ask
// before first, so of what settles until then nothing else will ever be known.
func (s *settling) estimate() [buckets]float64 {
	var all []interval
	for i := range s.seen {
		for j := i; j < buckets; j++ {
			if w := s.seen[i][j] / s.weight; w > 1e-6 {
				all = append(all, interval{i, j, w})
			}
		}
	}
	var passed, share [buckets]float64
	for i := range share {
		passed[i] = max(0, s.passed[i]/max(1, s.weight)) // asks may have been another instance's
		share[i] = math.Pow(edge(i+1)-edge(i), 3)
	}
	for range rounds {
		events, risk := expect(share, all)
		for i := range risk {
			risk[i] += passed[i]
		}
		share = maximise(smoothed(events), smoothed(risk))
	}
	return share
}

// expect is how many settlements lie in each bucket, and how many of these payouts
// came so far unsettled since the ask before.
func expect(share [buckets]float64, all []interval) (events, risk [buckets]float64) {
	var sum [buckets + 1]float64 // of the shares before a bucket
	for i, x := range share {
		sum[i+1] = sum[i] + x
	}
	var step, end [buckets + 1]float64 // how the weight per share, and that times the sum at its end, change from bucket to bucket
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
		risk[i] = max(events[i], till-per*sum[i])
	}
	return events, risk
}

// maximise is the shares that follow from what settled in each bucket of how many.
func maximise(events, risk [buckets]float64) (share [buckets]float64) {
	left := 1.0
	for i := range share {
		share[i] = left * min(1, (events[i]+guess*likely)/(risk[i]+guess))
		left -= share[i]
	}
	share[buckets-1] += left
	return share
}

func smoothed(x [buckets]float64) [buckets]float64 {
	var next [buckets]float64
	for i, x := range x {
		next[i] += x * (1 - 2*smooth)
		next[max(0, i-1)] += x * smooth
		next[min(buckets-1, i+1)] += x * smooth
	}
	return next
}
