package app

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
	"time"
)

// closing bounds what comes after the drain: last writes, leaving, closing. Exit is
// promised within drain + 2 s.
const closing = 1500 * time.Millisecond

// Run works until ctx ends, and then lets what is in flight finish within the drain
// time. It returns nil after such an end, whenever it came. A Kafka, Redis or provider
// that is away is waited out.
func (a *App) Run(ctx context.Context) error {
	defer func() {
		if err := a.close(); err != nil {
			a.logger.Debug().Err(err).Msg("while closing")
		}
	}()
	stopAdmin, err := a.serveAdmin()
	if err != nil {
		return err
	}
	defer stopAdmin()
	a.announceStart()
	if err := a.preflight(ctx); err != nil {
		return err
	}
	if ctx.Err() == nil {
		a.work(ctx)
	}
	a.logger.Info().Msg("stopped")
	return nil
}

// work runs all loops. taking is ctx; working outlives it by the drain time.
func (a *App) work(ctx context.Context) {
	working, stopWorking := context.WithCancel(context.WithoutCancel(ctx))
	defer stopWorking()
	var intake, loops, rest sync.WaitGroup
	a.beginSchedules(ctx)
	a.supervise(ctx, &intake, "consumer", func() {
		if err := a.consumer.Run(ctx); err != nil {
			a.logger.Error().Err(err).Msg("the consumer ended")
		}
	})
	a.supervise(working, &rest, "actions", func() { a.actions.Run(working) })
	for i := range a.loops {
		a.supervise(working, &rest, "keeper", func() { a.keepers[i].Run(working) })
		a.supervise(working, &rest, "decisions", func() { a.logs[i].Run(working) })
		a.launch(&loops, "loop", func() { a.loops[i].Run(ctx, working) })
	}
	a.supervise(working, &rest, "census", func() { a.takeCensus(working) })
	a.launch(&rest, "accounts", func() { a.warnOfAccounts(ctx) })
	a.supervise(working, &rest, "retention", func() { a.watchRetention(working) })
	a.started.Store(true)

	<-ctx.Done()
	a.health.stopping()
	a.logger.Info().Dur("drain", a.config.Disburse.Drain).Msg("stopping: no more is taken in or sent, what is under way may finish")
	if !waitFor(a.config.Disburse.Drain, &intake, &loops) {
		a.logger.Warn().Msg("the drain time is over: what is still under way is taken over by other instances after its lease")
	}
	stopWorking()
	if !waitFor(closing, &intake, &loops, &rest, &a.begun) {
		a.logger.Warn().Msg("something didn't end in time and is left behind")
	}
}

// launch runs f in a goroutine whose panic is logged and doesn't end the process, but
// makes it sick: /healthz asks for a restart.
func (a *App) launch(group *sync.WaitGroup, name string, f func()) {
	group.Add(1)
	go func() {
		defer group.Done()
		if !a.survives(name, "it doesn't run any more", f) {
			a.health.died(name)
		}
	}()
}

// restartAfter is the pause before what has panicked runs again.
const restartAfter = time.Second

// supervise runs f until ctx ends, again after a pause if it panics or ends. It is for what has
// nothing in hand between two runs that a panic could leave half done.
func (a *App) supervise(ctx context.Context, group *sync.WaitGroup, name string, f func()) {
	group.Add(1)
	go func() {
		defer group.Done()
		for {
			a.survives(name, "it begins anew", f)
			sleep(ctx, restartAfter)
			if ctx.Err() != nil {
				return
			}
		}
	}()
}

// survives tells whether f ended without a panic.
func (a *App) survives(name, then string, f func()) (well bool) {
	defer func() {
		if r := recover(); r != nil {
			a.logger.Error().Str("panic", fmt.Sprint(r)).Bytes("stack", debug.Stack()).Msg("panic in the " + name + "; " + then)
		}
	}()
	f()
	return true
}

// waitFor waits for groups and tells whether they ended within d.
func waitFor(d time.Duration, groups ...*sync.WaitGroup) bool {
	done := make(chan struct{})
	go func() {
		defer close(done)
		for _, g := range groups {
			g.Wait()
		}
	}()
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-done:
		return true
	case <-timer.C:
		return false
	}
}
