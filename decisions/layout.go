package decisions

import (
	"context"
	"fmt"
	"time"

	"disburser/internal/partition"
	"disburser/message"
	"disburser/payout/epochs"
)

// knowsLatest looks at the last record of each partition before anything is written. What a
// newer version has begun isn't fenced, in whichever shard: a fleet is of one version.
func (k *Keeper) knowsLatest(ctx context.Context) error {
	n, err := partition.Count(ctx, k.Log.client, k.Log.topic)
	for p := 0; p < n && err == nil && k.barred; p++ {
		err = k.readBack(ctx, p)
	}
	k.barred = k.barred && err != nil
	for p := 0; p < n && err == nil; p++ {
		var end int64
		if _, end, err = k.Log.source(p).Bounds(ctx); err != nil || end == 0 {
			continue
		}
		record, found, e := k.Log.source(p).At(ctx, end-1)
		if err = e; err != nil || !found {
			continue
		}
		if r, unreadable := message.DecodeDecision(record.Value); unreadable == nil && r.Newer() {
			err = fmt.Errorf("decisions: the last record of partition %d is of layout %d, this version knows %d: %w", p, r.Layout, epochs.Layout, epochs.ErrNewerLayout)
		}
	}
	return err
}

// readBack looks for records of a newer version in a whole partition. It is called after an
// attempt met one behind its fence, or while it replayed. Another attempt would fence the
// newer version again and again, so there is none until nothing newer is left to read. What
// was found is found again quickly.
func (k *Keeper) readBack(ctx context.Context, p int) error {
	start, end, err := k.Log.source(p).Bounds(ctx)
	if err != nil {
		return err
	}
	if k.newest == nil {
		k.newest = map[int]int64{}
	}
	if at, known := k.newest[p]; !known || at < start {
		delete(k.newest, p)
		err = walk(ctx, k.Log.source(p), start, end, func(offset int64, r message.Decision) {
			if r.Newer() {
				k.newest[p] = offset
			}
		})
	}
	if at, found := k.newest[p]; err == nil && found {
		err = fmt.Errorf("decisions: the record at offset %d of partition %d is of a newer layout than %d: %w", at, p, epochs.Layout, epochs.ErrNewerLayout)
	}
	return err
}

// upgradeSays is the pause between two lines of the log about how far a conversion is.
const upgradeSays = 10 * time.Second

// upgrade converts a journal of an older layout. Its old versions are refused since the
// building began, and nothing has been restored yet.
func (k *Keeper) upgrade(ctx context.Context, e epochs.Epoch, layout int) error {
	if layout == epochs.Layout {
		return nil
	}
	said := time.Now()
	n, unread, err := k.Journal.Upgrade(ctx, e.ID, func(converted int) {
		k.set(epochs.Epoch{}, fmt.Sprintf("the journal is being converted from layout %d to %d: %d payouts done", layout, epochs.Layout, converted))
		if time.Since(said) > upgradeSays {
			said = time.Now()
			k.Logger.Info().Int("payouts", converted).Int("shard", k.Log.shard).Msg("the journal is being converted")
		}
	})
	for _, err := range unread {
		k.Logger.Error().Err(err).Int("shard", k.Log.shard).Msg("a payout of the older layout can't be read")
	}
	if err == nil {
		k.Logger.Warn().Int("from", layout).Int("to", epochs.Layout).Int("payouts", n).Int("shard", k.Log.shard).
			Msg("the journal was converted: older versions of the disburser can't use it any more")
	}
	return err
}
