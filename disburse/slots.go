package disburse

import (
	"slices"
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

	// sweepEvery is how often both are looked at.
	sweepEvery = 50 * time.Millisecond
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
//
// Each lane asks for its room in each round. So that costs the same with any number of merchants:
// sums are kept. What changes by time alone is looked at in sweeps.
type slots struct {
	mu       sync.Mutex
	total    int
	reserved int // for each merchant that lacks no slots, while others take theirs
	inUse    int
	wanted   bool   // somebody has found too few slots since the last release
	room     func() // told after a release, if so; never blocks
	none     func() // told when no slot is in use any more; never blocks

	holders map[string]*holder
	lackers []*holder // that lack slots
	swept   time.Time // when it was looked at last what changes by time

	// Of the holders that lack no slots: what is reserved for them, and what of that they haven't
	// taken.
	reserves, missing int
}

// holder is what a merchant has of the slots.
type holder struct {
	taken  int
	called time.Time // when it took or returned slots last
	lacked time.Time // when it lacked slots last
	active bool      // whether it has called within activeFor
	lacks  bool      // whether it has lacked slots within lackingFor
}

func newSlots(total int, merchants []string, room, none func()) *slots {
	s := &slots{total: total, reserved: total / max(1, 2*len(merchants)), holders: make(map[string]*holder, len(merchants)), room: room, none: none}
	for _, name := range merchants {
		s.holder(name)
	}
	return s
}

// holder is the one of a merchant.
func (s *slots) holder(merchant string) *holder {
	h := s.holders[merchant]
	if h == nil {
		h = &holder{}
		s.holders[merchant] = h
		s.add(h, 1)
	}
	return h
}

// add adds a holder to the sums, or with -1 takes it away.
func (s *slots) add(h *holder, times int) {
	if !h.lacks {
		s.reserves += times * s.reserve(h)
		s.missing += times * max(0, s.reserve(h)-h.taken)
	}
}

// change changes a holder, and keeps the sums.
func (s *slots) change(h *holder, to func()) {
	s.add(h, -1)
	lacked := h.lacks
	to()
	s.add(h, 1)
	switch {
	case h.lacks && !lacked:
		s.lackers = append(s.lackers, h)
	case !h.lacks && lacked:
		s.lackers = slices.DeleteFunc(s.lackers, func(other *holder) bool { return other == h })
	}
}

// sweep looks at what changes by time: who counts as active, and who as lacking slots.
func (s *slots) sweep(now time.Time) {
	if now.Sub(s.swept) < sweepEvery {
		return
	}
	s.swept = now
	for _, h := range s.holders {
		active, lacks := h.active && now.Sub(h.called) < activeFor, h.lacks && now.Sub(h.lacked) < lackingFor
		if active != h.active || lacks != h.lacks {
			s.change(h, func() { h.active, h.lacks = active, lacks })
		}
	}
}

// take takes up to n slots for a merchant.
func (s *slots) take(merchant string, n int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	h, now := s.holder(merchant), time.Now()
	if room := s.roomFor(h, now); room < n {
		n, s.wanted = max(0, room), true
	}
	s.inUse += n
	s.change(h, func() { h.taken, h.called, h.active = h.taken+n, now, true })
	return n
}

// roomFor is how many slots a merchant could take.
func (s *slots) roomFor(h *holder, now time.Time) int {
	s.sweep(now)
	s.add(h, -1)                                                            // the others'
	lacking, free, even := 1, s.total-s.inUse-s.missing, s.total-s.reserves // even is what the lacking ones share
	s.add(h, 1)
	for _, other := range s.lackers {
		if other != h {
			lacking++
		}
	}
	for _, other := range s.lackers {
		if other != h {
			free -= max(0, even/lacking-other.taken)
		}
	}
	// The least that is reserved for it is its own, whatever is reserved for others by now. So is its even
	// share if it lacks slots. Otherwise many that lack slots would reserve all free ones from each other.
	own := s.least()
	if h.lacks {
		own = max(own, even/lacking)
	}
	return max(free, min(own-h.taken, s.total-s.inUse))
}

// reserve is how many slots are reserved for a merchant that lacks no slots.
func (s *slots) reserve(h *holder) int {
	if h.active {
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
	h := s.holder(merchant)
	if does {
		h.lacked = time.Now()
	}
	if does != h.lacks {
		s.change(h, func() { h.lacks = does })
	}
}

// release is for the end of a call. Where somebody has found too few slots, he is told that there is
// room for another one.
func (s *slots) release(merchant string, n int) {
	s.returnUnused(merchant, n)
	if s.wasWanted() {
		s.room()
	}
}

// wasWanted tells whether somebody has found too few slots since it was asked last.
func (s *slots) wasWanted() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	was := s.wanted
	s.wanted = false
	return was
}

// scarce tells whether a merchant could take fewer slots than are worth a lease, and than it
// has work for.
func (s *slots) scarce(merchant string, due int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	room := s.roomFor(s.holder(merchant), time.Now())
	is := room < due && room < s.total/3
	s.wanted = s.wanted || is
	return is
}

// returnUnused returns slots that no call was made with. It tells nobody: a lane that is refused by
// its gate would wake the loop, only to be refused again.
func (s *slots) returnUnused(merchant string, n int) {
	s.mu.Lock()
	s.inUse -= n
	h, none := s.holder(merchant), s.inUse == 0 && n > 0
	s.change(h, func() { h.taken, h.called, h.active = h.taken-n, time.Now(), true })
	s.mu.Unlock()
	if none {
		s.none()
	}
}

func (s *slots) count() (inUse, free int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.inUse, s.total - s.inUse
}
