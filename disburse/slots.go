package disburse

import "sync"

// slots are the calls that may be under way at once. No merchant can take all of them:
// for each of the others half of its even share is kept free, so that one whose calls
// hang never leaves the healthy ones without.
type slots struct {
	mu       sync.Mutex
	total    int
	most     int // for one merchant
	busy     int
	held     map[string]int
	released func() // told after a release; never blocks
}

func newSlots(total, merchants int, released func()) *slots {
	most := total
	if merchants > 1 {
		most = max(1, total-(merchants-1)*total/(2*merchants))
	}
	return &slots{total: total, most: most, held: map[string]int{}, released: released}
}

// take takes up to n slots for a merchant.
func (s *slots) take(merchant string, n int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n = max(0, min(n, s.total-s.busy, s.most-s.held[merchant]))
	s.busy += n
	s.held[merchant] += n
	return n
}

func (s *slots) release(merchant string, n int) {
	if n == 0 {
		return
	}
	s.mu.Lock()
	s.busy -= n
	s.held[merchant] -= n
	s.mu.Unlock()
	s.released()
}

func (s *slots) count() (busy, free int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.busy, s.total - s.busy
}
