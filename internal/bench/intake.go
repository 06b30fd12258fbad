package bench

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"disburser/internal/harness"
)

// flow is how fast one instance read commands into the journal.
type flow struct {
	What      string        `json:"what"`
	Commands  int           `json:"commands"`
	Took      time.Duration `json:"took"`
	PerSecond float64       `json:"perSecond"`
	CPU       float64       `json:"cpuMicros"`   // of the process, per command
	Redis     float64       `json:"redisMicros"` // the same of Redis
}

// later is far enough away that nothing is sent while the bench runs.
func later() time.Time { return time.Now().Add(100 * time.Hour).Truncate(time.Second) }

// intakeRows lets one instance read commands that aren't due for long, and then the same
// commands once more.
func intakeRows(ctx context.Context, s *stage) (result, error) {
	n := s.n(300_000)
	t, err := s.newSite(ctx, "intake", "")
	if t != nil {
		defer t.close()
	}
	if err != nil {
		return result{}, err
	}
	due := later()
	r := result{Head: []string{"commands", "commands/s", "CPU per command", "Redis CPU per command"}}
	var flows []flow
	for round, what := range []string{"new", "known already"} {
		s.progress.say("%d commands, %s", n, what)
		if err := t.publish(ctx, payouts{prefix: "I", notBefore: due}, 0, n); err != nil {
			return r, err
		}
		i, err := t.run(unlimited())
		if err != nil {
			return r, err
		}
		f, err := t.follow(ctx, i, what, round*n, n)
		if err != nil {
			return r, fmt.Errorf("%w\n%s", err, i.Tail())
		}
		if err := i.Stop(stopLimit); err != nil {
			return r, err
		}
		flows = append(flows, f)
		r.row(what, f.PerSecond, number(f.CPU)+" µs", number(f.Redis)+" µs")
		r.Goals = append(r.Goals, atLeast("commands/s, "+what, f.PerSecond, 50_000))
	}
	open, err := t.redis.Get(ctx, "bench:{0}:total").Int()
	if err != nil || open != n {
		return r, fmt.Errorf("%d payouts are open, not %d (%w)", open, n, err)
	}
	r.Raw = flows
	return r, nil
}

// follow waits until n commands more than those before are read. The clock runs from the
// moment at which the instance is ready: then it begins to read.
func (t *site) follow(ctx context.Context, i *harness.Instance, what string, before, n int) (flow, error) {
	f := flow{What: what, Commands: n}
	if err := t.ready(ctx, i); err != nil {
		return f, err
	}
	began, first, cpu, redis := time.Now(), t.read(ctx)-before, i.CPU(), t.redisCPU(ctx)
	err := harness.Until(ctx, 10*time.Minute, fmt.Sprintf("%d commands are read", n), func() bool {
		return t.read(ctx)-before >= n || !i.Running()
	})
	f.Took = time.Since(began)
	f.PerSecond = float64(n-first) / f.Took.Seconds()
	f.CPU = float64((i.CPU() - cpu).Microseconds()) / float64(n-first)
	f.Redis = float64((t.redisCPU(ctx) - redis).Microseconds()) / float64(n-first)
	return f, err
}

// read is how many commands the journal has seen: the sum of its positions.
func (t *site) read(ctx context.Context) (sum int) {
	positions, _ := t.redis.HVals(ctx, "bench:{0}:position").Result() // none yet
	for _, p := range positions {
		n, _ := strconv.Atoi(p)
		sum += n
	}
	return sum
}
