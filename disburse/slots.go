package disburse

import (
	"sync"
	"time"
)

const (
	// hunger is how long a merchant that lacked slots counts as lacking them: with work due
	// its lane tries again much sooner.
	hunger = time.Second

	// quiet is how long a merchant without a call counts as one that has work now and then.
	// Longer, and little is kept free for it: of many merchants most have no payroll today.
	quiet = time.Minute
)

// slots are the calls of one operation that may be under way at once. Sends and asks have
// as many each: a send that is prepared may be in doubt, so slots bound what a dead
// instance leaves behind; an ask costs nothing, and a slow query endpoint must not take the
// sends' slots, nor the other way round. No merchant can take all of them:
// for each that lacks slots its even share is kept free as others end their calls, so
// that one whose calls take long gets no more than the healthy ones; and for each of the
// others half of its even share, so that its first calls wait for nobody, or a quarter if it
// has made no call for long.
type slots struct {
	mu       sync.Mutex
	total    int
	kept     int // for each merchant that lacks none, free while others take theirs
	busy     int
	held     map[string]int
	called   map[string]time.Time // when a merchant took or returned slots last
	hungry   map[string]time.Time // when a merchant lacked slots last
	released func()               // told after a release; never blocks
}

func newSlots(total int, merchants []string, released func()) *slots {
	s := &slots{total: total, kept: total / max(1, 2*len(merchants)), held: map[string]int{}, called: map[string]time.Time{}, hungry: map[string]time.Time{}, released: released}
	for _, name := range merchants {
		s.held[name] = 0
	}
	return s
}

// take takes up to n slots for a merchant.
func (s *slots) take(merchant string, n int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n = max(0, min(n, s.room(merchant)))
	s.busy += n
	s.held[merchant] += n
	s.called[merchant] = time.Now()
	return n
}

// room is how many slots a merchant could take.
func (s *slots) room(merchant string) int {
	lacking, free, even := 1, s.total-s.busy, s.total // even is what the lacking ones share
	for other := range s.held {
		switch {
		case other == merchant:
		case s.isHungry(other):
			lacking++
		default:
			reserve := s.reserve(other)
			free -= max(0, reserve-s.held[other])
			even -= reserve
		}
	}
	for other := range s.held {
		if other != merchant && s.isHungry(other) {
			free -= max(0, even/lacking-s.held[other])
		}
	}
	// The least that others have kept for it is its own, whatever is kept for them by now.
	return max(free, min(s.least()-s.held[merchant], s.total-s.busy))
}

// reserve is how many slots stay free for a merchant that lacks none.
func (s *slots) reserve(merchant string) int {
	if time.Since(s.called[merchant]) < quiet {
		return s.kept
	}
	return s.least()
}

// least is how many slots are kept for any merchant.
func (s *slots) least() int { return (s.kept + 1) / 2 }

// lacks notes whether a merchant had tokens and an unbroken provider for more calls than
// slots: what lacks those instead keeps nothing from others.
func (s *slots) lacks(merchant string, does bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if does {
		s.hungry[merchant] = time.Now()
	} else {
		delete(s.hungry, merchant)
	}
}

func (s *slots) isHungry(merchant string) bool {
	at, lacked := s.hungry[merchant]
	return lacked && time.Since(at) < hunger
}

// release is for the end of a call: there is room for another one.
func (s *slots) release(merchant string, n int) {
	s.handBack(merchant, n)
	s.released()
}

// scarce tells whether a merchant could take fewer slots than are worth a batch, and than it
// has work for.
func (s *slots) scarce(merchant string, due int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	room := s.room(merchant)
	return room < due && room < s.total/3
}

// handBack returns what was taken in vain. It tells nobody: a lane that is refused by
// its gate would wake the loop to be refused again.
func (s *slots) handBack(merchant string, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.busy -= n
	s.held[merchant] -= n
	s.called[merchant] = time.Now()
}

func (s *slots) count() (busy, free int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.busy, s.total - s.busy
}
