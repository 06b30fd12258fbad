package disburse

import "sync"

// slots are the calls that may be under way at once. No merchant can take all of them:
// for each of the others half of its even share is kept free, so that one whose calls
// hang never leaves the healthy ones without.
type slots struct {
	mu       sync.Mutex
	total    int
	kept     int // for each merchant, free while others take theirs
	busy     int
	held     map[string]int
	released func() // told after a release; never blocks
}

func newSlots(total int, merchants []string, released func()) *slots {
	s := &slots{total: total, kept: total / max(1, 2*len(merchants)), held: map[string]int{}, released: released}
	for _, name := range merchants {
		s.held[name] = 0
	}
	return s
}

// take takes up to n slots for a merchant.
func (s *slots) take(merchant string, n int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	free := s.total - s.busy
	for other, held := range s.held {
		if other != merchant {
			free -= max(0, s.kept-held)
		}
	}
	n = max(0, min(n, free))
	s.busy += n
	s.held[merchant] += n
	return n
}

// release is for the end of a call: there is room for another one.
func (s *slots) release(merchant string, n int) {
	s.handBack(merchant, n)
	s.released()
}

// handBack returns what was taken in vain. It tells nobody: a lane that is refused by
// its gate would wake the loop to be refused again.
func (s *slots) handBack(merchant string, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.busy -= n
	s.held[merchant] -= n
}

func (s *slots) count() (busy, free int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.busy, s.total - s.busy
}
