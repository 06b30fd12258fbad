//go:build ballast

package main

import (
	"fmt"
	"os"
	"runtime/metrics"
	"time"
)

// This file is only in a program of the benchmark (go build -tags ballast). It keeps 300 MB of
// small objects alive, each of which points to the next one: the dearest that a collector can
// find. Each second it tells on stderr what the collector has cost so far.

// ballastBytes is how much is kept alive.
const ballastBytes = 300_000_000

// link is one of the objects, as large as a small record.
type link struct {
	next *link
	_    [7]uint64
}

var ballast *link

func init() {
	const size = 64
	for range ballastBytes / size {
		ballast = &link{next: ballast}
	}
	go func() {
		for range time.Tick(time.Second) {
			samples := []metrics.Sample{{Name: "/cpu/classes/gc/total:cpu-seconds"}, {Name: "/gc/heap/live:bytes"}}
			metrics.Read(samples)
			fmt.Fprintf(os.Stderr, "ballast: collector %.3f s, %d MB alive\n", samples[0].Value.Float64(), samples[1].Value.Uint64()/1_000_000)
		}
	}()
}
