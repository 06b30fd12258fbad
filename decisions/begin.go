package decisions

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"disburser/internal/partition"
	"disburser/message"
	"disburser/payout/acts"
	"disburser/payout/epochs"
)

// begin begins an epoch (protocol E4): claim, convert, fence, find what is lost, replay, open.
// Each attempt has an id of its own. Where one fails the next one starts over.
func (k *Keeper) begin(ctx context.Context, s epochs.Standing) (e epochs.Epoch, looked, results map[int]int64, err error) {
	b, err := k.claim(ctx, s)
	if err != nil {
		return e, nil, nil, err
	}
	defer func() { b.release(ctx, err) }()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	go k.renew(ctx, b.epoch.ID)
	for _, step := range []func(context.Context) error{b.convert, b.fence, b.findLosses, b.replay, b.open} {
		if err := step(ctx); err != nil {
			return e, nil, nil, err
		}
	}
	return b.epoch, b.ends, b.resultEnds, nil
}

// beginning is one attempt to begin an epoch, and what its steps have found out.
type beginning struct {
	keeper   *Keeper
	epoch    epochs.Epoch    // its number is final after the replay
	standing epochs.Standing // what Redis holds of the epoch before

	fences           map[int]int64 // where the epoch's fence stands, by partition of the decisions
	ends, resultEnds map[int]int64 // where decisions and results end behind the fences, by partition
	actions          int64         // the order of the end of people's actions, by then or later

	gap      *gap       // what the topics have lost
	portions int        // of the replay
	action   acts.Place // the latest that is on record anywhere
	reach    time.Time  // unknown commands older than this are held; zero: as before
}

// claim writes the building record. From here on every script of the old epoch is refused,
// and nobody else builds as long as the claim lasts.
func (k *Keeper) claim(ctx context.Context, s epochs.Standing) (*beginning, error) {
	e := epochs.Epoch{Number: s.Epoch.Number + 1, ID: newID()}
	if err := k.Journal.Build(ctx, e.ID, s.Epoch.ID, claimFor); err != nil {
		return nil, err
	}
	// Read again: before the record stood, the server may have restarted and lost more, its
	// watermarks too. What it loses from here on ends the building.
	s, err := k.Journal.Standing(ctx)
	if err != nil {
		return nil, err
	}
	if s.Building != e.ID || s.BuildingOn != s.RunID {
		return nil, errors.New("the journal was lost while its rebuilding began")
	}
	return &beginning{keeper: k, epoch: e, standing: s}, nil
}

// release ends the claim of an attempt that failed, so that the next one, anybody's, needn't
// wait for it. Where that fails the claim runs out by itself.
func (b *beginning) release(ctx context.Context, err error) {
	if err == nil {
		return
	}
	k := b.keeper
	k.barred = k.barred || errors.Is(err, epochs.ErrNewerLayout)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), retryPause)
	defer cancel()
	_ = k.Journal.Build(ctx, b.epoch.ID, b.epoch.ID, 0)
}

// convert converts a journal of an older layout. A topic in which a newer version has written
// ends the attempt before anything is written.
func (b *beginning) convert(ctx context.Context) error {
	if err := b.keeper.knowsLatest(ctx); err != nil {
		return err
	}
	return b.keeper.upgrade(ctx, b.epoch, b.standing.Layout)
}

// fence voids, in every partition, what an older epoch decides from here on. It ends the
// attempt where somebody else has fenced after it.
func (b *beginning) fence(ctx context.Context) (err error) {
	k := b.keeper
	if b.fences, err = k.fence(ctx, b.epoch); err != nil {
		return err
	}
	if b.ends, b.resultEnds, err = k.ends(ctx, b.fences); err != nil {
		return err
	}
	if k.ActionsEnd != nil {
		if b.actions, err = k.ActionsEnd(ctx); err != nil {
			return fmt.Errorf("find where people's actions end: %w", err)
		}
	}
	return k.standLast(ctx, b.epoch, b.fences, b.ends)
}

// findLosses finds out what the replay can't read, because the topics have lost it.
func (b *beginning) findLosses(ctx context.Context) (err error) {
	s := &b.standing
	s.Whole = s.Whole && !forgets(*s)
	b.gap, err = b.keeper.gap(ctx, *s, b.epoch, b.fences)
	return err
}

// replay restores what Kafka knows and Redis may have lost.
func (b *beginning) replay(ctx context.Context) error {
	k, s, gap := b.keeper, &b.standing, b.gap
	if forgets(*s) { // then all that Kafka has is read, as if the journal were wiped
		s.Decisions, s.Results, s.Was, s.Epoch.ID = nil, nil, "", ""
	}
	portions, reach, err := k.plan(ctx, *s, gap, b.ends, b.resultEnds)
	if err != nil {
		return err
	}
	replayed, err := k.newRebuild(b.epoch.ID).replay(ctx, portions)
	if err != nil {
		return err
	}
	whole := s.Whole && replayed.worked <= s.Epoch.Number // nobody has worked since, on another server
	if gap.unsent || !whole && s.Whole && gap.decisions != "" {
		if err := k.presumeSent(ctx, b.epoch.ID); err != nil {
			return err
		}
	}
	k.expect(s.Action, replayed.action)
	b.action = latestAction(s.Action, replayed.action)
	b.portions, b.reach = len(portions), gap.reaches(whole, reach, replayed.lost)
	b.epoch.Number = max(b.epoch.Number, replayed.highest+1) // a wiped Redis doesn't know how many there were
	return nil
}

// open ends the building: from here on the epoch works.
func (b *beginning) open(ctx context.Context) (err error) {
	k := b.keeper
	if k.known.witnesses, _, err = k.observe(ctx, b.gap.trusted(b.standing.Witnesses), b.ends, b.resultEnds); err != nil {
		return err
	}
	view, known := k.knownActions()
	if known {
		b.action = latestAction(b.action, view.Latest())
	}
	if err := k.Journal.OpenEpoch(ctx, epochs.Opening{
		Epoch: b.epoch, Shards: k.Shards, Fences: b.fences, Decisions: b.ends, Results: b.resultEnds, Portions: b.portions,
		Action: b.action, Actions: acts.Place{Generation: b.action.Generation, Offset: b.actions}.Order(), Reach: b.reach, Witnesses: k.known.witnesses, Anew: b.gap.any(),
	}); err != nil {
		return err
	}
	record := message.Decision{Kind: message.KindOpen, Epoch: b.epoch}
	if b.action.Any() {
		record.Latest = &b.action
	}
	if known && view.Latest() == b.action {
		keepIn(&record, view)
	}
	k.tellOpen(ctx, record, b.fences)
	if err := k.vouch(ctx, b.epoch.ID); err != nil {
		return err
	}
	k.enter(b.epoch, b.ends)
	return nil
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
// stale: without it they wait for deadAfter.
func (k *Keeper) tellOpen(ctx context.Context, opening message.Decision, fences map[int]int64) {
	for p := range fences {
		if _, err := k.Log.append(ctx, p, []message.Decision{opening}); err != nil {
			k.Logger.Warn().Err(err).Msg("the opening of the epoch is not in the log")
		}
	}
}

// renew keeps the claim until ctx ends. A claim that was taken over, or that the server has
// lost, is not claimed again: Restore and OpenEpoch refuse. After a panic it runs out.
func (k *Keeper) renew(ctx context.Context, id string) {
	_ = k.survive("renewing the claim", func() error {
		for ctx.Err() == nil {
			sleep(ctx, claimFor/3)
			if ctx.Err() == nil && errors.Is(k.Journal.Build(ctx, id, id, claimFor), epochs.ErrOver) {
				return nil
			}
		}
		return nil
	})
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
