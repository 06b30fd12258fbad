package disburse

import (
	"slices"
	"sync"
	"time"

	"disburser/payout"
	"disburser/payout/leases"
)

const (
	// keepFor is the longest wait for which a payout stays with the instance that has sent
	// it. If that instance dies, somebody else asks only when the lease is over.
	keepFor = 5 * time.Second

	// keptMost bounds what one merchant has waiting so: a payout is a kilobyte.
	keptMost = 4096

	// keptLate is how late the ask of one that was kept may be. Later the asks are short of
	// something, and the journal has the fair order of all that wait.
	keptLate = time.Second

	// keptRest is how long nothing is kept after that.
	keptRest = 10 * time.Second
)

// kept are a merchant's payouts that this instance has sent and the provider has accepted,
// whose lease goes on until they are asked about: to lease them once more would cost an eighth
// of all that a payout costs Redis. None of them is ever sent again, whatever the ask
// brings. What is lost from here comes due in the journal when its lease ends.
type kept struct {
	mu      sync.Mutex
	waiting []keptPayout // the one that is due first comes first
	coming  int          // to be kept, but not known to be in the journal yet
	rest    time.Time    // until here nothing is kept
	closed  bool
}

// keptPayout is one of them. The rest stands apart, so that little is moved.
type keptPayout struct {
	due time.Time // by this process' clock
	*sent
}

// sent is a payout with the batch that it was sent in, which holds nobody else any more.
type sent struct {
	payout.Payout
	batch leases.Leased
}

// expect tells whether there is room for one more; then add or miss must follow.
func (k *kept) expect() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.closed || len(k.waiting)+k.coming >= keptMost || time.Now().Before(k.rest) {
		return false
	}
	k.coming++
	return true
}

func (k *kept) add(p keptPayout) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.coming--
	at, _ := slices.BinarySearchFunc(k.waiting, p, func(a, b keptPayout) int { return a.due.Compare(b.due) })
	k.waiting = slices.Insert(k.waiting, at, p) // mostly the last one
}

func (k *kept) miss() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.coming--
}

// work is how many are due, and when the next one will be.
func (k *kept) work(now time.Time) (due int, next time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if due = k.until(now); due < len(k.waiting) {
		next = k.waiting[due].due
	}
	return due, next
}

// take takes up to n that are due, the longest waiting first.
func (k *kept) take(now time.Time, n int) []keptPayout {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.before(now, n)
}

// late takes those whose ask is late, and keeps nothing more for a while if there are any.
func (k *kept) late(now time.Time) []keptPayout {
	k.mu.Lock()
	defer k.mu.Unlock()
	late := k.before(now.Add(-keptLate), len(k.waiting))
	if len(late) > 0 {
		k.rest = now.Add(keptRest)
		late = append(late, k.before(now, len(k.waiting))...) // they would be late too
	}
	return late
}

// before takes up to n that were due by then.
func (k *kept) before(then time.Time, n int) []keptPayout {
	n = min(n, k.until(then))
	taken := slices.Clone(k.waiting[:n])
	k.waiting = slices.Delete(k.waiting, 0, n)
	return taken
}

// until is how many were due by then.
func (k *kept) until(then time.Time) int {
	n, _ := slices.BinarySearchFunc(k.waiting, then, func(p keptPayout, then time.Time) int {
		if p.due.After(then) {
			return 1
		}
		return -1
	})
	return n
}

// close ends keeping and takes all that there are; one more may be added by whoever was told
// before that there is room.
func (k *kept) close() []keptPayout {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.closed = true
	all := k.waiting
	k.waiting = nil
	return all
}

// forget drops those of an epoch: nothing can be written any more under their leases.
func (k *kept) forget(epoch string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.waiting = slices.DeleteFunc(k.waiting, func(p keptPayout) bool { return p.batch.Epoch == epoch })
}

// keep lets the lease of a payout that was sent go on until its first ask, if the provider
// has accepted it, the ask comes soon, and the lease leaves the whole time of a call after it.
func (l *Loop) keep(m *merchant, batch leases.Leased, p payout.Payout, c *change) {
	now := time.Now()
	wait := p.Due.Sub(batch.Now(now))
	due := now.Add(wait)
	if p.State != payout.StateProcessing || wait > keepFor || due.Add(keptLate+m.Timeout+l.margin()).After(batch.Deadline()) || !m.kept.expect() {
		return
	}
	c.EndsAt = batch.EndsAt
	c.after = func(written bool) {
		if !written {
			m.kept.miss()
			return
		}
		alone := batch
		alone.Payouts = nil
		m.kept.add(keptPayout{due, &sent{p, alone}})
	}
}

// handBack ends the leases of payouts that were kept; they stay due when they were.
func (l *Loop) handBack(all []keptPayout) {
	for _, k := range all {
		l.writer.put(change{Change: leases.Change{Token: k.batch.Token, Epoch: k.batch.Epoch, Before: k.State, After: k.Payout}, until: k.batch.Deadline()})
	}
}

// release hands all of them back, and keeps none any more. Where the journal is away nothing
// is handed back: the results of calls that are under way must not wait behind it.
func (l *Loop) release() {
	for _, m := range l.merchants {
		if all := m.kept.close(); l.Trouble() == "" {
			l.handBack(all)
		}
	}
}

// over is told of an epoch in which nothing can be written any more.
func (l *Loop) over(epoch string) {
	for _, m := range l.merchants {
		m.kept.forget(epoch)
	}
}
