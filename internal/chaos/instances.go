package chaos

import (
	"context"
	"fmt"
	"syscall"
	"time"

	"disburser/internal/harness"
)

// lossy leaves the trouble to the provider.
func lossy(ctx context.Context, r *run) error {
	r.note("lossy provider", "of a hundred placements eight go wrong, in four ways")
	<-ctx.Done()
	return nil
}

// lies leaves it to a provider that says "no such order" of orders that it has.
func lies(ctx context.Context, r *run) error {
	r.note("lying provider", "for 20 s it denies what it has accepted")
	<-ctx.Done()
	return nil
}

// working are the slots whose instance runs.
func (r *run) working() (all []*slot) {
	for _, s := range r.slots {
		if s.instance != nil && s.instance.Running() {
			all = append(all, s)
		}
	}
	return all
}

// victim is any slot whose instance runs.
func (r *run) victim() *slot {
	all := r.working()
	return all[r.random.IntN(len(all))]
}

// kill ends the instance of a slot without a warning.
func (r *run) kill(s *slot) *instance {
	victim := s.instance
	r.note("SIGKILL", "%s", victim.Name)
	victim.Kill()
	return victim
}

// killing replaces an instance every 2 s by a new one.
func killing(ctx context.Context, r *run) error {
	for harness.Pause(ctx, 2*time.Second) {
		s := r.victim()
		r.kill(s)
		if err := r.start(s); err != nil {
			return err
		}
	}
	return nil
}

// takeover gives the others the time that they are promised, before there is a new one.
func takeover(ctx context.Context, r *run) error {
	for harness.Pause(ctx, time.Second) {
		s := r.victim()
		victim := r.kill(s)
		r.expect(wait{kind: takenOver, broken: time.Now(), since: time.Now(), limit: lease + 2*time.Second, victim: victim.Log})
		harness.Pause(ctx, lease+3*time.Second)
		if err := r.start(s); err != nil {
			return err
		}
		if err := harness.Until(ctx, readyLimit, "the new instance is ready", func() bool { return s.instance.ready(ctx) }); err != nil {
			return nil // the time is over
		}
	}
	return nil
}

// stopping lets instances sleep beyond their lease: they wake up with calls in hand that
// others have taken over.
func stopping(ctx context.Context, r *run) error {
	for n := 1; harness.Pause(ctx, time.Second); n++ {
		asleep := map[*slot]bool{}
		for range 1 + n%2 {
			asleep[r.victim()] = true
		}
		for s := range asleep {
			r.stop(s)
		}
		harness.Pause(ctx, lease+3*time.Second)
		for s := range asleep {
			s.instance.Signal(contSignal)
		}
	}
	return nil
}

func (r *run) stop(s *slot) {
	r.note("SIGSTOP", "%s", s.instance.Name)
	s.instance.Signal(syscall.SIGSTOP)
}

// scaling adds two, removes two, and then replaces one after another.
func scaling(ctx context.Context, r *run) error {
	for _, s := range r.slots[3:5] {
		if err := r.add(ctx, s); err != nil {
			return err
		}
	}
	for _, s := range r.slots[:2] {
		if err := r.remove(s); err != nil {
			return err
		}
	}
	for n := 0; ctx.Err() == nil; n++ {
		s := r.slots[n%len(r.slots)]
		if !s.instance.Running() {
			if err := r.add(ctx, s); err != nil {
				return err
			}
			continue
		}
		if len(r.working()) > 2 {
			if err := r.remove(s); err != nil {
				return err
			}
		}
		harness.Pause(ctx, time.Second)
	}
	return nil
}

// add runs an instance in a slot and waits for it; the end of ctx ends the waiting.
func (r *run) add(ctx context.Context, s *slot) error {
	if err := r.start(s); err != nil {
		return err
	}
	r.note("added", "%s", s.instance.Name)
	err := harness.Until(ctx, readyLimit, s.instance.Name+" is ready", func() bool { return s.instance.ready(ctx) })
	if ctx.Err() != nil {
		return nil
	}
	return err
}

func (r *run) remove(s *slot) error {
	r.note("removed (SIGTERM)", "%s", s.instance.Name)
	if err := s.instance.Stop(drain + 2*time.Second); err != nil {
		return fmt.Errorf("remove an instance: %w", err)
	}
	return nil
}
