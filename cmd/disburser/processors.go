package main

import (
	"context"
	"os"
	"runtime"
	"time"

	"disburser/internal/grid"
)

// A process that does little, but often, pays for waking processors: each payout wakes one, and that wakes
// another. On one processor the same work costs a tenth less. So while little is done there is one, and as soon
// as there is more to do, all of them.

const (
	// fewFrom and allFrom are parts of a core. While less than fewFrom was used for fewAfter, one processor
	// does. From allFrom on all of them work.
	fewFrom  = 0.35
	fewAfter = 5 * time.Second
	allFrom  = 0.6

	// processorsEvery is how often it is looked. A payroll that begins has one processor for so long.
	processorsEvery = grid.Slow
)

// tuneProcessors says how many processors the process works on, until ctx ends. An operator's GOMAXPROCS goes
// before it.
func tuneProcessors(ctx context.Context) {
	used, known := processorTime()
	if os.Getenv("GOMAXPROCS") != "" || !known || runtime.GOMAXPROCS(0) == 1 {
		return
	}
	go func() {
		defer runtime.SetDefaultGOMAXPROCS()
		var p processors
		next := time.NewTimer(grid.UntilNext(processorsEvery))
		defer next.Stop()
		for last := time.Now(); ; {
			select {
			case <-ctx.Done():
				return
			case <-next.C:
			}
			next.Reset(grid.UntilNext(processorsEvery))
			now, before := time.Now(), used
			used, _ = processorTime()
			switch p.next(used-before, now.Sub(last)) {
			case one:
				runtime.GOMAXPROCS(1)
			case all:
				runtime.SetDefaultGOMAXPROCS()
			case unchanged:
			}
			last = now
		}
	}()
}

// change is what to do about the number of processors.
type change byte

const (
	unchanged change = iota
	one
	all
)

// processors decides. It begins with all of them.
type processors struct {
	few   bool          // there is one
	quiet time.Duration // for how long one would have done
}

// next takes in how much processor time was used since the last look.
func (p *processors) next(used, since time.Duration) change {
	if since <= 0 {
		return unchanged
	}
	part := used.Seconds() / since.Seconds()
	if p.quiet += since; part >= fewFrom {
		p.quiet = 0
	}
	switch {
	case p.few && part >= allFrom:
		p.few = false
		return all
	case !p.few && p.quiet >= fewAfter:
		p.few = true
		return one
	}
	return unchanged
}
