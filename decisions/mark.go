package decisions

import (
	"context"
	"errors"
	"fmt"

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
	decisionEnds := map[int]int64{}
	for p := range looked {
		if _, decisionEnds[p], err = k.Log.source(p).Bounds(ctx); err != nil {
			decisionEnds[p] = 0 // the partition may be gone: checkHistory finds out
			break
		}
	}
	if e := k.checkHistory(ctx, looked, results, decisionEnds, ends); e != nil || err != nil {
		return errors.Join(e, err)
	}
	for p, end := range decisionEnds {
		seen, err := survey(ctx, k.Log.source(p), k.Log.shard, e.ID, looked[p], end)
		if err != nil {
			return err
		}
		if seen.fenced {
			return fmt.Errorf("decisions: %w: a later epoch has fenced partition %d", epochs.ErrOver, p)
		}
	}
	if err := k.Journal.Watermark(ctx, decisionEnds, ends); err != nil {
		return err
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
	ends := make(map[int]int64, n)
	for p := range n {
		if _, ends[p], err = k.results(p).Bounds(ctx); err != nil {
			return nil, err
		}
	}
	return ends, nil
}
