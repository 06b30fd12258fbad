package decisions

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"disburser/internal/partition"
	"disburser/payout/epochs"
)

// mark moves the watermarks (protocol E5): ends read, then looked for foreign fences up
// to them in every partition of the decisions, then written.
func (k *Keeper) mark(ctx context.Context, e epochs.Epoch, looked, results map[int]int64) error {
	ends, err := k.resultEnds(ctx)
	if err != nil {
		return err
	}
	// Where an end is missing, the partition may be gone: checkHistory finds out.
	decisionEnds, err := partition.Ends(ctx, k.Log.client, k.Log.topic, slices.Collect(maps.Keys(looked)))
	if e := k.checkHistory(ctx, looked, results, decisionEnds, ends); e != nil || err != nil {
		return errors.Join(e, err)
	}
	for p, end := range decisionEnds {
		seen, err := survey(ctx, k.Log.source(p), k.Log.shard, e.ID, looked[p], end)
		if err != nil {
			return err
		}
		k.expect(seen.actions...)
		k.kept.saw(seen.kept, time.Now())
		if seen.fenced {
			return fmt.Errorf("decisions: %w: a later epoch has fenced partition %d", epochs.ErrOver, p)
		}
	}
	if now := (watermarks{e.ID, decisionEnds, ends}); !k.marked.same(now) {
		moved, err := k.Journal.Watermark(ctx, decisionEnds, ends)
		if err != nil {
			return err
		}
		if moved { // else an end by a person stands undecided: at the next time
			k.marked = now
		}
	}
	for p, end := range decisionEnds {
		looked[p] = end
	}
	k.Log.saw(e, looked)
	for p, end := range ends {
		results[p] = end
	}
	return nil
}

// watermarks are what was written last, in an epoch. The same once more would only cost a write.
type watermarks struct {
	epoch              string
	decisions, results map[int]int64
}

func (w watermarks) same(other watermarks) bool {
	return w.epoch == other.epoch && maps.Equal(w.decisions, other.decisions) && maps.Equal(w.results, other.results)
}

func (k *Keeper) results(number int) partition.Source {
	return partition.Source{Client: k.Log.client, Topic: k.Results, Partition: number}
}

// resultEnds answers the end of every partition of the results.
func (k *Keeper) resultEnds(ctx context.Context) (map[int]int64, error) {
	n, err := partition.Count(ctx, k.Log.client, k.Results)
	if err != nil {
		return nil, err
	}
	if n == 0 { // nothing to replay would look like nothing has ever ended
		return nil, fmt.Errorf("%s has no partitions", k.Results)
	}
	all := make([]int, n)
	for p := range all {
		all[p] = p
	}
	ends, err := partition.Ends(ctx, k.Log.client, k.Results, all)
	if err != nil {
		return nil, err
	}
	return ends, nil
}
