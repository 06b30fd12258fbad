package model

import "hash/maphash"

// table is a set of states in the order in which they were added. They stand in chunks. The index has
// open addresses of 4 bytes, at most three quarters full.
type table[K comparable] struct {
	seed   maphash.Seed
	chunks [][]K
	n      int
	index  []uint32 // 1 + number, 0 for empty
}

const chunk = 1 << 16

func (t *table[K]) len() int       { return t.n }
func (t *table[K]) key(i uint32) K { return t.chunks[i/chunk][i%chunk] }

// add answers the number of a state, and whether it is new.
func (t *table[K]) add(k K) (uint32, bool) {
	if 4*t.n >= 3*len(t.index) {
		t.grow()
	}
	mask := uint64(len(t.index) - 1)
	at := maphash.Comparable(t.seed, k) & mask
	for ; t.index[at] != 0; at = (at + 1) & mask {
		if i := t.index[at] - 1; t.key(i) == k {
			return i, false
		}
	}
	if t.n%chunk == 0 {
		t.chunks = append(t.chunks, make([]K, 0, chunk))
	}
	last := len(t.chunks) - 1
	t.chunks[last] = append(t.chunks[last], k)
	t.n++
	t.index[at] = uint32(t.n)
	return uint32(t.n - 1), true
}

func (t *table[K]) grow() {
	t.index = make([]uint32, max(1<<16, 2*len(t.index)))
	mask := uint64(len(t.index) - 1)
	for i := range t.n {
		at := maphash.Comparable(t.seed, t.key(uint32(i))) & mask
		for t.index[at] != 0 {
			at = (at + 1) & mask
		}
		t.index[at] = uint32(i + 1)
	}
}
