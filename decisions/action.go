package decisions

import (
	"context"
	"fmt"
	"slices"
	"time"

	"disburser/message"
	"disburser/payout/acts"
	"disburser/payout/epochs"
)

// The latest action of payout.actions stands on record here, so that a topic made anew is noticed (protocol A1). It
// stands in the journal's epoch, in the openings and in the signs of life. Who finds it there tells the
// follower of the actions, and that one looks whether the topic holds it.

// Record puts the latest action of a view on record, in the journal and in the decisions. known is what stands in the
// journal then. It is safe for concurrent use.
func (k *Keeper) Record(ctx context.Context, view *acts.View) (known acts.Place, err error) {
	ctx, cancel := context.WithTimeout(ctx, appendTimeout)
	defer cancel()
	e, why := k.Epoch()
	if e.ID == "" {
		return known, fmt.Errorf("no epoch in shard %d: %s", k.Log.shard, why)
	}
	latest := view.Latest()
	known, told, err := k.Journal.NoteAction(ctx, latest, false)
	if err != nil || known != latest || told == latest {
		return known, err
	}
	// Redis first: what stands before a watermark, this Redis has known.
	record := message.Decision{Kind: message.KindAlive, Epoch: e}
	keepIn(&record, view)
	if _, err := k.Log.append(ctx, k.Log.partition(), []message.Decision{record}); err != nil {
		return known, err
	}
	known, _, err = k.Journal.NoteAction(ctx, latest, true)
	return known, err
}

// keepIn puts what is in force into a record. Should the topic be lost, it is written again from there.
func keepIn(d *message.Decision, view *acts.View) {
	latest := view.Latest()
	d.Latest, d.Kept = &latest, true
	d.InForce, d.Left = view.Keep()
}

// known is the follower's view where it may be put on record: it is known to its end, and agrees with what stands
// there. A topic that was made anew must not become the record.
func (k *Keeper) knownActions() (*acts.View, bool) {
	if k.Actions == nil {
		return nil, false
	}
	view, fresh := k.Actions.View()
	return view, fresh && view.Latest().Any()
}

// expect tells the follower of actions that stand on record.
func (k *Keeper) expect(places ...acts.Place) {
	for _, p := range places {
		if k.Actions != nil {
			k.Actions.Expect(p)
		}
	}
}

// latestAction is the latest of some actions.
func latestAction(places ...acts.Place) (latest acts.Place) {
	for _, p := range places {
		if p.After(latest) {
			latest = p
		}
	}
	return latest
}

// sawAction notes what a record says of the latest action.
func (s *surveyed) sawAction(d message.Decision) {
	if d.Latest == nil {
		return
	}
	if !slices.Contains(s.actions, *d.Latest) {
		s.actions = append(s.actions, *d.Latest)
	}
	if d.Kept {
		s.kept = latestAction(s.kept, *d.Latest)
	}
}

// keeps notes when what is in force was last kept in the decisions, by whomever. It is kept again in time: the
// decisions have an end, and a pause may stand for longer.
type keeps struct {
	latest acts.Place
	at     time.Time
}

func (k *keeps) saw(p acts.Place, now time.Time) {
	if p.Any() && (p == k.latest || p.After(k.latest)) {
		k.latest, k.at = p, now
	}
}

func (k *keeps) due(p acts.Place, now time.Time, slack time.Duration) bool {
	return p.Any() && (p != k.latest || now.Sub(k.at) >= keepEvery+slack)
}

// alive writes signs of life. A stale half of Redis that hears nothing for a minute takes the
// epoch for dead and begins another one. Two idle halves would do so by turns (protocol E7).
func (k *Keeper) alive(ctx context.Context, e epochs.Epoch, partitions []int, slack time.Duration) {
	view, known := k.knownActions()
	keep := known && k.kept.due(view.Latest(), time.Now(), slack)
	if keep && len(partitions) == 0 {
		partitions = []int{k.Log.partition()}
	}
	for _, number := range partitions {
		ctx, cancel := context.WithTimeout(ctx, appendTimeout)
		record := message.Decision{Kind: message.KindAlive, Epoch: e}
		if known {
			latest := view.Latest()
			record.Latest = &latest
		}
		if keep {
			keepIn(&record, view)
		}
		if _, err := k.Log.append(ctx, number, []message.Decision{record}); err == nil && keep {
			k.kept.saw(view.Latest(), time.Now())
			keep = false
		} else if err != nil && ctx.Err() == nil {
			k.Logger.Debug().Err(err).Msg("no sign of life written, trying again")
		}
		cancel()
	}
}
