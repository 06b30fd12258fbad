//go:build unix

package main

import (
	"syscall"
	"time"
)

// processorTime is how much processor time the process has used; known is false where the system doesn't tell.
func processorTime() (used time.Duration, known bool) {
	var r syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &r) != nil {
		return 0, false
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano()), true
}
