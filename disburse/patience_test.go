package disburse

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// It ends as a context with that deadline does, whether somebody waits for it or looks at it.
func TestPatienceEndsAsAContextDoes(t *testing.T) {
	errStop := errors.New("stop")
	for name, c := range map[string]struct {
		outer, by, stop time.Duration // after the beginning; 0 = never
		ends            time.Duration
		err, cause      error
	}{
		"at its own deadline":   {0, time.Second, 0, time.Second, context.DeadlineExceeded, context.DeadlineExceeded},
		"at the outer deadline": {time.Second, 2 * time.Second, 0, time.Second, context.DeadlineExceeded, context.DeadlineExceeded},
		"with the outer one":    {0, 2 * time.Second, time.Second, time.Second, context.Canceled, errStop},
		"at once":               {0, -time.Second, 0, 0, context.DeadlineExceeded, context.DeadlineExceeded},
	} {
		synctest.Test(t, func(t *testing.T) {
			began := time.Now()
			outer, stop := context.WithCancelCause(context.Background())
			defer stop(nil)
			if c.outer > 0 {
				limited, cancel := context.WithDeadline(outer, began.Add(c.outer))
				defer cancel()
				outer = limited
			}
			waited, looked := newPatience(outer, began.Add(c.by)), newPatience(outer, began.Add(c.by))
			defer waited.end()
			defer looked.end()
			if c.stop > 0 {
				time.AfterFunc(c.stop, func() { stop(errStop) })
			}
			by, ok := looked.Deadline()
			want := began.Add(c.by)
			if c.outer > 0 && c.outer < c.by {
				want = began.Add(c.outer)
			}
			if !ok || !by.Equal(want) {
				t.Errorf("%s: its deadline is %v, not %v", name, by, want)
			}
			if c.ends > 0 && looked.Err() != nil {
				t.Errorf("%s: it has ended at once: %v", name, looked.Err())
			}
			<-waited.Done()
			synctest.Wait()
			if took := time.Since(began); took != c.ends {
				t.Errorf("%s: it ended after %v, not %v", name, took, c.ends)
			}
			if !errors.Is(waited.Err(), c.err) || !errors.Is(looked.Err(), c.err) || !errors.Is(context.Cause(waited), c.cause) {
				t.Errorf("%s: it ended with %v (%v), and for who only looks with %v", name, waited.Err(), context.Cause(waited), looked.Err())
			}
		})
	}
}
