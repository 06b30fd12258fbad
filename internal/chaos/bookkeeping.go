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
	// officeKills is how often a back office is killed at least, killEvery the pause between two. It is killed while it starts
	// too, so give or take something.
	officeKills = 20
	killEvery   = time.Second
	killJitter  = 700 * time.Millisecond
)

// killingOffices kills a back office every second, one after another. Halfway the books are emptied and read again, while
// that goes on.
func killingOffices(ctx context.Context, r *run) error {
	others, stop := context.WithCancel(ctx)
	var group sync.WaitGroup
	defer group.Wait()
	defer stop()
	group.Go(func() { r.sample(others, samples) })
	var rebuilding sync.WaitGroup
	defer rebuilding.Wait()
	until := time.Now().Add(r.Duration)
	for n := 0; n < officeKills || time.Now().Before(until); n++ {
		if n == officeKills/2 {
			r.note("rebuild", "of the books, while they are read")
			rebuilding.Go(func() {
				if err := r.rebuild(ctx, r.kept.offices[0]); err != nil {
					r.problem("%v", err)
				}
			})
		}
		if !harness.Pause(ctx, killEvery+time.Duration(float64(killJitter)*(2*r.random.Float64()-1))) {
			return nil
		}
		if err := r.killOffice(r.kept.offices[n%len(r.kept.offices)]); err != nil {
			return err
		}
	}
	return nil
}
