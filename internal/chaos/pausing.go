package chaos

import (
	"context"
	"fmt"
	"syscall"
	"time"

	"disburser/internal/harness"
)

// books is what can be seen of the run from outside at a moment.
type books struct {
	placements, queries, finals int
	latest                      time.Time // placement
}

func (r *run) books(ctx context.Context) (b books, err error) {
	ledger, err := r.provider.ledger(ctx)
	for _, e := range ledger.Entries {
		b.placements += e.Placements
		b.queries += e.Queries
		if e.LastAt.After(b.latest) {
			b.latest = e.LastAt
		}
	}
	b.finals, _ = r.watcher.Progress()
	return b, err
}

// paused pauses the fleet, does something to it, and resumes. Nothing may reach the provider later than staleness and
// the way after the acknowledgement. Asks and results go on meanwhile. After the resume sends go on within a second.
func (r *run) paused(ctx context.Context, meanwhile func(context.Context) error) error {
	pause, err := r.act(ctx, "pause", "fleet")
	if err != nil {
		return err
	}
	before, err := r.books(ctx)
	if err != nil {
		return err
	}
	if err := meanwhile(ctx); err != nil {
		return err
	}
	after, err := r.books(ctx)
	if err != nil {
		return err
	}
	late := after.latest.Sub(pause.by)
	r.say("   the last send came %.2f s after the acknowledgement; %d asks and %d results during the pause", late.Seconds(), after.queries-before.queries, after.finals-before.finals)
	if late > staleness+onItsWay {
		r.problem("a send came %s after the pause was acknowledged, %s is allowed", late, staleness+onItsWay)
	}
	if after.queries == before.queries || after.finals == before.finals {
		r.problem("%d asks and %d results came during the pause: they must go on", after.queries-before.queries, after.finals-before.finals)
	}
	return r.resumed(ctx, after)
}

// resumed resumes the fleet, and waits until sends go on.
func (r *run) resumed(ctx context.Context, before books) error {
	resume, err := r.act(ctx, "resume", "fleet")
	if err != nil {
		return err
	}
	err = harness.Until(ctx, 20*time.Second, "sends go on after the resume", func() bool {
		now, err := r.books(ctx)
		return err == nil && now.placements > before.placements
	})
	if err != nil {
		return err
	}
	ledger, err := r.provider.ledger(ctx)
	if err != nil {
		return err
	}
	first := time.Now()
	for _, e := range ledger.Entries {
		if e.LastAt.After(before.latest) {
			first = earlier(first, e.LastAt)
		}
	}
	took := first.Sub(resume.by)
	r.say("   the first send came %.2f s after the resume", took.Seconds())
	if took > time.Second+onItsWay {
		r.problem("sends went on %s after the resume", took)
	}
	return nil
}

// quietly lets time go by.
func quietly(d time.Duration) func(context.Context) error {
	return func(ctx context.Context) error {
		harness.Pause(ctx, d)
		return nil
	}
}

// pausing pauses the fleet in mid-run, twice: for some seconds, and for less than the instances need to notice all of it.
func pausing(ctx context.Context, r *run) error {
	r.part(ctx, 0.2)
	if err := r.paused(ctx, quietly(6*time.Second)); err != nil {
		return err
	}
	r.part(ctx, 0.1)
	return r.paused(ctx, quietly(2*time.Second))
}

// pausingAsleep pauses the fleet while an instance sleeps. It wakes up with calls in hand, and knows nothing of the pause.
func pausingAsleep(ctx context.Context, r *run) error {
	for range 3 {
		r.part(ctx, 0.1)
		asleep := r.victim()
		r.stop(asleep)
		err := r.paused(ctx, func(ctx context.Context) error {
			harness.Pause(ctx, staleness+onItsWay)
			r.note("SIGCONT", "%s", asleep.instance.Name)
			asleep.instance.Signal(contSignal)
			harness.Pause(ctx, 4*time.Second)
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// pausingWiped has Redis forget everything while the fleet is paused, and replaces every instance.
func pausingWiped(ctx context.Context, r *run) error {
	r.part(ctx, 0.2)
	return r.paused(ctx, func(ctx context.Context) error {
		harness.Pause(ctx, staleness+onItsWay)
		r.note("FLUSHALL", "Redis has forgotten everything while the fleet is paused")
		if err := r.redis.Client.FlushAll(ctx).Err(); err != nil {
			return err
		}
		harness.Pause(ctx, 3*time.Second)
		for _, s := range r.working() {
			if err := r.remove(s); err != nil {
				return err
			}
			if err := r.add(ctx, s); err != nil {
				return err
			}
		}
		harness.Pause(ctx, 3*time.Second)
		return nil
	})
}

// pausingSplit pauses the fleet while Redis is split: the stale half obeys too.
func pausingSplit(ctx context.Context, r *run) error {
	r.part(ctx, 0.15)
	split, err := r.split(ctx)
	defer split.close()
	if err != nil {
		return err
	}
	return r.paused(ctx, func(ctx context.Context) error {
		harness.Pause(ctx, 4*time.Second)
		r.join(split, true)
		harness.Pause(ctx, 4*time.Second)
		return nil
	})
}

// pausingLeader takes the leader of the actions' partition away around a pause, in three ways.
func pausingLeader(ctx context.Context, r *run) error {
	for _, round := range []func(context.Context, int) error{r.killedAfterPause, r.killedBeforePause, r.leaderAsleep} {
		r.part(ctx, 0.1)
		if err := r.cluster.whole(ctx, r.topics.Actions); err != nil {
			return err
		}
		leader, _ := r.cluster.leader(ctx, r.topics.Actions)
		if r.cluster.all[leader] == nil {
			return fmt.Errorf("broker %d leads the actions, and can't be taken away", leader)
		}
		if err := round(ctx, leader); err != nil {
			return err
		}
	}
	return nil
}

// killedAfterPause kills the leader as soon as it has acknowledged the pause. Another one leads, and it comes back.
func (r *run) killedAfterPause(ctx context.Context, leader int) error {
	return r.paused(ctx, func(ctx context.Context) error {
		r.killBroker(leader)
		return r.successor(ctx, leader)
	})
}

// killedBeforePause kills the leader right before the pause, which the next leader acknowledges.
func (r *run) killedBeforePause(ctx context.Context, leader int) error {
	r.killBroker(leader)
	return r.paused(ctx, func(ctx context.Context) error { return r.successor(ctx, leader) })
}

// leaderAsleep stops the leader until another one leads and has acknowledged the pause. Then it wakes up, and
// takes itself for the leader until it hears otherwise.
func (r *run) leaderAsleep(ctx context.Context, leader int) error {
	old := r.cluster.all[leader]
	r.note("leader stopped", "%s", old.name)
	old.process.Signal(syscall.SIGSTOP)
	return r.paused(ctx, func(ctx context.Context) error {
		next, err := r.cluster.led(ctx, r.topics.Actions, leader)
		if err != nil {
			return err
		}
		r.note("leader continued", "%s, while broker %d leads", old.name, next)
		old.process.Signal(contSignal)
		harness.Pause(ctx, 4*time.Second)
		return r.cluster.whole(ctx, r.topics.Actions)
	})
}

func (r *run) killBroker(id int) {
	j := r.cluster.all[id]
	r.note("leader killed", "%s", j.name)
	j.process.Kill()
}

// successor waits for the next leader, starts the dead one again, and waits until all have all records.
func (r *run) successor(ctx context.Context, dead int) error {
	next, err := r.cluster.led(ctx, r.topics.Actions, dead)
	if err != nil {
		return err
	}
	r.say("   broker %d leads the actions", next)
	harness.Pause(ctx, 3*time.Second)
	if err := r.cluster.all[dead].start(ctx); err != nil {
		return err
	}
	return r.cluster.whole(ctx, r.topics.Actions)
}
