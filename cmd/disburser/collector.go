package main

import (
	"context"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

const (
	// garbageShare is how much garbage a small heap may gather, in percent of what is alive.
	// It saves a tenth of the CPU (docs/performance.md).
	garbageShare = 400

	// smallMemory is the memory up to which that share holds. Above it the limit follows.
	smallMemory = 128 << 20

	// followEvery is how often the limit follows what is alive.
	followEvery = time.Second
)

// tuneCollector spends some memory of a process that has little in it on fewer runs of the
// collector. A limit below what is alive would make the collector run without end. So the
// limit follows what is alive, until ctx ends. GOGC and GOMEMLIMIT go before all of it.
func tuneCollector(ctx context.Context) {
	if os.Getenv("GOGC") != "" || os.Getenv("GOMEMLIMIT") != "" {
		return
	}
	debug.SetGCPercent(garbageShare)
	debug.SetMemoryLimit(smallMemory)
	go func() {
		tick := time.NewTicker(followEvery)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				followLive()
			}
		}
	}()
}

// followLive sets the limit by what the last run of the collector found alive.
func followLive() {
	samples := []metrics.Sample{
		{Name: "/gc/heap/live:bytes"},
		{Name: "/memory/classes/total:bytes"},
		{Name: "/memory/classes/heap/objects:bytes"},
		{Name: "/memory/classes/heap/free:bytes"},
		{Name: "/memory/classes/heap/released:bytes"},
	}
	metrics.Read(samples)
	for _, s := range samples {
		if s.Value.Kind() != metrics.KindUint64 {
			return // this version of Go doesn't tell: the limit stays
		}
	}
	value := func(i int) int64 { return int64(samples[i].Value.Uint64()) } //nolint:gosec // bytes of this process
	debug.SetMemoryLimit(memoryLimit(value(0), value(1)-value(2)-value(3)-value(4)))
}

// memoryLimit is the limit for so many bytes alive in the heap, and so many beside it
// (stacks, tables). The heap may always grow to twice of what is alive, as by Go's default.
func memoryLimit(live, beside int64) int64 {
	return max(smallMemory, 2*live+beside)
}
