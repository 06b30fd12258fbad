package chaos

import (
	"context"
	"syscall"
	"time"

	"disburser/internal/harness"
)

// breaking kills the broker twice and brings it back on what its disk has.
func breaking(ctx context.Context, r *run) error {
	for range 2 {
		r.part(ctx, 0.2)
		r.note("broker killed", "and started again after 2 s")
		r.broker.process.Kill()
		harness.Pause(ctx, 2*time.Second)
		// Whatever becomes of the scenario's time: the next scenario needs a broker too.
		if err := r.broker.start(context.WithoutCancel(ctx)); err != nil {
			return err
		}
		r.expect(wait{kind: sendsOn, broken: time.Now(), since: time.Now()})
	}
	return nil
}

// tangling does something to one link or another, two times a second.
func tangling(ctx context.Context, r *run) error {
	for harness.Pause(ctx, 500*time.Millisecond) {
		links := r.victim().links()
		r.tangle(ctx, links[r.random.IntN(len(links))])
	}
	return nil
}

// tangle does one thing to a link. Stalls and shut doors end while others begin.
func (r *run) tangle(ctx context.Context, l *link) {
	d := time.Duration(300+r.random.IntN(4000)) * time.Millisecond
	later := func(f func()) {
		go func() {
			harness.Pause(ctx, d)
			f()
		}()
	}
	switch r.random.IntN(4) {
	case 0:
		r.note(l.name+" cut", "all connections")
		l.cut()
	case 1:
		r.note(l.name+" stalled", "for %s", d)
		l.stall()
		later(l.flow)
	case 2:
		r.note(l.name+" shut", "for %s", d)
		l.refuse(true)
		later(func() { l.refuse(false) })
	default:
		n := 1 + r.random.IntN(5)
		r.note(l.name+" replies lost", "%d", n)
		l.swallow(n)
	}
}

// mixing draws one fault after another.
func mixing(ctx context.Context, r *run) error {
	for harness.Pause(ctx, time.Duration(500+r.random.IntN(1500))*time.Millisecond) {
		if err := r.anything(ctx); err != nil && ctx.Err() == nil {
			return err
		}
	}
	return nil
}

func (r *run) anything(ctx context.Context) error {
	switch roll := r.random.IntN(20); {
	case roll < 5:
		s := r.victim()
		r.kill(s)
		return r.start(s)
	case roll < 8:
		s := r.victim()
		r.stop(s)
		go func(i *instance) {
			harness.Pause(ctx, lease+3*time.Second)
			i.Signal(contSignal)
		}(s.instance)
	case roll < 10:
		return r.crash(ctx, "Redis restarted with its AOF", nil)
	case roll < 11:
		return r.crash(ctx, "Redis restarted without its AOF's end", func() error { return r.redis.loseTail(100_000) })
	case roll < 12:
		r.note("FLUSHALL", "Redis has forgotten everything")
		return r.redis.Client.FlushAll(ctx).Err()
	case roll < 13:
		r.note("broker stopped", "for 3 s")
		r.broker.process.Signal(syscall.SIGSTOP)
		harness.Pause(ctx, 3*time.Second)
		r.broker.process.Signal(contSignal)
	default:
		links := r.victim().links()
		r.tangle(ctx, links[r.random.IntN(len(links))])
	}
	return nil
}
