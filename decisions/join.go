package decisions

import (
	"context"
	"errors"
	"fmt"
	"time"

	"disburser/payout/epochs"
)

// establish joins the open epoch or begins the next one. It answers up to where the partitions
// of decisions and results were looked at.
func (k *Keeper) establish(ctx context.Context) (e epochs.Epoch, looked, results map[int]int64, err error) {
	select {
	case <-k.check: // whatever was met until now, this check is about it
	default:
	}
	// During the check the log goes on deciding for the epoch that it knows: its look is the
	// guard. To leave the epoch at every false alarm would refuse good decisions, and each
	// refusal would be the next alarm.
	defer func() {
		if err != nil {
			k.Log.leave()
			// Nor may anything be asked or announced, since this may be a stale half of Redis.
			// It could hold a payout whose end the other half has announced.
			k.Journal.Believe("")
		}
	}()
	s, err := k.Journal.Standing(ctx)
	if err != nil {
		return e, nil, nil, err
	}
	k.expect(s.Action) // before anything is leased
	if s.Shards != 0 && s.Shards != k.Shards {
		return e, nil, nil, fmt.Errorf("the journal was opened with %d shards, the configuration says %d: set redis.shards back, or let every payout end and take another redis.namespace", s.Shards, k.Shards)
	}
	clock := clockOf(s, time.Now())
	if clock != nil && !errors.Is(clock, errDeadEpoch) {
		return e, nil, nil, clock
	}
	if s.Open() {
		looked, err := k.join(ctx, s, clock)
		if err == nil {
			return s.Epoch, looked, s.Results, nil
		}
		if !errors.Is(err, errDeadEpoch) {
			return e, nil, nil, err
		}
		k.Logger.Warn().Err(err).Int("epoch", s.Epoch.Number).Msg("beginning another epoch")
	} else if s.Building != "" && s.BuildingOn == s.RunID && s.ClaimLeft > 0 {
		return e, nil, nil, k.assist(ctx, s.Building)
	}
	k.Log.leave()
	return k.begin(ctx, s)
}

// join enters the open epoch if it can go on. An error that wraps errDeadEpoch lets another one
// begin; clock is what Redis' clock means for that.
func (k *Keeper) join(ctx context.Context, s epochs.Standing, clock error) (looked map[int]int64, err error) {
	looked, err = k.follow(ctx, s)
	switch {
	case err != nil:
		return nil, err
	case clock != nil:
		return nil, clock
	case s.Layout < epochs.Layout:
		return nil, fmt.Errorf("%w: its journal is of layout %d, this version writes %d", errDeadEpoch, s.Layout, epochs.Layout)
	}
	if err := k.vouch(ctx, s.Epoch.ID); err != nil {
		return nil, err
	}
	k.enter(s.Epoch, looked)
	return looked, nil
}

func (k *Keeper) enter(e epochs.Epoch, looked map[int]int64) {
	k.Log.enter(e, looked)
	k.Journal.Believe(e.ID)
}

// errDeadEpoch says that the open epoch can't go on and another one may begin.
var errDeadEpoch = errors.New("the open epoch is dead")

// follow reads the decisions from where the open epoch has looked to their end. If no foreign
// fence stands there it answers these ends. If one does, the epoch is over in the log though
// Redis still holds it (protocol E7).
func (k *Keeper) follow(ctx context.Context, s epochs.Standing) (map[int]int64, error) {
	looked := map[int]int64{}
	var foreign surveyed
	if gone, err := k.missing(ctx, knowledgeOf(s)); err != nil {
		return nil, err
	} else if gone.any() {
		return nil, fmt.Errorf("%w: history is lost: %s", errDeadEpoch, gone)
	}
	for p, fence := range s.Fences {
		start, end, err := k.Log.source(p).Bounds(ctx)
		if err != nil {
			return nil, err
		}
		from := max(fence+1, s.Decisions[p])
		if start > from || end < from {
			return nil, fmt.Errorf("%w: partition %d of the decisions has the offsets %d to %d, and was looked at up to %d only", errDeadEpoch, p, start, end, from)
		}
		seen, err := survey(ctx, k.Log.source(p), k.Log.shard, s.Epoch.ID, from, end)
		if err != nil {
			return nil, err
		}
		k.expect(seen.actions...)
		foreign = foreign.and(seen)
		looked[p] = end
	}
	switch {
	case foreign.newer:
		return nil, fmt.Errorf("decisions: %w: a later epoch is of a newer layout than %d", epochs.ErrNewerLayout, epochs.Layout)
	case len(looked) == 0:
		return nil, fmt.Errorf("%w: it doesn't say where its fences stand", errDeadEpoch)
	case !foreign.fenced:
		k.known.witnesses = s.Witnesses
		return looked, nil
	case foreign.opened && time.Since(foreign.last) < deadAfter:
		return nil, errors.New("a later epoch works on another Redis: this one is stale, or was split off")
	case !foreign.opened && time.Since(foreign.fencedAt) < claimFor:
		return nil, errors.New("another instance is beginning an epoch")
	}
	return nil, fmt.Errorf("%w: it was fenced, and who did it is silent", errDeadEpoch)
}

// and joins what was seen in two partitions.
func (s surveyed) and(o surveyed) surveyed {
	if o.fencedAt.After(s.fencedAt) {
		s.fencedAt = o.fencedAt
	}
	if o.last.After(s.last) {
		s.last = o.last
	}
	s.fenced, s.opened, s.newer = s.fenced || o.fenced, s.opened || o.opened, s.newer || o.newer
	return s
}
