package main

import (
	"math"
	"runtime"
	"runtime/debug"
	"testing"
)

// A limit below what is alive makes the collector run without end.
func TestTheMemoryLimitLeavesRoomAboveWhatIsAlive(t *testing.T) {
	const mib = 1 << 20
	for _, test := range []struct{ live, beside, want int64 }{
		{0, 0, 128 * mib},
		{20 * mib, 10 * mib, 128 * mib},
		{59 * mib, 10 * mib, 128 * mib},
		{161 * mib, 20 * mib, 342 * mib},
		{300 * mib, 30 * mib, 630 * mib},
	} {
		if got := memoryLimit(test.live, test.beside); got != test.want {
			t.Errorf("%d MiB alive, %d beside: %d MiB, want %d", test.live/mib, test.beside/mib, got/mib, test.want/mib)
		}
	}
}

// The process' own figures are read: with 160 MiB alive there is room for as much again.
func TestTheLimitFollowsWhatIsAlive(t *testing.T) {
	before := debug.SetMemoryLimit(-1)
	t.Cleanup(func() { debug.SetMemoryLimit(before) })
	alive := make([]byte, 160<<20)
	runtime.GC()
	followLive()
	if got := debug.SetMemoryLimit(-1); got < 320<<20 || got == math.MaxInt64 {
		t.Errorf("the limit is %d MiB", got>>20)
	}
	runtime.KeepAlive(alive)
	runtime.GC()
	followLive()
	if got := debug.SetMemoryLimit(-1); got < smallMemory || got > 200<<20 {
		t.Errorf("without it the limit is %d MiB", got>>20)
	}
}
