package main

import (
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"testing"
	"time"
)

func TestHowMuchGarbageMayGather(t *testing.T) {
	const mib = 1 << 20
	for _, test := range []struct {
		what            string
		live, perSecond float64
		want            int
	}{
		{"begun", 0, 0, 200},
		{"idle", 8 * mib, mib, 100},
		{"idle, many merchants", 16 * mib, mib, 50},
		{"at its limit", 8 * mib, 10 * mib, 209},
		{"at full speed", 16 * mib, 100 * mib, 400},
		{"faster than there is", 16 * mib, 1000 * mib, 400},
		{"much is alive", 300 * mib, 0, 25},
		{"much is alive, some work", 300 * mib, 4 * mib, 83},
		{"much is alive, at full speed", 300 * mib, 100 * mib, 100},
	} {
		if got := garbagePercent(test.live, test.perSecond); got != test.want {
			t.Errorf("%s: %d %%, want %d", test.what, got, test.want)
		}
	}
}

// The process' own figures are read. With much alive and much to do there is room for as much
// garbage, and there is no limit. So a heap of 300 MiB is collected once for each 300 MiB of it.
func TestALargeHeapIsCollectedSeldom(t *testing.T) {
	before, limit := debug.SetGCPercent(100), debug.SetMemoryLimit(-1)
	t.Cleanup(func() { debug.SetGCPercent(before) })
	c := &collector{percent: 400, giveBack: func() {}}
	alive := make([]byte, 300<<20)
	runtime.GC()
	c.steer(time.Second) // it counts all that was ever allocated as of this second
	if c.percent != 100 || debug.SetMemoryLimit(-1) != limit {
		t.Errorf("%d %%, a limit of %d bytes", c.percent, debug.SetMemoryLimit(-1))
	}
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	runs := stats.NumGC
	for range 100 {
		_ = garbage(4 << 20)
	}
	runtime.ReadMemStats(&stats)
	if ran := stats.NumGC - runs; ran > 2 {
		t.Errorf("the collector ran %d times for 400 MiB of garbage", ran)
	}
	runtime.KeepAlive(alive)
	runtime.GC()
	c.steer(time.Second)
	if c.percent < 200 {
		t.Errorf("%d %% with little alive", c.percent)
	}
}

var sink []byte

// garbage is memory that nobody needs.
func garbage(n int) int {
	sink = make([]byte, n)
	return len(sink)
}

func TestAContainersLimitIsKept(t *testing.T) {
	const group = "/kubepods/pod1/disburser"
	for _, test := range []struct {
		what, groups string
		limits       map[string]string
		want         int64
	}{
		{"none", "0::" + group + "\n", map[string]string{group: "max\n"}, 0},
		{"its own", "0::" + group + "\n", map[string]string{group: "268435456\n", "/kubepods": "max\n"}, 256 << 20},
		{"of a group above", "0::" + group + "\n", map[string]string{group: "536870912\n", "/kubepods": "268435456\n"}, 256 << 20},
		{"in a namespace of its own", "0::/\n", map[string]string{"/": "268435456\n"}, 256 << 20},
		{"version 1", "4:memory:/docker/1\n", map[string]string{"/": "268435456\n"}, 0},
		{"not a number", "0::/\n", map[string]string{"/": "much\n"}, 0},
	} {
		root := t.TempDir()
		for name, text := range test.limits {
			if err := os.MkdirAll(filepath.Join(root, name), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(root, name, "memory.max"), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		file := filepath.Join(root, "cgroup")
		if err := os.WriteFile(file, []byte(test.groups), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, limited := containerLimit(file, root); got != test.want || limited != (test.want > 0) {
			t.Errorf("%s: %d, %v", test.what, got, limited)
		}
	}
	if _, limited := containerLimit(filepath.Join(t.TempDir(), "none"), "/"); limited {
		t.Error("there is a limit without files")
	}
}

func TestMemoryGoesBackAfterABurst(t *testing.T) {
	before := debug.SetGCPercent(100)
	t.Cleanup(func() { debug.SetGCPercent(before) })
	given := 0
	c := &collector{percent: 100, giveBack: func() { given++; debug.FreeOSMemory() }}
	second := func(bytes int) {
		_ = garbage(bytes)
		sink = nil
		c.steer(time.Second)
	}
	for range 10 {
		second(64 << 20)
	}
	if given > 0 {
		t.Error("memory was given back in the middle of a burst")
	}
	for range 10 {
		runtime.GC()
		second(1 << 10)
	}
	if given != 1 {
		t.Errorf("memory was given back %d times within 10 s after a burst", given)
	}
}
