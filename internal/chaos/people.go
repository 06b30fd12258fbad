package chaos

import (
	"context"
	"fmt"
	"os/exec"
	"time"

	"disburser/internal/harness"
)

const (
	// staleness is that of the instances: the default.
	staleness = time.Second

	// onItsWay is how long a request may take to the provider's books.
	onItsWay = 500 * time.Millisecond
)

// act has a person say something about the fleet, by the shipped program.
func (r *run) act(ctx context.Context, kind string) error {
	r.note("act "+kind, "the fleet")
	out, err := exec.CommandContext(ctx, r.disburser, "act", kind, "fleet", "--by", "chaos", "--reason", "a wrong file", "--config", r.slots[0].config).CombinedOutput()
	if err != nil {
		return fmt.Errorf("act %s: %w: %s", kind, err, out)
	}
	return nil
}

// placements are all sends that the provider has heard.
func (r *run) placements(ctx context.Context) (n int, err error) {
	ledger, err := r.provider.ledger(ctx)
	for _, entry := range ledger.Entries {
		n += entry.Placements
	}
	return n, err
}

// pausing pauses the fleet in mid-run while one instance sleeps. It wakes up, Redis forgets everything, and every
// instance is replaced. Nothing may be sent until somebody resumes. Then it goes on within a second.
func pausing(ctx context.Context, r *run) error {
	r.part(ctx, 0.2)
	asleep := r.victim()
	r.stop(asleep)
	if err := r.act(ctx, "pause"); err != nil {
		return err
	}
	harness.Pause(ctx, staleness+onItsWay)
	before, err := r.placements(ctx)
	if err != nil {
		return err
	}
	r.note("SIGCONT", "%s", asleep.instance.Name)
	asleep.instance.Signal(contSignal)
	harness.Pause(ctx, 2*time.Second)
	r.note("FLUSHALL", "Redis has forgotten everything while the fleet is paused")
	if err := r.redis.Client.FlushAll(ctx).Err(); err != nil {
		return err
	}
	harness.Pause(ctx, 3*time.Second)
	for _, s := range r.working() {
		if err := r.remove(s); err != nil {
			return err
		}
		if err := r.add(ctx, s); err != nil {
			return err
		}
	}
	harness.Pause(ctx, 3*time.Second)
	switch after, err := r.placements(ctx); {
	case err != nil:
		return err
	case after != before:
		r.problem("%d sends while the fleet was paused", after-before)
	}
	if err := r.act(ctx, "resume"); err != nil {
		return err
	}
	resumed := time.Now()
	err = harness.Until(ctx, 10*time.Second, "sends go on after the resume", func() bool {
		now, err := r.placements(ctx)
		return err == nil && now > before
	})
	if took := time.Since(resumed); err == nil && took > time.Second+onItsWay {
		r.problem("sends went on %s after the resume", took)
	}
	return err
}
