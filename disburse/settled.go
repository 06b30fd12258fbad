package disburse

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
	"time"
)

// settledMost bounds the payouts that wait in this process for their announcement: a
// Kafka that is away for a while would fill the memory. What is beyond it waits in the
// journal, like everything that no worker has in its hands.
const settledMost = 4 * announceLargest

// settledGathering is how long the first one waits for company that is on its way: a
// request costs Kafka and us as much as a dozen results, and each partition of the topic
// gets one of its own. Where nothing else is about to settle, nothing is waited for.
const settledGathering = 40 * time.Millisecond

// settled are payouts whose end the provider has told and the journal knows, and whose
// lease goes on so that they can be announced at once: to lease them once more would cost
// as much as all the rest of the announcement. Whatever is lost from here comes due in the
// journal when its lease ends.
type settled struct {
	mu     sync.Mutex
	list   []leased
	coming int // settled, but not known to be in the journal yet
	closed bool
	more   chan struct{}
}

func newSettled() *settled { return &settled{more: make(chan struct{}, 1)} }

// expect tells whether there is room for one more; then add or miss must follow.
func (s *settled) expect() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.list)+s.coming >= settledMost {
		return false
	}
	s.coming++
	return true
}

func (s *settled) add(p leased) {
	s.mu.Lock()
	s.coming--
	s.list = append(s.list, p)
	s.mu.Unlock()
	s.wake()
}

func (s *settled) miss() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.coming--
}

func (s *settled) wake() {
	select {
	case s.more <- struct{}{}:
	default:
	}
}

// close ends wait after everything that was added is taken.
func (s *settled) close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.wake()
}

// wait answers when there is something to take, and false when there never will be.
func (s *settled) wait() bool {
	for {
		s.mu.Lock()
		some, closed := len(s.list) > 0, s.closed
		s.mu.Unlock()
		if some || closed {
			return some
		}
		<-s.more
	}
}

// expecting tells whether more is about to come, and fits into a batch.
func (s *settled) expecting() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.coming > 0 && !s.closed && len(s.list) < announceLargest
}

// take appends to a batch what there is, up to the most.
func (s *settled) take(to []leased) []leased {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := min(len(s.list), announceLargest)
	to = append(to, s.list[:n]...)
	left := copy(s.list, s.list[n:])
	clear(s.list[left:])
	s.list = s.list[:left]
	return to
}

// announceSettled publishes what settles, as much at once as has come while the last
// batch was being acknowledged, and a moment longer.
func (l *Loop) announceSettled(working context.Context) {
	var batch []leased // one after the other in the same memory: a payout is a kilobyte
	for l.settled.wait() {
		gatherWhile(settledGathering, l.settled.expecting)
		batch = l.settled.take(batch[:0])
		l.announceNow(working, batch)
		clear(batch)
	}
}

// announceNow leaves those alone whose lease leaves no time for it: somebody else may be
// at them already.
func (l *Loop) announceNow(working context.Context, batch []leased) {
	defer func() {
		if r := recover(); r != nil { // without this goroutine each announcement would wait for its lease's end
			l.Logger.Error().Str("panic", fmt.Sprint(r)).Bytes("stack", debug.Stack()).Msg("panic while announcing")
		}
	}()
	now := time.Now()
	kept, end := batch[:0], time.Time{}
	for _, p := range batch {
		last := p.lease.Deadline().Add(-l.margin())
		if !now.Before(last) {
			continue
		}
		if kept = append(kept, p); end.IsZero() || last.Before(end) {
			end = last
		}
	}
	if len(kept) == 0 {
		return
	}
	ctx, cancel := context.WithDeadline(working, end)
	defer cancel()
	if err := l.announce(ctx, kept); err != nil {
		l.refused(working, err, "announce")
	}
}
