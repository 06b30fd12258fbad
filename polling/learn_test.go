package polling

import (
	"container/heap"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"disburser/payout"
)

// A provider's settle times, drawn.
type settles func(r *rand.Rand) time.Duration

func logNormal(median time.Duration, sigma float64) settles {
	return func(r *rand.Rand) time.Duration {
		return time.Duration(float64(median) * math.Exp(sigma*r.NormFloat64()))
	}
}

// twoPeaks: a share of quick ones, the others slow, each a little spread.
func twoPeaks(share float64, quick, slow time.Duration, spread float64) settles {
	return func(r *rand.Rand) time.Duration {
		if r.Float64() < share {
			return logNormal(quick, spread)(r)
		}
		return logNormal(slow, spread)(r)
	}
}

// trialPayout is one payout of a simulated life of many.
type trialPayout struct {
	tradeNo           string
	sent, settled, at time.Duration
	pending           time.Duration
	asks              int
}

type queue []*trialPayout

func (q queue) Len() int           { return len(q) }
func (q queue) Less(i, j int) bool { return q[i].at < q[j].at }
func (q queue) Swap(i, j int)      { q[i], q[j] = q[j], q[i] }
func (q *queue) Push(x any)        { *q = append(*q, x.(*trialPayout)) }
func (q *queue) Pop() any {
	last := (*q)[len(*q)-1]
	*q = (*q)[:len(*q)-1]
	return last
}

type tally struct {
	asks   float64         // per payout
	delays []time.Duration // sorted
}

func (y tally) median() time.Duration { return y.delays[len(y.delays)/2] }
func (y tally) String() string {
	return fmt.Sprintf("%.2f asks, delay median %v, p90 %v", y.asks, y.median().Round(10*time.Millisecond), y.delays[len(y.delays)*9/10].Round(100*time.Millisecond))
}

// live lets n payouts, every so often one, go from send to result, and counts those
// after the first ones. learner nil is the plain schedule.
func live(seed uint64, n, from int, every time.Duration, poll payout.Poll, draw func(i int, r *rand.Rand) time.Duration, learner *Learner) tally {
	r := rand.New(rand.NewPCG(seed, 1))
	jitter := rand.New(rand.NewPCG(seed, 2))
	policy := payout.Policy{Poll: poll}
	pause := func(p *trialPayout) time.Duration {
		policy.Jitter = jitter.Float64()
		if learner != nil {
			learnedBy(&policy, learner, poll)
		}
		return policy.Pause(p.tradeNo, p.at-p.sent, p.asks)
	}
	var q queue
	for i := range n {
		sent := time.Duration(i) * every
		q = append(q, &trialPayout{tradeNo: fmt.Sprintf("payroll-%06d", i), sent: sent, at: sent, settled: sent + draw(i, r), asks: -1})
	}
	heap.Init(&q)
	var y tally
	asks := 0
	for q.Len() > 0 {
		p := q[0]
		p.asks++
		counts := p.sent >= time.Duration(from)*every
		if p.asks > 0 && counts {
			asks++
		}
		if learner != nil && p.asks > 0 {
			learner.Saw(p.pending, p.at-p.sent, p.at >= p.settled)
		}
		if p.asks > 0 && p.at >= p.settled {
			if counts {
				y.delays = append(y.delays, p.at-p.settled)
			}
			heap.Pop(&q)
			continue
		}
		p.pending = p.at - p.sent
		p.at += pause(p)
		heap.Fix(&q, 0)
	}
	slices.Sort(y.delays)
	y.asks = float64(asks) / float64(len(y.delays))
	return y
}

func standardPoll() payout.Poll {
	return payout.Poll{First: 2 * time.Second, Factor: 1.6, Max: 5 * time.Minute, GiveUp: 72 * time.Hour, Learn: true}
}

// mixed is a distribution of settle times, drawn and exactly.
type mixed []struct{ share, median, sigma float64 }

func (m mixed) draw(r *rand.Rand) time.Duration {
	which := r.Float64()
	for _, peak := range m {
		if which -= peak.share; which < 0 {
			return time.Duration(peak.median * math.Exp(peak.sigma*r.NormFloat64()) * float64(time.Second))
		}
	}
	return 0
}

func (m mixed) shares() (share [buckets]float64) {
	for _, peak := range m {
		before := 0.0
		for i := range share {
			till := math.Erfc(-math.Log(edge(i+1)/peak.median)/peak.sigma/math.Sqrt2) / 2
			share[i] += peak.share * (till - before)
			before = till
		}
	}
	return share
}

// best is how few of the plain schedule's asks are possible for who knows the settle times. The
// median is no longer then, and the mean a quarter longer at most.
func best(poll payout.Poll, share [buckets]float64) float64 {
	p := newProblem(poll, share)
	plain := p.plainAges()
	all := p.costsOf(plain, 0)
	_, asks := p.cheapest(all, p.median(plain), margin{1, 1.25, 1}, all.asks)
	return asks / all.asks
}

func first(seconds float64) payout.Poll {
	p := standardPoll()
	p.First = time.Duration(seconds * float64(time.Second))
	return p
}

// What the learned schedule is for: 30 % fewer asks, and half of the payouts wait no longer. It
// counts from the first payout on, wherever it is possible with something to spare. Settle times
// must be learned first, and some payouts explore.
func TestLearningSavesAsks(t *testing.T) {
	type settling struct {
		name  string
		peaks mixed // in first pauses
	}
	var all []settling
	for _, median := range []float64{1, 2, 5, 15, 100} {
		for _, sigma := range []float64{0.4, 0.6, 0.8} {
			all = append(all, settling{fmt.Sprintf("log-normal, %v first, sigma %v", median, sigma), mixed{{1, median, sigma}}})
		}
	}
	for _, share := range []float64{0.5, 0.7, 0.8} {
		for _, peaks := range [][2]float64{{1, 10}, {2, 60}, {5, 50}} {
			for _, sigma := range []float64{0.2, 0.4} {
				all = append(all, settling{fmt.Sprintf("%v of them %v first, others %v, sigma %v", share, peaks[0], peaks[1], sigma),
					mixed{{share, peaks[0], sigma}, {1 - share, peaks[1], sigma}}})
			}
		}
	}
	for _, seconds := range []float64{2, 0.2} {
		for i, c := range all {
			if i%2 > 0 && (seconds < 1 || testing.Short()) {
				continue // all times are shorter, but for the longest pause: a sample will do
			}
			seeds := uint64(2)
			if seconds < 1 || testing.Short() {
				seeds = 1
			}
			t.Run(fmt.Sprintf("first %v s: %s", seconds, c.name), func(t *testing.T) {
				t.Parallel()
				m := slices.Clone(c.peaks)
				for i := range m {
					m[i].median *= seconds
				}
				poll := first(seconds)
				possible := best(poll, m.shares())
				var asks, median, worst float64
				for seed := range seeds {
					draw := func(_ int, r *rand.Rand) time.Duration { return m.draw(r) }
					plain := live(seed, 5000, 0, poll.First/20, poll, draw, nil)
					learned := live(seed, 5000, 0, poll.First/20, poll, draw, &Learner{})
					longer := float64(learned.median()) / float64(plain.median())
					asks += learned.asks / plain.asks / float64(seeds)
					median += longer / float64(seeds)
					worst = max(worst, longer)
				}
				t.Logf("asks %.2f of plain (possible %.2f), median %.2f, worst %.2f", asks, possible, median, worst)
				if possible <= 0.59 && asks > 0.7 {
					t.Errorf("%.2f of the plain schedule's asks; %.2f are possible", asks, possible)
				}
				if possible <= 0.59 && (median > 1 || worst > 1.15) {
					t.Errorf("the median delay is %.2f of the plain schedule's, and %.2f once", median, worst)
				}
				if asks > 1.01 || median > 1.2 {
					t.Errorf("%.2f of the plain schedule's asks for %.2f of its median delay", asks, median)
				}
			})
		}
	}
}

// A provider that becomes faster, or slower, is followed.
func TestLearningFollowsChanges(t *testing.T) {
	for _, c := range []struct {
		name       string
		early, now settles
	}{
		{"faster", logNormal(2*time.Minute, 0.3), logNormal(10*time.Second, 0.3)},
		{"slower", logNormal(10*time.Second, 0.3), logNormal(2*time.Minute, 0.3)},
		{"a second peak comes", logNormal(10*time.Second, 0.3), twoPeaks(0.5, 10*time.Second, 5*time.Minute, 0.3)},
	} {
		t.Run(c.name, func(t *testing.T) {
			for seed := range uint64(3) {
				draw := func(i int, r *rand.Rand) time.Duration {
					if i < 3000 {
						return c.early(r)
					}
					return c.now(r)
				}
				plain := live(seed, 9000, 6000, time.Second, standardPoll(), draw, nil)
				learned := live(seed, 9000, 6000, time.Second, standardPoll(), draw, &Learner{})
				t.Logf("seed %d: plain %v; learned %v", seed, plain, learned)
				if learned.asks > 0.75*plain.asks || float64(learned.median()) > 1.1*float64(plain.median()) {
					t.Errorf("seed %d: 3000 payouts after the change: plain %v; learned %v", seed, plain, learned)
				}
			}
		})
	}
}

// All asks at the same age see all payouts settled between the same two: what was learned
// must not make that so. Nothing is known at first but the plain schedule's intervals.
func TestTheEstimateFindsWhatIntervalsHide(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	var s settleTimes
	draw := logNormal(30*time.Second, 0.3)
	for range 2000 {
		at := draw(r)
		from, to := time.Duration(0), time.Duration(r.Float64()*float64(20*time.Second)) // asks at random ages, 20 s apart
		for ; to < at; from, to = to, to+20*time.Second {
			s.add(from, to, false)
		}
		s.add(from, to, true)
	}
	share := s.estimate()
	sum := 0.0
	var quarter, median, threeQuarters float64
	for i, x := range share {
		before := sum
		sum += x
		for _, q := range []struct {
			at float64
			to *float64
		}{{0.25, &quarter}, {0.5, &median}, {0.75, &threeQuarters}} {
			if before < q.at && sum >= q.at {
				*q.to = edge(i)
			}
		}
	}
	if math.Abs(sum-1) > 1e-6 {
		t.Errorf("the shares add up to %v", sum)
	}
	if median < 24 || median > 36 || quarter < 18 || threeQuarters > 45 {
		t.Errorf("quartiles %.1f, %.1f, %.1f s; 24.5, 30 and 36.7 were drawn", quarter, median, threeQuarters)
	}
}

// With three instances nobody sees all asks about a payout. In a payroll's first minute most of
// it hasn't settled. Neither makes settle times look shorter or longer.
func TestTheEstimateOfAPart(t *testing.T) {
	const until = 25 * time.Second // since all were sent
	r := rand.New(rand.NewPCG(1, 1))
	var instances [3]settleTimes
	draw := logNormal(30*time.Second, 0.5)
	for range 6000 {
		at, from := draw(r), time.Duration(0)
		for to := time.Duration((2 + 2*r.Float64()) * float64(time.Second)); to < until; from, to = to, to+4*time.Second {
			instances[r.IntN(3)].add(from, to, to >= at)
			if to >= at {
				break
			}
		}
	}
	drawn := mixed{{1, 30, 0.5}}.shares()
	exact := newSurvival(drawn)
	for i := range instances {
		seen := newSurvival(instances[i].estimate())
		for _, age := range []float64{10, 15, 20, 24} {
			got, _ := seen.at(age)
			want, _ := exact.at(age)
			if math.Abs(got-want) > 0.04 {
				t.Errorf("instance %d: %.3f unsettled after %v s, %.3f were drawn", i, got, age, want)
			}
		}
	}
}

// Whatever was seen, no pause leaves the operator's bounds, and all intervals lead on.
func TestIntervalsStayWithinTheirBounds(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 7))
		poll := payout.Poll{
			First:  time.Duration(1+r.IntN(20_000)) * time.Millisecond,
			Factor: 1 + r.Float64()*2,
			Learn:  true,
		}
		poll.Max = poll.First + time.Duration(r.ExpFloat64()*float64(3*time.Minute))
		poll.GiveUp = poll.Max + time.Duration(r.ExpFloat64()*float64(10*time.Hour))
		var l Learner
		for range 2*minSettlements + r.IntN(300) {
			after := time.Duration(r.ExpFloat64() * float64(time.Minute))
			l.Saw(after, after+time.Duration(r.ExpFloat64()*float64(time.Minute)), r.IntN(3) > 0)
		}
		if r.IntN(5) == 0 { // what a clock that jumps would say
			l.Saw(time.Hour, time.Minute, true)
			l.Saw(-time.Hour, 0, true)
			l.Saw(0, 1000*time.Hour, true)
		}
		policy := payout.Policy{Poll: poll}
		learnedBy(&policy, &l, poll)
		for i := range 300 {
			policy.Jitter = r.Float64()
			since := time.Duration(r.ExpFloat64() * float64(poll.Max) * 3)
			if i%50 == 0 {
				since = -since
			}
			got := policy.Pause("a-payout", since, i%40)
			if got > poll.Max || float64(got) < 0.9*float64(poll.First) {
				t.Fatalf("seed %d: a pause of %v at %v with %+v", seed, got, since, poll)
			}
			if policy.Learned != nil && since >= 0 && since < poll.Max && got < poll.First {
				t.Fatalf("seed %d: a pause of %v at %v with %+v", seed, got, since, poll)
			}
		}
	}
}

func TestLearningTakesThirtySettlements(t *testing.T) {
	var l Learner
	for i := range minSettlements {
		if l.Intervals(standardPoll()) != nil {
			t.Fatalf("intervals after %d settlements", i)
		}
		l.Saw(0, 30*time.Second, false)
		l.Saw(30*time.Second, 35*time.Second, true)
	}
	first := l.Intervals(standardPoll())
	if first == nil {
		t.Fatal("none after 30 settlements")
	}
	l.Saw(0, time.Second, true)
	if l.Intervals(standardPoll()) != first {
		t.Error("others after each settlement")
	}
	off := standardPoll()
	if off.Learn = false; l.Intervals(off) != nil {
		t.Error("intervals, though nothing is to be learned")
	}
	shorter := standardPoll()
	shorter.Max = 10 * time.Second
	if l.Intervals(shorter) == first {
		t.Error("the bounds have changed and the intervals haven't")
	}
	policy := payout.Policy{Poll: standardPoll(), Learned: first, Jitter: 0.5}
	within := 0
	for i := range 100 { // some explore
		if got := policy.Pause(fmt.Sprint("t-", i), 0, 0); got >= 25*time.Second && got <= 45*time.Second {
			within++
		}
	}
	if within < 80 {
		t.Errorf("all settle after 30 to 35 s; of 100 first asks %d come after 25 to 45 s", within)
	}
}

// learnedBy gives a policy what was learned; nothing where that is too little yet.
func learnedBy(policy *payout.Policy, l *Learner, poll payout.Poll) {
	policy.Learned = nil
	if intervals := l.Intervals(poll); intervals != nil {
		policy.Learned = intervals
	}
}
