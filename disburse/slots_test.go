package disburse

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"
)

// roomOf is the definition of room: it looks at each merchant.
func roomOf(s *slots, h *holder) int {
	lacking, free, even := 1, s.total-s.inUse, s.total
	for _, other := range s.holders {
		switch {
		case other == h:
		case other.lacks:
			lacking++
		default:
			free -= max(0, s.reserve(other)-other.taken)
			even -= s.reserve(other)
		}
	}
	for _, other := range s.holders {
		if other != h && other.lacks {
			free -= max(0, even/lacking-other.taken)
		}
	}
	own := s.least()
	if h.lacks {
		own = max(own, even/lacking)
	}
	return max(free, min(own-h.taken, s.total-s.inUse))
}

// Nearly as many merchants as there are slots lack some: none of them keeps a free slot from all others.
func TestThoseThatLackSlotsGetFreeOnes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var names []string
		for i := range 200 {
			names = append(names, fmt.Sprint("m", i))
		}
		s := newSlots(128, names, func() {}, func() {})
		for _, name := range names[:40] {
			s.take(name, 1)
		}
		for _, name := range names[40:160] {
			s.lacks(name, true)
		}
		for i, name := range names[40:128] {
			if s.take(name, 1) != 1 {
				t.Fatalf("no slot for %s, of %d that are free", name, 88-i)
			}
		}
	})
}

// Whatever was taken, returned and lacked, and however much later, the sums say what looking at each
// merchant would.
func TestTheSumsOfSlotsAreThoseOfAllMerchants(t *testing.T) {
	for seed := range uint64(20) {
		synctest.Test(t, func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 1))
			names := []string{"a", "b", "c", "d", "e", "f", "g"}
			s := newSlots(20+r.IntN(60), names, func() {}, func() {})
			for range 2000 {
				name := names[r.IntN(len(names))]
				h := s.holder(name)
				switch r.IntN(5) {
				case 0:
					s.take(name, 1+r.IntN(10))
				case 1:
					s.returnUnused(name, min(h.taken, 1+r.IntN(10)))
				case 2:
					s.lacks(name, true)
				case 3:
					s.lacks(name, false)
				default:
					time.Sleep(time.Duration(r.IntN(3000)) * time.Millisecond)
					if r.IntN(20) == 0 {
						time.Sleep(activeFor)
					}
				}
				now := time.Now()
				if got, want := s.roomFor(h, now), roomOf(s, h); got != want {
					t.Fatalf("seed %d: room for %d, not for %d", seed, got, want)
				}
				for other, h := range s.holders {
					if now.Sub(s.swept) == 0 && (h.lacks != (h.lacks && now.Sub(h.lacked) < lackingFor) || h.active != (now.Sub(h.called) < activeFor)) {
						t.Fatalf("seed %d: %s lacks %v since %v, is active %v since %v", seed, other, h.lacks, now.Sub(h.lacked), h.active, now.Sub(h.called))
					}
				}
			}
		})
	}
}

// A look costs the same with ten merchants and with ten thousand.
func BenchmarkRoom(b *testing.B) {
	for _, n := range []int{10, 10_000} {
		names := make([]string, n)
		for i := range names {
			names[i] = string(rune('a'+i%26)) + time.Duration(i).String()
		}
		s := newSlots(128, names, func() {}, func() {})
		b.Run(names[n-1], func(b *testing.B) {
			for b.Loop() {
				s.scarce(names[0], 1000)
			}
		})
	}
}
