package main

import (
	"context"
	"math"
	"os"
	"path"
	"runtime/debug"
	"runtime/metrics"
	"strconv"
	"strings"
	"time"

	"disburser/internal/grid"
)

const (
	// The collector may cost share of a core. Marking takes about markTime for each byte that is
	// alive, so the share says how much garbage may gather between two runs. That is leastRoom at
	// least, so that a small heap is left alone. It is mostRoom or what is alive at most. At full
	// speed the collector costs more than its share then, and memory is spared.
	share     = 0.01
	markTime  = 2e-9 // seconds
	leastRoom = 8 << 20
	mostRoom  = 64 << 20

	// steerEvery is how often the collector is steered by what the process does.
	steerEvery = time.Second

	// A burst is over, and so is a start, where for quietFor less than quietRate bytes a second are
	// allocated. If it has left more than leastFree bytes and a quarter of what is alive free, they
	// go back to the system. By itself Go gives them back over minutes.
	quietFor  = 5 * time.Second
	quietRate = 4 << 20
	leastFree = 8 << 20

	// ofContainer is the part of the container's memory, in percent, from which on the collector
	// runs as often as it must. The rest is for what isn't the heap's.
	ofContainer = 90
)

// tuneCollector steers the collector by what is alive and by how fast garbage is made, until ctx
// ends. There is no fixed limit that the heap can pass: near one the collector would run without
// end. Only a container's limit holds. GOGC and GOMEMLIMIT go before all of it.
func tuneCollector(ctx context.Context) {
	if os.Getenv("GOGC") != "" || os.Getenv("GOMEMLIMIT") != "" {
		return
	}
	if limit, limited := containerLimit("/proc/self/cgroup", "/sys/fs/cgroup"); limited {
		debug.SetMemoryLimit(limit / 100 * ofContainer)
	}
	c := &collector{percent: debug.SetGCPercent(100), giveBack: debug.FreeOSMemory}
	c.steer(steerEvery)
	go func() {
		next := time.NewTimer(grid.UntilNext(steerEvery))
		defer next.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-next.C:
				next.Reset(grid.UntilNext(steerEvery))
				c.steer(steerEvery)
			}
		}
	}()
}

// collector is how the collector was steered last.
type collector struct {
	percent   int
	allocated uint64        // since the start
	quiet     time.Duration // for how long little has been allocated; after memory was given back, far below 0
	giveBack  func()        // what is free, to the system
}

// steer sets how much garbage may gather, by what was made since the last call. Each setting stops
// the world for a moment, so small changes wait.
func (c *collector) steer(since time.Duration) {
	samples := []metrics.Sample{{Name: "/gc/heap/live:bytes"}, {Name: "/gc/heap/allocs:bytes"}, {Name: "/memory/classes/heap/free:bytes"}}
	metrics.Read(samples)
	for _, s := range samples {
		if s.Value.Kind() != metrics.KindUint64 {
			return // this version of Go doesn't tell: it stays as it is
		}
	}
	live, allocated, free := samples[0].Value.Uint64(), samples[1].Value.Uint64(), samples[2].Value.Uint64()
	perSecond := float64(allocated-c.allocated) / since.Seconds()
	percent := garbagePercent(float64(live), perSecond)
	c.allocated = allocated
	if math.Abs(float64(percent-c.percent)) > float64(c.percent)/5 {
		debug.SetGCPercent(percent)
		c.percent = percent
	}
	if c.rests(since, perSecond) && free > leastFree+live/4 {
		c.quiet = -time.Minute // collecting everything costs something: not at once again
		c.giveBack()
	}
}

// rests tells whether little has been allocated for long enough.
func (c *collector) rests(since time.Duration, perSecond float64) bool {
	if c.quiet += since; perSecond > quietRate {
		c.quiet = min(c.quiet, 0)
	}
	return c.quiet >= quietFor
}

// garbagePercent is how much garbage may gather, in percent of what is alive, where so many bytes a
// second are allocated.
func garbagePercent(live, perSecond float64) int {
	const smallest = 4 << 20 // Go counts a smaller heap as this
	live = max(live, smallest)
	room := max(perSecond*live*markTime/share, leastRoom, live/4)
	return int(100 * min(room, max(mostRoom, live)) / live)
}

// containerLimit is the memory that the container's control group allows, by the files of Linux
// (version 2), also where a group above it allows less.
func containerLimit(groupFile, root string) (bytes int64, limited bool) {
	text, err := os.ReadFile(groupFile)
	_, group, found := strings.Cut(string(text), "0::")
	if err != nil || !found {
		return 0, false // another system, or version 1
	}
	group, _, _ = strings.Cut(group, "\n")
	for ; ; group = path.Dir(group) {
		text, err := os.ReadFile(path.Join(root, group, "memory.max")) // the topmost has none
		if n, notNumber := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64); err == nil && notNumber == nil && (!limited || n < bytes) {
			bytes, limited = n, true
		}
		if group == "/" || group == "." {
			return bytes, limited
		}
	}
}
