package disburse

import (
	"slices"
	"sync"
	"time"

	"disburser/payout"
	"disburser/payout/finding"
)

const (
	// askInHandFor is the longest wait for an ask for which a payout stays with the instance
	// that has sent it. If that instance dies, somebody else asks only when the lease is over.
	askInHandFor = 5 * time.Second

	// asksInHand bounds what one merchant has waiting so: a payout is a kilobyte.
	asksInHand = 4096

	// askLate is how late the ask of a payout in hand may be. Later the asks are short of
	// something, and the journal has the fair order of all that wait.
	askLate = time.Second

	// askTogether is for how long an ask waits at least for others that come due within that time: they share a
	// request for the rate. One that has waited for longer waits for a part of that, up to longestTogether. It
	// waits for no more than askEnough. Then it waits for the next line of grid.Widest, as asks of other merchants do.
	askTogether     = 40 * time.Millisecond
	longestTogether = 100 * time.Millisecond
	togetherPart    = 20
	askEnough       = 32

	// askInHandPause is how long no payout is taken in hand after that.
	askInHandPause = 10 * time.Second

	// announcementsInHand bounds the payouts that wait in this process for their announcement: a
	// Kafka that is away for a while would fill the process. More payouts wait in the journal, like
	// all payouts that no worker has.
	announcementsInHand = 4 * announceLargest
)

// inHand are tasks whose step is done and whose lease goes on until their next one. To lease them
// once more would cost Redis an eighth (asks) or a fifth (announcements) of a payout's whole
// cost. A payout whose task is lost here comes due in the journal when its lease ends.
type inHand struct {
	most int             // tasks that may wait here
	more chan struct{}   // told when another task comes first; without due also when enough wait, or no more are expected
	due  func(time.Time) // told when another task comes first, of when it is due; nil: all are due at once; never blocks

	mu       sync.Mutex
	waiting  []*task   // the task that is due first comes first
	reserved int       // places of tasks whose change the journal doesn't have yet
	pause    time.Time // no task is taken in until then
	closed   bool
}

func newInHand(most int, due func(time.Time)) *inHand {
	return &inHand{most: most, more: make(chan struct{}, 1), due: due}
}

// reserve reserves a place for one more task, and tells whether there was one. Then fill or
// cancel must follow.
func (h *inHand) reserve() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed || len(h.waiting)+h.reserved >= h.most || time.Now().Before(h.pause) {
		return false
	}
	h.reserved++
	return true
}

// fill puts a task into the place that was reserved for it.
func (h *inHand) fill(t *task) {
	h.mu.Lock()
	h.reserved--
	at, _ := slices.BinarySearchFunc(h.waiting, t.due, dueBy)
	h.waiting = slices.Insert(h.waiting, at, t) // mostly the last one
	t.together = min(max(time.Until(t.due)/togetherPart, askTogether), longestTogether)
	stir := at == 0 || h.due == nil && (h.reserved == 0 || len(h.waiting) == announceEnough) // who waits for an ask only wants the first one
	h.mu.Unlock()
	if stir {
		h.wake()
	}
	if at == 0 && h.due != nil {
		h.due(t.due)
	}
}

// cancel frees the place of a task that doesn't come.
func (h *inHand) cancel() {
	h.mu.Lock()
	h.reserved--
	h.mu.Unlock()
	h.wake()
}

// work is how many tasks are to be taken now: all that are due, once no others follow soon or enough
// of them wait. If there are none yet, next is when there will be some, zero if no task waits.
func (h *inHand) work(now time.Time) (due int, next time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.waiting) == 0 {
		return 0, time.Time{}
	}
	soon := min(askEnough, h.dueCount(h.waiting[0].due.Add(h.waiting[0].together)))
	if next = h.waiting[soon-1].due; next.After(now) {
		return 0, next
	}
	return h.dueCount(now), time.Time{}
}

// take takes up to n tasks that are due, the longest waiting first.
func (h *inHand) take(now time.Time, n int) []*task {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.first(min(n, h.dueCount(now)))
}

// late takes all tasks that are due if one of them is late. Then no task is taken in for a while.
func (h *inHand) late(now time.Time) []*task {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.dueCount(now.Add(-askLate)) == 0 {
		return nil
	}
	h.pause = now.Add(askInHandPause)
	return h.first(h.dueCount(now)) // the others would be late too
}

// all takes all tasks, due or not.
func (h *inHand) all() []*task {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.first(len(h.waiting))
}

func (h *inHand) first(n int) []*task {
	taken := slices.Clone(h.waiting[:n])
	h.waiting = slices.Delete(h.waiting, 0, n)
	return taken
}

// dueCount is how many tasks were due by then.
func (h *inHand) dueCount(then time.Time) int {
	n, _ := slices.BinarySearchFunc(h.waiting, then, dueBy)
	return n
}

// dueBy sorts a task before a moment if it was due by then.
func dueBy(t *task, then time.Time) int {
	if t.due.After(then) {
		return 1
	}
	return -1
}

// close takes in no more tasks. A place that was reserved before may still be filled. wait ends
// once all tasks are taken.
func (h *inHand) close() {
	h.mu.Lock()
	h.closed = true
	h.mu.Unlock()
	h.wake()
}

// forget takes out the tasks of an epoch: nothing can be written any more under their leases.
func (h *inHand) forget(epoch string) (forgotten []*task) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.waiting = slices.DeleteFunc(h.waiting, func(t *task) bool {
		over := t.lease.Epoch == epoch
		if over {
			forgotten = append(forgotten, t)
		}
		return over
	})
	return forgotten
}

func (h *inHand) wake() {
	select {
	case h.more <- struct{}{}:
	default:
	}
}

// wait answers true when a task waits, and false when none ever will.
func (h *inHand) wait() bool {
	for {
		h.mu.Lock()
		some, closed := len(h.waiting) > 0, h.closed
		h.mu.Unlock()
		if some || closed {
			return some
		}
		<-h.more
	}
}

// linger waits while more tasks are about to come, for at most d, until there are n.
func (h *inHand) linger(d time.Duration, n int) {
	over := time.NewTimer(d)
	defer over.Stop()
	for h.expecting(n) {
		select {
		case <-h.more:
		case <-over.C:
			return
		}
	}
}

// expecting tells whether more tasks are about to come, and fit into a group of n.
func (h *inHand) expecting(n int) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.reserved > 0 && !h.closed && len(h.waiting) < n
}

// staysInHand tells where a task waits whose payout became after by a call, and until when:
// nil where its lease ends with the write. Otherwise a place is reserved for the task there.
func (l *Loop) staysInHand(t *task, phase payout.Phase, after payout.Payout) (*inHand, time.Time) {
	now := time.Now()
	if after.State.Final() && !after.Own() {
		// An end by the provider's word is announced under the same lease. An end by our own
		// word is a decision first, and waits for it in the journal (protocol O2).
		if l.toAnnounce.reserve() {
			return l.toAnnounce, now
		}
		return nil, time.Time{}
	}
	if phase != payout.OwnSend || !t.asksInTime(after, now) || !t.merchant.toAsk.reserve() {
		return nil, time.Time{}
	}
	return t.merchant.toAsk, now.Add(after.Due.Sub(t.lease.LatestJournalTime(now)))
}

// asksInTime tells whether a payout that was sent may be asked about under the lease of its send:
//   - The provider has accepted it. Whatever the ask brings, it is never sent again.
//   - The ask comes soon.
//   - The lease leaves the whole time of a call after it.
func (t *task) asksInTime(after payout.Payout, now time.Time) bool {
	wait := after.Due.Sub(t.lease.LatestJournalTime(now))
	return after.State == payout.StateProcessing && wait <= askInHandFor && !now.Add(wait+askLate+t.merchant.Timeout).After(t.end())
}

// unwritten tells whether the journal needn't be told of a send that was accepted, since the payout
// stays in hand for its ask. The ask's result is written instead: that saves one of three writes.
// Until then the journal has sending. Whoever finds that after the lease asks, and never sends:
//   - Only with no_record.then: hold. With resend it is the acceptance that keeps a payout that
//     the provider has no record of from being sent again.
//   - Only a plain acceptance. An answer that speaks of an end is evidence for later.
func unwritten(phase payout.Phase, f finding.Finding, policy payout.Policy) bool {
	return phase == payout.OwnSend && f.Kind == finding.Accepted && policy.NoRecord.Then == payout.Hold
}

// keepUnwritten puts a task in hand for its ask. Nothing is written: see unwritten.
func (l *Loop) keepUnwritten(t *task, c change) {
	if !l.move(t, stageInHand) {
		c.next.cancel()
		return
	}
	t.permit = nil
	t.payout, t.due = c.After, c.due
	c.next.fill(t) // from here on the task is the loop's
}

// putBackAll ends the leases of tasks in hand; their payouts stay due when they were.
func (l *Loop) putBackAll(all []*task) {
	for _, t := range all {
		l.putBack(t, t.payout.Due)
	}
}

// release puts back the tasks that wait for their ask, and takes none in hand any more. Where the
// journal is away nothing is put back: the results of calls in flight must not wait behind it.
func (l *Loop) release() {
	for _, m := range l.merchants {
		m.toAsk.close()
		if all := m.toAsk.all(); l.Trouble() == "" {
			l.putBackAll(all)
		}
	}
}

// forgetEpoch is told of an epoch in which nothing can be written any more.
func (l *Loop) forgetEpoch(epoch string) {
	for _, m := range l.merchants {
		for _, t := range m.toAsk.forget(epoch) {
			l.move(t, stageLost)
		}
	}
}
