//go:build !unix

package main

import "time"

// processorTime isn't known on this system: the number of processors stays.
func processorTime() (used time.Duration, known bool) { return 0, false }
