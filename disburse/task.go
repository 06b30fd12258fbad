package disburse

import (
	"fmt"
	"slices"
	"time"

	"github.com/rs/zerolog"

	"disburser/payout"
	"disburser/payout/leases"
)

// task is one payout's way through one lease. It belongs to one goroutine at a time: a lane, a
// worker, the writer, or whoever has it in hand.
type task struct {
	payout   payout.Payout // as it is known here; only its state may differ in the journal, see stored
	stored   payout.State  // what the journal has under this lease
	step     payout.Step   // what is done with it now
	merchant *merchant     // nil where no call is made (announce, review)
	lease    leases.Lease
	evidence leases.Evidence
	margin   time.Duration // before the lease's end; see Loop.margin
	permit   *permit       // of its call, nil before and after it
	stage    stage

	asked *asked // what its ask has found and made of it, for who waits for that; set once, in found

	word   *payout.Word   // of a person, to be judged by the ask's answer; else nil
	judged *payout.Judged // what came of that; set once, in found

	due      time.Time     // while it is in hand: when its next step is, by this process' clock
	together time.Duration // while it is in hand: for how long that may wait for others'
}

// newTask is a payout that was leased for a step.
func (l *Loop) newTask(step payout.Step, m *merchant, leased leases.Leased, p payout.Payout) *task {
	return &task{payout: p, stored: p.State, step: step, merchant: m, lease: leased.Lease, evidence: leased.Evidence, margin: l.margin()}
}

// stage is how far a task is.
type stage byte

const (
	stagePrepared   stage = iota // leased; for a send or an ask there is a permit
	stageDecided                 // its decision is acknowledged
	stageCalling                 // a call to the provider has begun
	stageAnnouncing              // its result is being published
	stageJudged                  // what becomes of the payout is known, and is being written
	stageWritten                 // the journal has it
	stageInHand                  // its lease goes on: it waits for its ask, or for its announcement
	stageDone                    // the step is done, and the lease has ended
	stageReturned                // the lease was ended before that: the payout comes due again
	stageLost                    // nothing can be written under its lease any more: it comes due after it
)

var stageNames = []string{"prepared", "decided", "calling", "announcing", "judged", "written", "in hand", "done", "returned", "lost"}

// String is the stage's name.
func (s stage) String() string {
	if int(s) < len(stageNames) {
		return stageNames[s]
	}
	return fmt.Sprintf("stage(%d)", byte(s))
}

// transition is from one stage to another, in a task for one of the steps.
type transition struct {
	from, to stage
	steps    []payout.Step
}

var anyStep = []payout.Step{payout.StepSend, payout.StepAsk, payout.StepAnnounce, payout.StepReview}

// transitions are all that there are. A send is called only once it is decided.
var transitions = []transition{
	{stagePrepared, stageDecided, []payout.Step{payout.StepSend, payout.StepAnnounce}}, // announcements: of ends by our own word
	{stageDecided, stageCalling, []payout.Step{payout.StepSend}},
	{stagePrepared, stageCalling, []payout.Step{payout.StepAsk}},
	{stagePrepared, stageAnnouncing, []payout.Step{payout.StepAnnounce}},
	{stageDecided, stageAnnouncing, []payout.Step{payout.StepAnnounce}},
	{stagePrepared, stageJudged, []payout.Step{payout.StepReview}},
	{stageCalling, stageJudged, []payout.Step{payout.StepSend, payout.StepAsk}},
	{stageAnnouncing, stageJudged, []payout.Step{payout.StepAnnounce}},
	{stageJudged, stageWritten, anyStep},
	{stageWritten, stageDone, anyStep},

	// The lease goes on for another step. Of an accepted send nothing need be written before that.
	{stageCalling, stageInHand, []payout.Step{payout.StepSend}},
	{stageWritten, stageInHand, []payout.Step{payout.StepSend, payout.StepAsk}},
	{stageInHand, stagePrepared, []payout.Step{payout.StepAsk}},
	{stageInHand, stageAnnouncing, []payout.Step{payout.StepAnnounce}},

	// Nothing was called, or nobody has acknowledged the announcement.
	{stagePrepared, stageReturned, anyStep},
	{stageDecided, stageReturned, []payout.Step{payout.StepSend}},
	{stageAnnouncing, stageReturned, []payout.Step{payout.StepAnnounce}},
	{stageInHand, stageReturned, []payout.Step{payout.StepSend, payout.StepAsk}},

	{stageJudged, stageLost, anyStep},
	{stageInHand, stageLost, anyStep},
}

// legal is the same table, indexed by stages.
var legal = func() (table [stageLost + 1][stageLost + 1][]payout.Step) {
	for _, t := range transitions {
		table[t.from][t.to] = t.steps
	}
	return table
}()

// move brings a task to its next stage, and tells whether it may go there. A call or an
// announcement must not be made where it may not.
func move(logger *zerolog.Logger, t *task, next stage) bool {
	if next > stageLost || t.stage > stageLost || !slices.Contains(legal[t.stage][next], t.step) {
		logger.Error().Str("trade_no", t.payout.TradeNo).Str("batch_id", t.payout.BatchID).Stringer("step", t.step).
			Stringer("from", t.stage).Stringer("to", next).Msg(programmingError + "a payout can't go on like this")
		return false
	}
	t.stage = next
	return true
}

func (l *Loop) move(t *task, next stage) bool { return move(&l.Logger, t, next) }

// change is what the journal is to make of the payout, under the task's lease.
func (t *task) change(after payout.Payout) change {
	return change{
		Change: leases.Change{Token: t.lease.Token, Epoch: t.lease.Epoch, Before: t.stored, After: after},
		until:  t.lease.Deadline(),
	}
}

// write has the writer write what was judged. From here on the task is the writer's.
func (l *Loop) write(t *task, c change) {
	l.move(t, stageJudged)
	t.permit, c.task = nil, t
	l.writer.put(c)
}

// putBack ends the task's lease, with which nothing was done, and has the payout come due at due.
func (l *Loop) putBack(t *task, due time.Time) {
	if !l.move(t, stageReturned) { // its call may have begun: it comes due after its lease
		return
	}
	after := t.payout
	after.Due = due
	l.writer.put(t.change(after))
}

// end is the moment after which no byte of a call may be written. It lies before the lease's
// end, so that the result can still be written (protocol S5).
func (t *task) end() time.Time { return t.lease.Deadline().Add(-t.margin) }
