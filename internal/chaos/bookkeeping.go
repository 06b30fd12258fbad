package chaos

import (
	"context"
	"sync"
	"time"

	"disburser/internal/harness"
)

// faultEvery is the pause between two faults. After a kill nobody takes commands in before the dead instance's session is
// over: with less time between two kills nothing would flow.
const faultEvery = session + 2*time.Second

// watchingBooks has answers of the back office looked at while instances are killed and Redis is wiped.
func watchingBooks(ctx context.Context, r *run) error {
	var group sync.WaitGroup
	defer group.Wait()
	group.Go(func() { r.sample(ctx, samples) })
	for n := 0; r.kept.seen() < samples && harness.Pause(ctx, faultEvery); n++ {
		if n%2 == 1 {
			if err := r.flush(ctx); err != nil {
				return err
			}
			continue
		}
		s := r.victim()
		r.kill(s)
		if err := r.start(s); err != nil {
			return err
		}
	}
	return nil
}

const (
	// officeKills is how often a back office is killed at least, killEvery the pause between two.
	officeKills = 20
	killEvery   = time.Second
)

// killingOffices kills a back office every second, one after another.
func killingOffices(ctx context.Context, r *run) error {
	sampling, stop := context.WithCancel(ctx)
	var group sync.WaitGroup
	defer group.Wait()
	defer stop()
	group.Go(func() { r.sample(sampling, samples) })
	until := time.Now().Add(r.Duration)
	for n := 0; n < officeKills || time.Now().Before(until); n++ {
		if !harness.Pause(ctx, killEvery) {
			return nil
		}
		if err := r.killOffice(r.kept.offices[n%len(r.kept.offices)]); err != nil {
			return err
		}
	}
	return nil
}
