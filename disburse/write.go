package disburse

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/rs/zerolog"

	"disburser/payout/epochs"
	"disburser/payout/leases"
)

const (
	// writeLargest is how many changes go into one call: the journal's own chunk.
	writeLargest = 500

	// gathering is how long the writer waits for company of the first change, while calls
	// are under way that will have some: a script costs Redis as much as ten changes.
	gathering = 15 * time.Millisecond

	// waiting is how many changes may wait for the writer; beyond it workers wait, and
	// with them their slots: backpressure.
	waiting = 1024

	// writeRest is the pause after a write that failed.
	writeRest = 100 * time.Millisecond

	// writeTime bounds a write of results after the work context has ended.
	writeTime = 5 * time.Second
)

// writer puts changes into the journal, as many at once as have gathered while the last
// ones were being written. Its goroutine alone calls Apply.
type writer struct {
	journal   Journal
	applied   func()      // told after a write; never blocks
	expecting func() bool // tells whether calls are under way
	refused   func(ctx context.Context, err error, doing string)
	over      func(epoch string) // told of one in which nothing can be written any more
	logger    zerolog.Logger
	changes   chan change

	// Owned by run, and used for one batch after the other: a change is a kilobyte.
	batch []change
	bare  []leases.Change // the same without what the writer has to know
}

type change struct {
	leases.Change
	until  time.Time // the lease's end: after it somebody else may have taken over
	served *leases.Served

	task *task     // told what became of it; nil: nobody is
	next *inHand   // where the task waits for its next step, nil if it is done
	due  time.Time // when that is

	mark chan struct{} // no change: closed when all before it are done
}

func newWriter(j Journal, applied func(), expecting func() bool, refused func(context.Context, error, string), over func(string), logger zerolog.Logger) *writer {
	return &writer{journal: j, applied: applied, expecting: expecting, refused: refused, over: over, logger: logger, changes: make(chan change, waiting), batch: make([]change, 0, writeLargest)}
}

// put has a change written; it waits while too many are waiting.
func (w *writer) put(c change) { w.changes <- c }

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
		gatherWhile(gathering, func() bool { return len(w.changes) < writeLargest && w.expecting() })
		batch := append(w.batch[:0], first)
		var next *change // of another epoch: it begins the next batch
		for len(batch) > 0 {
			batch, next = w.gather(batch)
			used := w.batch[:len(batch)]
			w.write(working, batch)
			w.applied()
			clear(used) // keeps nobody's payouts in memory
			clear(w.bare)
			if batch = nil; next != nil {
				batch = append(w.batch[:0], *next)
			}
		}
	}
}

// gatherLook is how often it is looked whether anything more is coming.
const gatherLook = 2 * time.Millisecond

// gatherWhile waits for company, for at most d, and for no longer than any is expected.
func gatherWhile(d time.Duration, expecting func() bool) {
	for ; d > 0; d -= gatherLook {
		time.Sleep(min(d, gatherLook))
		if !expecting() {
			return
		}
	}
}

// gather adds to a batch what is waiting, as long as it is of the same epoch. A mark is a
// batch of its own.
func (w *writer) gather(batch []change) ([]change, *change) {
	for len(batch) < writeLargest {
		select {
		case c, ok := <-w.changes:
			if !ok {
				return batch, nil
			}
			if c.mark != nil || batch[0].mark != nil || c.Epoch != batch[0].Epoch {
				return batch, &c
			}
			batch = append(batch, c)
		default:
			return batch, nil
		}
	}
	return batch, nil
}

// write tries until the changes are written or their leases are over. What is not
// written is not lost: it comes due again, and is asked about.
func (w *writer) write(working context.Context, batch []change) {
	defer func() {
		if r := recover(); r != nil { // without a writer nothing would ever be written again
			w.logger.Error().Str("panic", fmt.Sprint(r)).Bytes("stack", debug.Stack()).Msg("panic while writing results")
		}
	}()
	if batch[0].mark != nil {
		close(batch[0].mark)
		return
	}
	told := 0
	defer func() { // what is left is not written, as far as is known
		for _, c := range batch[told:] {
			w.tell(c, false)
		}
	}()
	for {
		batch = w.current(batch)
		if len(batch) == 0 {
			return
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(working), writeTime)
		written, err := w.journal.Apply(ctx, w.changesOf(batch), servedOf(batch))
		cancel()
		if err == nil {
			told = len(batch)
			w.report(batch, written)
			return
		}
		w.refused(working, err, "write results")
		if errors.Is(err, epochs.ErrOver) {
			w.over(batch[0].Epoch)
		}
		if errors.Is(err, epochs.ErrOver) || working.Err() != nil {
			return // a new epoch learns it from Kafka or asks; a stopping process has no more time
		}
		time.Sleep(writeRest)
	}
}

// current leaves out what the lease doesn't cover any more.
func (w *writer) current(batch []change) []change {
	now := time.Now()
	kept := batch[:0]
	for _, c := range batch {
		if now.Before(c.until) {
			kept = append(kept, c)
		} else {
			w.tell(c, false)
		}
	}
	return kept
}

// tell has the task of a change go on: it is done, or in hand for its next step.
func (w *writer) tell(c change, written bool) {
	if c.task == nil {
		return
	}
	if !written {
		move(&w.logger, c.task, stageLost)
		if c.next != nil {
			c.next.miss()
		}
		return
	}
	move(&w.logger, c.task, stageWritten)
	if c.next == nil {
		move(&w.logger, c.task, stageDone)
		return
	}
	move(&w.logger, c.task, stageInHand)
	c.task.payout, c.task.due = c.After, c.due
	c.next.add(c.task)
}

func (w *writer) changesOf(batch []change) []leases.Change {
	w.bare = w.bare[:0]
	for _, c := range batch {
		w.bare = append(w.bare, c.Change)
	}
	return w.bare
}

// servedOf keeps of each merchant the latest evidence and the latest that settled.
func servedOf(batch []change) []leases.Served {
	type key struct {
		merchant string
		settled  bool
	}
	latest := map[key]leases.Served{}
	for _, c := range batch {
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

func (w *writer) report(batch []change, written []bool) {
	for i, c := range batch {
		w.tell(c, i < len(written) && written[i])
		if i < len(written) && !written[i] {
			w.logger.Warn().Str("trade_no", c.After.TradeNo).Str("batch_id", c.After.BatchID).Stringer("state", c.After.State).
				Msg("somebody else has taken this payout over; what this instance found is not written")
		}
	}
}
