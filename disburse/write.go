package disburse

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/rs/zerolog"

	"disburser/internal/grid"
	"disburser/payout/epochs"
	"disburser/payout/leases"
)

const (
	// writeLargest is how many changes go into one call. The journal writes them in scripts of 200.
	writeLargest = 500

	// writeLinger is how long the writer waits for more changes after the first one, while calls
	// are in flight that will bring some. A script costs Redis as much as ten changes, and results that are written
	// together are published together. Then it waits for the next line of grid.Widest: what others ask of Redis there
	// shares the round trip. It doesn't wait for more than writeEnough: so many go into one script.
	writeLinger = 160 * time.Millisecond
	writeEnough = 200

	// writeQueue is how many changes may wait for the writer. Beyond it workers wait, and their
	// slots stay in use: backpressure.
	writeQueue = 1024

	// writeBackoff is the pause after a write that failed.
	writeBackoff = 100 * time.Millisecond

	// writeTime bounds a write of results after the work context has ended.
	writeTime = 5 * time.Second
)

// writer puts changes into the journal, as many at once as have come while the last ones were
// being written. Its goroutine alone calls Apply.
type writer struct {
	journal     Leaser
	comesDue    func(at time.Time) // told when a payout that was written comes due first; never blocks
	expecting   func() bool        // tells whether calls are in flight
	reportError func(ctx context.Context, err error, doing string)
	epochOver   func(epoch string) // told of an epoch in which nothing can be written any more
	logger      zerolog.Logger
	changes     chan change
	stirred     chan struct{} // told when enough changes wait, or no call is in flight any more

	// Owned by run, and used for one group after the other: a change is a kilobyte.
	group []change
	bare  []leases.Change // the same without what the writer has to know
}

// change is what the journal is to make of a payout, and what happens then.
type change struct {
	leases.Change
	until  time.Time // the lease's end: after it somebody else may have taken over
	served *leases.Served

	task *task     // told what became of it; nil: nobody is
	next *inHand   // where the task waits for its next step, nil if it is done
	due  time.Time // when that is

	mark chan struct{} // no change: closed when all before it are done
}

func newWriter(j Leaser, comesDue func(time.Time), expecting func() bool, reportError func(context.Context, error, string), epochOver func(string), logger zerolog.Logger) *writer {
	return &writer{
		journal: j, comesDue: comesDue, expecting: expecting, reportError: reportError, epochOver: epochOver, logger: logger,
		changes: make(chan change, writeQueue), stirred: make(chan struct{}, 1), group: make([]change, 0, writeLargest),
	}
}

// put has a change written; it waits while too many changes are waiting.
func (w *writer) put(c change) {
	w.changes <- c
	if len(w.changes) >= writeEnough {
		w.stir()
	}
}

// stir has the writer look whether it still has a reason to wait for more. It never blocks.
func (w *writer) stir() {
	select {
	case w.stirred <- struct{}{}:
	default:
	}
}

// flush waits until everything that was put before is written, or never will be.
func (w *writer) flush() {
	mark := make(chan struct{})
	w.changes <- change{mark: mark}
	<-mark
}

// close ends run after everything that was put is written. Nothing may be put any more.
func (w *writer) close() { close(w.changes) }

// run writes until close. working's end doesn't stop it: results that are known must
// land, each try under its own deadline.
func (w *writer) run(working context.Context) {
	for first := range w.changes {
		w.linger()
		group := append(w.group[:0], first)
		var next *change // of another epoch: it begins the next group
		for len(group) > 0 {
			group, next = w.collect(group)
			used := w.group[:len(group)]
			w.write(working, group)
			clear(used) // or payouts would stay in memory
			clear(w.bare)
			if group = nil; next != nil {
				group = append(w.group[:0], *next)
			}
		}
	}
}

// linger waits for more changes, while any are expected.
func (w *writer) linger() {
	over := time.NewTimer(grid.UntilFine(time.Now().Add(writeLinger), grid.Widest))
	defer over.Stop()
	for len(w.changes) < writeEnough && w.expecting() {
		select {
		case <-w.stirred:
		case <-over.C:
			return
		}
	}
}

// collect adds to a group what is waiting, as long as it is of the same epoch. A mark is a
// group of its own.
func (w *writer) collect(group []change) ([]change, *change) {
	for len(group) < writeLargest {
		select {
		case c, ok := <-w.changes:
			if !ok {
				return group, nil
			}
			if c.mark != nil || group[0].mark != nil || c.Epoch != group[0].Epoch {
				return group, &c
			}
			group = append(group, c)
		default:
			return group, nil
		}
	}
	return group, nil
}

// write tries until the changes are written or their leases are over. If a change is not written,
// its payout comes due again, and is asked about.
func (w *writer) write(working context.Context, group []change) {
	defer func() {
		if r := recover(); r != nil { // without a writer nothing would ever be written again
			w.logger.Error().Str("panic", fmt.Sprint(r)).Bytes("stack", debug.Stack()).Msg("panic while writing results")
		}
	}()
	if group[0].mark != nil {
		close(group[0].mark)
		return
	}
	told := 0
	defer func() { // what is left is not written, as far as is known
		for _, c := range group[told:] {
			w.tell(c, false)
		}
	}()
	for {
		group = w.current(group)
		if len(group) == 0 {
			return
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(working), writeTime)
		written, err := w.journal.Apply(ctx, w.changesOf(group), servedOf(group))
		cancel()
		if err == nil {
			told = len(group)
			w.report(group, written)
			if at := firstDue(group); !at.IsZero() {
				w.comesDue(at)
			}
			return
		}
		w.reportError(working, err, "write results")
		if errors.Is(err, epochs.ErrOver) {
			w.epochOver(group[0].Epoch)
		}
		if errors.Is(err, epochs.ErrOver) || working.Err() != nil {
			return // a new epoch learns it from Kafka or asks; a stopping process has no more time
		}
		time.Sleep(writeBackoff)
	}
}

// firstDue is when the first of the payouts comes due in the journal that a group has put there, by Redis'
// clock. It is zero where all are forgotten, or go on under their leases.
func firstDue(group []change) (at time.Time) {
	for _, c := range group {
		if due := c.After.Due; !c.Forget && c.next == nil && (at.IsZero() || due.Before(at)) {
			at = due
		}
	}
	return at
}

// current leaves out the changes whose lease is over.
func (w *writer) current(group []change) []change {
	now := time.Now()
	covered := group[:0]
	for _, c := range group {
		if now.Before(c.until) {
			covered = append(covered, c)
		} else {
			w.tell(c, false)
		}
	}
	return covered
}

// tell has the task of a change go on: it is done, or in hand for its next step.
func (w *writer) tell(c change, written bool) {
	if c.task == nil {
		return
	}
	if !written {
		move(&w.logger, c.task, stageLost)
		if c.next != nil {
			c.next.cancel()
		}
		return
	}
	move(&w.logger, c.task, stageWritten)
	if c.next == nil {
		move(&w.logger, c.task, stageDone)
		return
	}
	move(&w.logger, c.task, stageInHand)
	c.task.payout, c.task.stored, c.task.due = c.After, c.After.State, c.due
	c.next.fill(c.task)
}

func (w *writer) changesOf(group []change) []leases.Change {
	w.bare = w.bare[:0]
	for _, c := range group {
		w.bare = append(w.bare, c.Change)
	}
	return w.bare
}

// servedOf picks of each merchant the latest evidence and the latest that settled.
func servedOf(group []change) []leases.Served {
	type key struct {
		merchant string
		settled  bool
	}
	latest := map[key]leases.Served{}
	for _, c := range group {
		if c.served != nil {
			latest[key{c.served.Merchant, c.served.Settled}] = *c.served
		}
	}
	served := make([]leases.Served, 0, len(latest))
	for _, s := range latest {
		served = append(served, s)
	}
	return served
}

func (w *writer) report(group []change, written []bool) {
	for i, c := range group {
		w.tell(c, i < len(written) && written[i])
		if i < len(written) && !written[i] {
			w.logger.Warn().Str("trade_no", c.After.TradeNo).Str("batch_id", c.After.BatchID).Stringer("state", c.After.State).
				Msg("somebody else has taken this payout over; what this instance found is not written")
		}
	}
}
