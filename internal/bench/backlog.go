package bench

import (
	"context"
	"fmt"
	"time"

	"disburser/internal/harness"
)

// beside is what payouts cost beside so many open ones.
type beside struct {
	Open      int     `json:"open"`
	PerSecond float64 `json:"perSecond"` // from the publishing to the last result
	CPU       float64 `json:"cpuMicros"` // of the process, per payout
	Redis     float64 `json:"redisMicros"`
	Memory    float64 `json:"bytesPerOpen"` // in Redis
	RSS       float64 `json:"rssMiB"`       // of the process
	Largest   float64 `json:"rssLargestMiB"`
}

// backlog fills the journal in three steps with payouts that come due much later. After each
// step it measures with some payouts that are due at once.
func backlog(ctx context.Context, s *stage) (result, error) {
	all, err := s.fill(ctx)
	if err != nil {
		return result{}, err
	}
	r := result{Head: []string{"other open payouts", "payouts/s", "CPU per payout", "Redis CPU per payout"}, Raw: all}
	for _, b := range all {
		r.row(float64(b.Open), b.PerSecond, number(b.CPU)+" µs", number(b.Redis)+" µs")
	}
	few, many := all[0], all[len(all)-1]
	r.Goals = []goal{
		atMost("CPU per payout, 1 000 000 others open / 10 000", many.CPU/few.CPU, 1.15),
		atMost("Redis CPU per payout, 1 000 000 others open / 10 000", many.Redis/few.Redis, 1.15),
		atLeast("payouts/s, 1 000 000 others open / 10 000", many.PerSecond/few.PerSecond, 1/1.15),
	}
	return r, nil
}

// fill is done once for backlog and memory.
func (s *stage) fill(ctx context.Context) ([]beside, error) {
	if s.filled != nil {
		return s.filled, nil
	}
	t, err := s.newSite(ctx, "backlog", "")
	if t != nil {
		defer t.close()
	}
	if err != nil {
		return nil, err
	}
	i, err := t.runReady(ctx, unlimited())
	if err != nil {
		return nil, err
	}
	warm := s.n(10_000)
	if _, err := t.through(ctx, i, warm); err != nil { // virtual machines, caches
		return nil, err
	}
	empty := t.used(ctx)
	due, published := later(), 0
	var all []beside
	for _, open := range []int{s.n(10_000), s.n(100_000), s.n(1_000_000)} {
		s.progress.say("filling up to %d open payouts", open)
		if err := t.publish(ctx, payouts{prefix: "O", notBefore: due}, published, open); err != nil {
			return nil, err
		}
		published = open
		err := harness.Until(ctx, 10*time.Minute, fmt.Sprintf("%d payouts are open", open), func() bool {
			n, _ := t.redis.Get(ctx, "bench:{0}:total").Int() // asked again
			return n >= open || !i.Running()
		})
		if err != nil || !i.Running() {
			return nil, fmt.Errorf("%w\n%s", err, i.Tail())
		}
		bytes := float64(t.used(ctx)-empty) / float64(open)
		harness.Pause(ctx, 2*time.Second) // Redis' log is written, garbage is collected
		s.progress.say("%d payouts beside %d open ones", warm, open)
		b, err := t.through(ctx, i, warm)
		if err != nil {
			return nil, err
		}
		b.Open, b.Memory, b.RSS, b.Largest = open, bytes, mib(i.Memory("VmRSS")), mib(i.Memory("VmHWM"))
		all = append(all, b)
	}
	s.filled = all
	return all, i.Stop(stopLimit)
}

// through lets n payouts that are due at once through, and answers what they cost.
func (t *site) through(ctx context.Context, i *harness.Instance, n int) (b beside, err error) {
	t.batches++
	before := t.written(ctx, t.topics.Results)
	cpu, redis, began := i.CPU(), t.redisCPU(ctx), time.Now()
	if err := t.publish(ctx, payouts{prefix: fmt.Sprintf("T%d-", t.batches)}, 0, n); err != nil {
		return b, err
	}
	err = harness.Until(ctx, 5*time.Minute, fmt.Sprintf("%d results", n), func() bool {
		return t.writtenIn(ctx, t.topics.Results, 3) >= before+int64(n) || !i.Running()
	})
	if err != nil || !i.Running() {
		return b, fmt.Errorf("%w\n%s", err, i.Tail())
	}
	b.PerSecond = float64(n) / time.Since(began).Seconds()
	b.CPU = float64((i.CPU() - cpu).Microseconds()) / float64(n)
	b.Redis = float64((t.redisCPU(ctx) - redis).Microseconds()) / float64(n)
	return b, nil
}

// used is Redis' memory in bytes.
func (s *stage) used(ctx context.Context) int64 {
	info, _ := s.redis.Info(ctx, "memory").Result() // a figure that is missing shows as zero
	return int64(infoField(info, "used_memory"))
}

func mib(bytes int64) float64 { return float64(bytes) / (1 << 20) }
