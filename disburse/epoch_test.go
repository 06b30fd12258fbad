package disburse

import (
	"context"
	"testing"
	"time"

	"disburser/payout"
	"disburser/payout/leases"
)

// epochNotes notes in which epoch things are decided and written.
type epochNotes struct {
	*memory
	seen chan string
}

func (e epochNotes) Send(_ context.Context, epoch string, _ []payout.Payout) error {
	e.seen <- "send " + epoch
	return nil
}

func (e epochNotes) Final(_ context.Context, epoch string, _ []payout.Payout) error {
	e.seen <- "final " + epoch
	return nil
}

func (e epochNotes) Apply(ctx context.Context, changes []leases.Change, served []leases.Served) ([]bool, error) {
	for _, c := range changes {
		e.seen <- c.After.State.String() + " " + c.Epoch
	}
	return e.memory.Apply(ctx, changes, served)
}

// Decisions and changes speak of the epoch of their lease, whatever the present one is.
func TestWhatALeaseHandedOutStaysInItsEpoch(t *testing.T) {
	inTime(t, func(t *testing.T) {
		b := newBench(t, order("a1", "a"), ended("a2", payout.StateRejected))
		b.merchant("a").Policy.NoRecord.Then = payout.Resend // with hold processing isn't written
		e := epochNotes{b.journal, make(chan string, 100)}
		b.config.Journal = e
		b.build()
		b.Loop.Decisions = e
		b.start()
		time.Sleep(time.Minute)
		b.stop()
		close(e.seen)
		got := map[string]bool{}
		for what := range e.seen {
			got[what] = true
		}
		for _, want := range []string{"send e1", "processing e1", "paid e1", "final e1", "rejected e1"} {
			if !got[want] {
				t.Errorf("%q is not among %v", want, got)
			}
		}
		if len(got) != 5 {
			t.Error(got)
		}
	})
}
