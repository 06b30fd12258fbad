package chaos

import (
	"context"
	"time"

	"disburser/internal/harness"
)

// within is how soon sending goes on after Redis is back.
const within = 5 * time.Second

// sendsAgain notes that sending must go on, counted from now. Where most payouts are doubtful it is only told: the
// instances have thousands of asks to make.
func (r *run) sendsAgain(broken time.Time, limit time.Duration) {
	if r.scenario.doubtful() {
		limit = 0
	}
	r.expect(wait{kind: sendsAgain, broken: broken, since: time.Now(), limit: limit})
}

// part waits for that part of the scenario's time.
func (r *run) part(ctx context.Context, share float64) bool {
	return harness.Pause(ctx, time.Duration(share*float64(r.Duration)))
}

func (r *run) flush(ctx context.Context) error {
	broken := time.Now()
	r.note("FLUSHALL", "Redis has forgotten everything")
	if err := r.redis.Client.FlushAll(ctx).Err(); err != nil {
		return err
	}
	r.sendsAgain(broken, within)
	return nil
}

// crash kills Redis and brings it back on what its disk has.
func (r *run) crash(ctx context.Context, kind string, meanwhile func() error) error {
	broken := time.Now()
	r.note(kind, "redis-server killed")
	// Whatever becomes of the time: Redis must be there in the end.
	if err := r.redis.restart(context.WithoutCancel(ctx), time.Second, meanwhile); err != nil {
		return err
	}
	r.sendsAgain(broken, within)
	return nil
}

// flushing wipes Redis in mid-run.
func flushing(ctx context.Context, r *run) error {
	r.part(ctx, 0.4)
	return r.flush(ctx)
}

func wiping(ctx context.Context, r *run) error {
	r.part(ctx, 0.25)
	if err := r.flush(ctx); err != nil {
		return err
	}
	r.part(ctx, 0.35)
	return r.crash(ctx, "Redis restarted empty", nil)
}

func aof(ctx context.Context, r *run) error {
	r.part(ctx, 0.25)
	if err := r.crash(ctx, "Redis restarted with its AOF", nil); err != nil {
		return err
	}
	r.part(ctx, 0.35)
	return r.crash(ctx, "Redis restarted without its AOF's end", func() error { return r.redis.loseTail(300_000) })
}

// snapshot brings Redis back as it was some seconds before.
func snapshot(ctx context.Context, r *run) error {
	r.part(ctx, 0.25)
	if err := r.redis.Client.Save(ctx).Err(); err != nil {
		return err
	}
	harness.Pause(ctx, 4*time.Second)
	return r.crash(ctx, "Redis restarted from a snapshot", nil)
}

// replica starts one that follows Redis through a link of its own.
func (r *run) replica(ctx context.Context) (*redisServer, *link, error) {
	l, err := newLink("replication")
	if err != nil {
		return nil, nil, err
	}
	l.point(r.redis.Address())
	s, err := r.addRedis(ctx, r.scenario.appendOnly, l.address())
	if err == nil {
		err = harness.Until(ctx, 20*time.Second, "the replica follows", func() bool { return s.inSync(ctx) })
	}
	return s, l, err
}

// failover fails over twice.
func failover(ctx context.Context, r *run) error {
	for range 2 {
		r.part(ctx, 0.15)
		if err := r.failOver(ctx, time.Duration(0.1*float64(r.Duration))); err != nil {
			return err
		}
	}
	return nil
}

// failOver kills the primary two seconds after its replica heard from it last.
func (r *run) failOver(ctx context.Context, after time.Duration) error {
	next, l, err := r.replica(ctx)
	if l != nil {
		defer l.close()
	}
	if err != nil {
		return err
	}
	harness.Pause(ctx, after)
	l.refuse(true)
	harness.Pause(ctx, 2*time.Second)
	broken := time.Now()
	r.note("failover", "the primary is dead, its replica misses two seconds")
	r.redis.Kill()
	if err := r.lead(ctx, next, r.slots); err != nil {
		return err
	}
	r.redis = next
	r.sendsAgain(broken, within)
	return nil
}

// lead promotes a server and leads slots to it.
func (r *run) lead(ctx context.Context, to *redisServer, slots []*slot) error {
	if err := to.promote(ctx); err != nil {
		return err
	}
	for _, s := range slots {
		s.redis.point(to.Address())
	}
	return nil
}

func splitForward(ctx context.Context, r *run) error { return splitting(ctx, r, true) }

// splitBack lasts longer than a minute of silence. For so long the stale half waits for a word
// of the later epoch. No fault is needed for that, only the quiet after the faults.
func splitBack(ctx context.Context, r *run) error { return splitting(ctx, r, false) }

// parted is a split Redis: every other instance sees a promoted replica, the rest the primary.
type parted struct {
	promoted    *redisServer
	replication *link // nil where not even that was made
	half, rest  []*slot
}

func (p parted) close() {
	if p.replication != nil {
		p.replication.close()
	}
}

// split leads half of the instances to a promoted replica, while the primary still works for the others.
func (r *run) split(ctx context.Context) (p parted, err error) {
	if p.promoted, p.replication, err = r.replica(ctx); err != nil {
		return p, err
	}
	r.part(ctx, 0.1)
	p.replication.refuse(true)
	broken := time.Now()
	r.note("Redis split", "every other instance sees a promoted replica")
	for i, s := range r.slots {
		if i%2 == 0 {
			p.half = append(p.half, s)
		} else {
			p.rest = append(p.rest, s)
		}
	}
	if err := r.lead(ctx, p.promoted, p.half); err != nil {
		return p, err
	}
	r.expect(wait{kind: sendsAgain + " in one half", broken: broken, since: time.Now()})
	return p, nil
}

// join leads all instances to one Redis again: forward to the promoted one, or back to the old one, which is stale.
func (r *run) join(p parted, forward bool) {
	healed, moved := r.redis, p.half
	if forward {
		healed, moved = p.promoted, p.rest
	}
	r.note("split healed", "all instances see one Redis")
	for _, s := range moved {
		s.redis.point(healed.Address())
	}
	if !forward {
		r.expect(wait{kind: sendsAgain + " on the stale half", broken: time.Now(), since: time.Now()})
	}
	r.redis = healed
}

// splitting splits Redis for 8 s.
func splitting(ctx context.Context, r *run, forward bool) error {
	r.part(ctx, 0.15)
	p, err := r.split(ctx)
	defer p.close()
	if err != nil {
		return err
	}
	harness.Pause(ctx, 8*time.Second)
	r.join(p, forward)
	return nil
}
