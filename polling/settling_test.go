package polling

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

// square has a place for each interval that is possible, as the list of those that were seen has
// not. It shows that the estimate of the list is the same.
type square struct {
	settled [buckets][buckets]float64
	weight  float64
}

func (q *square) add(from, to time.Duration) {
	first, end := math.Round(bucketAt(from)), math.Round(bucketAt(to))
	if first == end {
		first = math.Floor((bucketAt(from) + bucketAt(to)) / 2)
		end = first + 1
	}
	q.settled[int(first)][int(end)-1] += q.weight
	q.weight *= 1 + 1.0/remembered
}

// estimate is that of the square's intervals, where s has all else.
func (q *square) estimate(s settleTimes) [buckets]float64 {
	s.settled = nil
	for i := range q.settled {
		for j, w := range q.settled[i] {
			if w > 0 {
				s.settled = append(s.settled, interval{w / q.weight * s.weight, uint8(i), uint8(j)})
			}
		}
	}
	return s.estimate()
}

func TestOnlyIntervalsThatWereSeenTakeMemory(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	draw, q := twoPeaks(0.7, 5*time.Second, time.Minute, 0.4), square{weight: 1}
	var s settleTimes
	longest := 0
	for n := range 20_000 {
		settles, from := draw(r), time.Duration(0)
		to := time.Duration((2 + 2*r.Float64()) * float64(time.Second))
		for ; to < settles; from, to = to, to+time.Duration(float64(to-from)*(1+r.Float64())) {
			s.add(from, to, false)
		}
		s.add(from, to, true)
		q.add(from, to)
		longest = max(longest, len(s.settled))
		if n%2500 > 0 {
			continue
		}
		list, all := s.estimate(), q.estimate(s)
		for i := range list {
			if math.Abs(list[i]-all[i]) > 1e-9 {
				t.Fatalf("after %d settlements %v settle in bucket %d by the list, %v by all intervals", n, list[i], i, all[i])
			}
		}
	}
	if longest > 500 { // 16 bytes each
		t.Errorf("%d intervals were kept of one merchant", longest)
	}
	t.Logf("%d intervals at most", longest)
}
