package chaos

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"disburser/internal/harness"
	"disburser/internal/trial"
	"disburser/payout/acts"
)

// word is what a person says of a held payout.
type word struct {
	tradeNo   string
	as        acts.As
	force     bool
	confirmed bool // by a second person
	lasts     time.Duration
}

// resolve has a person say how a payout ended. Each action is said by somebody else: a result's by names the action.
func (r *run) resolve(ctx context.Context, w word) error {
	r.persons++
	a := acts.Action{
		Kind: acts.Resolve, Scope: acts.Scope{Kind: acts.Payout, Name: w.tradeNo}, As: w.as, Force: w.force, Lasts: w.lasts, Needs: 1,
		By: fmt.Sprintf("person-%d", r.persons), Reason: "on the statement",
	}
	if w.force {
		a.Needs = 2
	}
	if err := r.speak(ctx, &a); err != nil {
		return err
	}
	r.said = append(r.said, a.ID)
	if !w.confirmed {
		return nil
	}
	return r.speak(ctx, &acts.Action{Kind: acts.Confirm, Of: a.ID, By: fmt.Sprintf("second-%d", r.persons), Reason: "seen it"})
}

// resolves are how many words people say in the scenario, and how many of them a second.
const (
	resolves  = 1000
	perSecond = 15
	wordLasts = 40 * time.Second
)

// resolving has people say of held payouts how they ended, at random, while Redis loses things.
func resolving(ctx context.Context, r *run) error {
	return r.speakOn(ctx, resolves, []func() error{
		func() error { return r.flush(ctx) },
		func() error {
			return r.crash(ctx, "Redis restarted without its AOF's end", func() error { return r.redis.loseTail(300_000) })
		},
		func() error { return r.failOver(ctx, time.Second) },
		func() error { s := r.victim(); r.kill(s); return r.start(s) },
		func() error { return r.crash(ctx, "Redis restarted with its AOF", nil) },
		func() error { return r.flush(ctx) },
	})
}

// resolvingSplit does it while Redis is split, and healed onto the stale half, twice.
func resolvingSplit(ctx context.Context, r *run) error {
	var p parted
	defer func() { p.close() }()
	split := func() (err error) {
		p.close()
		p, err = r.split(ctx)
		return err
	}
	join := func(forward bool) func() error {
		return func() error { r.join(p, forward); return nil }
	}
	return r.speakOn(ctx, resolves/2, []func() error{split, join(true), split, join(false)})
}

// speakOn has people say n words. Between them come the faults, in turn.
func (r *run) speakOn(ctx context.Context, n int, faults []func() error) error {
	r.part(ctx, 0.5)
	next := n / (len(faults) + 1)
	for spoken, done := 0, 0; spoken < n && ctx.Err() == nil; {
		if done < len(faults) && spoken >= next*(done+1) {
			if err := faults[done](); err != nil {
				return err
			}
			done++
		}
		held := r.held()
		if len(held) == 0 {
			harness.Pause(ctx, 200*time.Millisecond)
			continue
		}
		if err := r.resolve(ctx, r.anyWord(held)); err != nil {
			return err
		}
		spoken++
		harness.Pause(ctx, time.Second/perSecond)
	}
	r.say("   %d words were said", len(r.said))
	return r.outcomesOf(ctx, wordLasts+90*time.Second, r.said...)
}

// anyWord is about one of the older payouts: of the others a send may still be on its way.
func (r *run) anyWord(held []string) word {
	w := word{tradeNo: held[r.random.IntN((len(held)+1)/2)], as: acts.Paid, lasts: wordLasts}
	if r.random.IntN(2) == 0 {
		w.as = acts.Failed
	}
	w.force = r.random.IntN(3) > 0
	w.confirmed = w.force && r.random.IntN(5) > 0
	return w
}

// held are the payouts that are held as far as anybody was told.
func (r *run) held() (held []string) {
	standings := r.watcher.Standings()
	for _, tradeNo := range slices.Sorted(maps.Keys(standings)) {
		if standings[tradeNo] == trial.Held {
			held = append(held, tradeNo)
		}
	}
	return held
}
