package decisions

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"

	"disburser/internal/partition"
	"disburser/message"
	"disburser/payout/epochs"
)

// begin takes the steps of protocol E4: building record, a fence in every partition,
// the check that these stand last, replay, open. Each attempt has an id of its own.
func (k *Keeper) begin(ctx context.Context, s epochs.Standing) (e epochs.Epoch, looked, results map[int]int64, err error) {
	e = epochs.Epoch{Number: s.Epoch.Number + 1, ID: newID()}
	if err := k.Journal.Build(ctx, e.ID, s.Epoch.ID, claim); err != nil {
		return e, nil, nil, err
	}
	// Only now: before, the server may have restarted once more and have lost more, its
	// watermarks with it. From here on whatever it loses ends the building too.
	if s, err = k.Journal.Standing(ctx); err != nil {
		return e, nil, nil, err
	}
	if s.Building != e.ID || s.BuildingOn != s.RunID {
		return e, nil, nil, errors.New("the journal was lost while its rebuilding began")
	}
	defer func() {
		k.barred = k.barred || errors.Is(err, epochs.ErrNewerLayout)
		if err != nil { // so that the next attempt, anybody's, needn't wait for it
			free, cancel := context.WithTimeout(context.WithoutCancel(ctx), again)
			defer cancel()
			_ = k.Journal.Build(free, e.ID, e.ID, 0) // else it runs out by itself
		}
	}()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	building := e // e gets its number while the claim is renewed
	go func() {   // ended by a panic, it lets the claim run out
		_ = k.survive("renewing the claim", func() error { k.renew(ctx, building); return nil })
	}()
	if err := k.knowsLatest(ctx); err != nil {
		return e, nil, nil, err
	}
	if err := k.upgrade(ctx, e, s.Layout); err != nil {
		return e, nil, nil, err
	}
	fences, err := k.fence(ctx, e)
	if err != nil {
		return e, nil, nil, err
	}
	ends, resultEnds, err := k.ends(ctx, fences)
	if err != nil {
		return e, nil, nil, err
	}
	if err := k.standLast(ctx, e, fences, ends); err != nil {
		return e, nil, nil, err
	}
	s.Whole = s.Whole && !forgets(s)
	gap, err := k.gap(ctx, s, e, fences)
	if err != nil {
		return e, nil, nil, err
	}
	if forgets(s) { // then all that Kafka has is read, as if the journal were wiped
		s.Decisions, s.Results, s.Was, s.Epoch.ID = nil, nil, "", ""
	}
	portions, reach, err := k.plan(ctx, s, gap, ends, resultEnds)
	if err != nil {
		return e, nil, nil, err
	}
	replayed, err := k.newRebuild(e.ID).replay(ctx, portions)
	if err != nil {
		return e, nil, nil, err
	}
	whole := s.Whole && replayed.worked <= s.Epoch.Number // nobody has worked since, on another server
	if gap.unsent || !whole && s.Whole && gap.decisions != "" {
		if err := k.doubt(ctx, e.ID); err != nil {
			return e, nil, nil, err
		}
	}
	e.Number = max(e.Number, replayed.highest+1) // a wiped Redis doesn't know how many there were
	if k.known.witnesses, _, err = k.observe(ctx, gap.trusted(s.Witnesses), ends, resultEnds); err != nil {
		return e, nil, nil, err
	}
	if err := k.Journal.OpenEpoch(ctx, epochs.Opening{
		Epoch: e, Shards: k.Shards, Fences: fences, Decisions: ends, Results: resultEnds, Portions: len(portions),
		Reach: gap.reaches(whole, reach, replayed.lost), Witnesses: k.known.witnesses, Anew: gap.any(),
	}); err != nil {
		return e, nil, nil, err
	}
	k.tellOpen(ctx, e, fences)
	if err := k.vouch(ctx, e.ID); err != nil {
		return e, nil, nil, err
	}
	k.enter(e, ends)
	return e, ends, resultEnds, nil
}

// ends notes where the decisions, in the partitions that have a fence, and the results end now.
func (k *Keeper) ends(ctx context.Context, fences map[int]int64) (decisions, results map[int]int64, err error) {
	decisions = map[int]int64{}
	for p := range fences {
		if _, decisions[p], err = k.Log.source(p).Bounds(ctx); err != nil {
			return nil, nil, err
		}
	}
	results, err = k.resultEnds(ctx)
	return decisions, results, err
}

// tellOpen writes the opening into every partition. It only tells stale halves that they are
// stale: without it they wait their silence out.
func (k *Keeper) tellOpen(ctx context.Context, e epochs.Epoch, fences map[int]int64) {
	for p := range fences {
		if _, err := k.Log.append(ctx, p, []message.Decision{{Kind: message.KindOpen, Epoch: e}}); err != nil {
			k.Logger.Warn().Err(err).Msg("the opening of the epoch is not in the log")
		}
	}
}

// renew keeps the claim while the building goes on. If it is taken over, or the server
// has lost it, it is not claimed again: Restore and OpenEpoch refuse.
func (k *Keeper) renew(ctx context.Context, e epochs.Epoch) {
	for {
		sleep(ctx, claim/3)
		if ctx.Err() != nil {
			return
		}
		if err := k.Journal.Build(ctx, e.ID, e.ID, claim); errors.Is(err, epochs.ErrOver) {
			return
		}
	}
}

// fence writes the epoch's fence into every partition, those added meanwhile too.
func (k *Keeper) fence(ctx context.Context, e epochs.Epoch) (map[int]int64, error) {
	fences := map[int]int64{}
	for {
		n, err := partition.Count(ctx, k.Log.client, k.Log.topic)
		if err != nil {
			return nil, err
		}
		if n == 0 {
			return nil, fmt.Errorf("%s has no partitions", k.Log.topic)
		}
		if len(fences) >= n {
			return fences, nil
		}
		for p := len(fences); p < n; p++ {
			if fences[p], err = k.Log.append(ctx, p, []message.Decision{{Kind: message.KindFence, Epoch: e}}); err != nil {
				return nil, err
			}
		}
	}
}

// errRival says that two begin epochs at once; the pause doubles until one has the time.
var errRival = errors.New("another instance has begun an epoch after this one")

// standLast checks that nobody fenced after this epoch: of two that begin at once, the
// one that sees the other's fence starts over.
func (k *Keeper) standLast(ctx context.Context, e epochs.Epoch, fences, ends map[int]int64) error {
	for p, offset := range fences {
		seen, err := survey(ctx, k.Log.source(p), k.Log.shard, e.ID, offset+1, ends[p])
		if err != nil {
			return err
		}
		if seen.newer {
			return fmt.Errorf("decisions: %w: it has begun an epoch", epochs.ErrNewerLayout)
		}
		if seen.fenced {
			return errRival
		}
	}
	return nil
}

// newID makes an epoch's id: 96 random bits, new for each attempt.
func newID() string {
	var raw [12]byte
	_, _ = rand.Read(raw[:]) // never fails since Go 1.24
	return base64.RawURLEncoding.EncodeToString(raw[:])
}
