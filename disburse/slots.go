package disburse

import (
	"sync"
	"time"
)

const (
	// lackingFor is how long a merchant that lacked slots counts as lacking them. With work due
	// its lane tries again much sooner.
	lackingFor = time.Second

	// activeFor is how long a merchant without a call counts as a merchant with work now and then.
	// After it less is reserved for it: of many merchants most have no payroll today.
	activeFor = time.Minute
)

// slots bound how many calls of one operation are in flight at once. Sends and asks have as many
// each, for two reasons. A send that is prepared may be in doubt, so slots bound what a dead
// instance leaves behind; an ask costs nothing. And a slow query endpoint must not take the
// sends' slots, nor the other way round.
//
// No merchant can take all of them:
//   - For each merchant that lacks slots its even share is reserved as others end their calls.
//     So a merchant whose calls take long gets no more than the healthy ones.
//   - For each of the others half of its even share is reserved, or a quarter if it has made no
//     call for long. So its first calls wait for nobody.
type slots struct {
	mu       sync.Mutex
	total    int
	reserved int // for each merchant that lacks no slots, while others take theirs
	inUse    int
	taken    map[string]int       // of inUse, by merchant
	called   map[string]time.Time // when a merchant took or returned slots last
	lacking  map[string]time.Time // when a merchant lacked slots last
	released func()               // told after a release; never blocks
}

func newSlots(total int, merchants []string, released func()) *slots {
	s := &slots{
		total: total, reserved: total / max(1, 2*len(merchants)),
		taken: map[string]int{}, called: map[string]time.Time{}, lacking: map[string]time.Time{}, released: released,
	}
	for _, name := range merchants {
		s.taken[name] = 0
	}
	return s
}

// take takes up to n slots for a merchant.
func (s *slots) take(merchant string, n int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n = max(0, min(n, s.room(merchant)))
	s.inUse += n
	s.taken[merchant] += n
	s.called[merchant] = time.Now()
	return n
}

// room is how many slots a merchant could take.
func (s *slots) room(merchant string) int {
	lacking, free, even := 1, s.total-s.inUse, s.total // even is what the lacking ones share
	for other := range s.taken {
		switch {
		case other == merchant:
		case s.isLacking(other):
			lacking++
		default:
			reserve := s.reserve(other)
			free -= max(0, reserve-s.taken[other])
			even -= reserve
		}
	}
	for other := range s.taken {
		if other != merchant && s.isLacking(other) {
			free -= max(0, even/lacking-s.taken[other])
		}
	}
	// The least that is reserved for it is its own, whatever is reserved for others by now.
	return max(free, min(s.least()-s.taken[merchant], s.total-s.inUse))
}

// reserve is how many slots are reserved for a merchant that lacks no slots.
func (s *slots) reserve(merchant string) int {
	if time.Since(s.called[merchant]) < activeFor {
		return s.reserved
	}
	return s.least()
}

// least is how many slots are reserved for any merchant.
func (s *slots) least() int { return (s.reserved + 1) / 2 }

// lacks notes whether a merchant had tickets and an unbroken provider for more calls than it
// got slots. For a merchant that lacks tickets or the provider instead, nothing is reserved.
func (s *slots) lacks(merchant string, does bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if does {
		s.lacking[merchant] = time.Now()
	} else {
		delete(s.lacking, merchant)
	}
}

func (s *slots) isLacking(merchant string) bool {
	at, lacked := s.lacking[merchant]
	return lacked && time.Since(at) < lackingFor
}

// release is for the end of a call: there is room for another one.
func (s *slots) release(merchant string, n int) {
	s.returnUnused(merchant, n)
	s.released()
}

// scarce tells whether a merchant could take fewer slots than are worth a lease, and than it
// has work for.
func (s *slots) scarce(merchant string, due int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	room := s.room(merchant)
	return room < due && room < s.total/3
}

// returnUnused returns slots that no call was made with. It tells nobody: a lane that is refused by
// its gate would wake the loop, only to be refused again.
func (s *slots) returnUnused(merchant string, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.inUse -= n
	s.taken[merchant] -= n
	s.called[merchant] = time.Now()
}

func (s *slots) count() (inUse, free int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.inUse, s.total - s.inUse
}
