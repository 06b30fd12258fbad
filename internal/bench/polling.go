package bench

import (
	"container/heap"
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"disburser/payout"
	"disburser/polling"
)

// schedule says when to ask the provider about a payout. It uses the policy of the state table,
// with the intervals that its learner has made so far.
type schedule struct {
	policy  payout.Policy
	learner polling.Learner
	random  *rand.Rand
}

// newSchedule has the default poll settings.
func newSchedule(learn bool) *schedule {
	s := &schedule{random: rand.New(rand.NewPCG(2, 2))}
	s.policy.Poll = payout.Poll{First: 2 * time.Second, Factor: 1.6, Max: 5 * time.Minute, GiveUp: 72 * time.Hour, Learn: learn}
	return s
}

func (s *schedule) next(tradeNo string, since time.Duration, asked int) time.Duration {
	s.policy.Jitter = s.random.Float64()
	if learned := s.learner.Intervals(s.policy.Poll); learned != nil {
		s.policy.Learned = learned
	}
	return s.policy.Pause(tradeNo, since, asked)
}

// distributions are the provider's settle times. Possible tells whether the goal can be reached
// at all. It can't for log-normal times around 4 s with σ 0.8, when poll.first is 2 s. Even with
// settle times known exactly, the plain schedule's median then needs 77 % of its asks. That is a
// lower bound by duality, for any schedule whose pauses are poll.first at least.
var distributions = []struct {
	name     string
	possible bool
	draw     func(*rand.Rand) time.Duration
}{
	{"log-normal around 4 s, σ 0.4", true, func(r *rand.Rand) time.Duration { return logNormal(r, 4*time.Second, 0.4) }},
	{"log-normal around 4 s, σ 0.8 (77 % is the lower bound)", false, func(r *rand.Rand) time.Duration { return logNormal(r, 4*time.Second, 0.8) }},
	{"log-normal around 30 s, σ 0.8", true, func(r *rand.Rand) time.Duration { return logNormal(r, 30*time.Second, 0.8) }},
	{"log-normal around 5 min, σ 1", true, func(r *rand.Rand) time.Duration { return logNormal(r, 5*time.Minute, 1) }},
	{"two peaks: 2 s (80 %), 3 min", true, twoPeaks(0.8, 2*time.Second, 3*time.Minute, 0.15)},
	{"two peaks: 5 s (70 %), 1 min, wide", true, twoPeaks(0.7, 5*time.Second, time.Minute, 0.4)},
	{"two peaks: 10 s (50 %), 10 min", true, twoPeaks(0.5, 10*time.Second, 10*time.Minute, 0.3)},
	{"always 20 s", true, func(*rand.Rand) time.Duration { return 20 * time.Second }},
}

// twoPeaks: a share is quick, the others slow, each spread as much.
func twoPeaks(share float64, quick, slow time.Duration, sigma float64) func(*rand.Rand) time.Duration {
	return func(r *rand.Rand) time.Duration {
		if r.Float64() < share {
			return logNormal(r, quick, sigma)
		}
		return logNormal(r, slow, sigma)
	}
}

func logNormal(r *rand.Rand, around time.Duration, sigma float64) time.Duration {
	return time.Duration(float64(around) * math.Exp(sigma*r.NormFloat64()))
}

// asked is what a schedule did to payouts of one distribution.
type asked struct {
	Schedule     string        `json:"schedule"`
	Distribution string        `json:"distribution"`
	Asks         float64       `json:"asksPerPayout"`
	Median       time.Duration `json:"medianDelay"` // from the settlement to the ask that sees it
	P95          time.Duration `json:"p95Delay"`
}

// pollingRows plays schedules against distributions in virtual time.
func pollingRows(_ context.Context, s *stage) (result, error) {
	r := result{Head: []string{"settle time", "schedule", "asks per payout", "delay, median", "delay, 95 %"}}
	var all []asked
	for _, d := range distributions {
		for _, name := range []string{"plain", "learned"} {
			a := poll(newSchedule(name == "learned"), d.draw, s.n(50_000))
			a.Schedule, a.Distribution = name, d.name
			all = append(all, a)
			r.row(d.name, name, a.Asks, fmt.Sprintf("%.1f s", a.Median.Seconds()), fmt.Sprintf("%.1f s", a.P95.Seconds()))
		}
	}
	asks := map[string][]float64{}
	names := make([]string, len(distributions))
	for i, d := range distributions {
		plain, learned := all[2*i], all[2*i+1]
		if d.possible {
			r.Goals = append(r.Goals, atMost("asks, learned / plain, "+d.name, learned.Asks/plain.Asks, 0.7))
		}
		r.Goals = append(r.Goals, atMost("median delay, learned / plain, "+d.name, learned.Median.Seconds()/plain.Median.Seconds(), 1))
	}
	for i, a := range all {
		asks[a.Schedule] = append(asks[a.Schedule], a.Asks)
		names[i/2] = a.Distribution
	}
	r.Raw, r.plots = all, map[string]string{"polling.svg": bars("asks per payout, by settle time", names, []series{{"plain", asks["plain"]}, {"learned", asks["learned"]}})}
	return r, nil
}

// virtual is a payout in the simulation; its next ask orders the heap.
type virtual struct {
	tradeNo                   string
	sent, settles, next, last time.Duration
	asks                      int
}

type agenda []*virtual

func (a agenda) Len() int           { return len(a) }
func (a agenda) Less(i, j int) bool { return a[i].next < a[j].next }
func (a agenda) Swap(i, j int)      { a[i], a[j] = a[j], a[i] }
func (a *agenda) Push(v any)        { *a = append(*a, v.(*virtual)) } //nolint:errcheck // the heap's own
func (a *agenda) Pop() any {
	last := (*a)[len(*a)-1]
	*a = (*a)[:len(*a)-1]
	return last
}

// poll sends n payouts, 50 a second, and asks as the schedule says until each is seen
// settled. Asks take no time.
func poll(s *schedule, settle func(*rand.Rand) time.Duration, n int) asked {
	random := rand.New(rand.NewPCG(1, 1))
	var todo agenda
	for i := range n {
		sent := time.Duration(i) * time.Second / 50
		heap.Push(&todo, &virtual{tradeNo: payouts{prefix: "P"}.tradeNo(i), sent: sent, settles: sent + settle(random), next: sent})
	}
	var delays []time.Duration
	asks := 0
	for len(todo) > 0 {
		v := todo[0]
		now := v.next
		if now > v.sent || v.asks > 0 { // its first turn is the send
			asks++
			v.asks++
			s.learner.Saw(v.last-v.sent, now-v.sent, v.settles <= now)
			if v.settles <= now {
				delays = append(delays, now-v.settles)
				heap.Pop(&todo)
				continue
			}
			v.last = now
		} else {
			v.last = v.sent
		}
		v.next = now + max(s.next(v.tradeNo, now-v.sent, v.asks), time.Millisecond)
		heap.Fix(&todo, 0)
	}
	slices.Sort(delays)
	return asked{Asks: float64(asks) / float64(n), Median: delays[n/2], P95: delays[n*95/100]}
}
