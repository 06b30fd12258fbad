package decisions

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"disburser/internal/partition"
	"disburser/payout"
)

// restoreBatch is how many payouts are restored at once.
const restoreBatch = 500

// replay reads what Kafka knows of payouts and puts it into the journal that is being
// built: results first, then decisions to send, then ends by our own word (protocol
// E4 d). A Redis that lost its tail only is read to from its watermarks, which takes
// about a second; a wiped one gets the whole window.
type replay struct {
	keeper                   *Keeper
	epoch                    payout.Epoch
	standing                 payout.Standing
	began                    time.Time
	decisionEnds, resultEnds map[int]int64

	done, all int64 // records read, and to be read
	said      time.Time
	reach     time.Time
	highest   int               // the highest number of an epoch that the log knows
	ends      []payout.Restored // valid ends by our own word, until everything else is restored
}

// run answers how far back the memory reaches now; zero if it reaches as far as before.
func (r *replay) run(ctx context.Context) (time.Time, error) {
	whole := len(r.standing.Decisions) == 0
	results, err := r.from(ctx, r.keeper.results, r.resultEnds, r.standing.Results, whole)
	if err != nil {
		return time.Time{}, err
	}
	decisions, err := r.from(ctx, r.keeper.Log.source, r.decisionEnds, r.standing.Decisions, whole)
	if err != nil {
		return time.Time{}, err
	}
	for p, from := range results {
		if err := r.readResults(ctx, p, from); err != nil {
			return time.Time{}, err
		}
	}
	for p, from := range decisions {
		if err := r.readDecisions(ctx, p, from); err != nil {
			return time.Time{}, err
		}
	}
	if err := r.restore(ctx, r.ends); err != nil {
		return time.Time{}, err
	}
	r.keeper.Logger.Info().Int64("records", r.done).Dur("took", time.Since(r.began)).Bool("whole", whole).Int("shard", r.keeper.Log.shard).Msg("replayed")
	return r.reach, nil
}

// from answers where to begin in each partition, and notes how far back that reaches
// where something is missing: a partition that still begins at offset 0 holds all there
// ever was; a trimmed one reaches back to its earliest record (protocol I4).
func (r *replay) from(ctx context.Context, source func(int) partition.Source, ends, marks map[int]int64, whole bool) (map[int]int64, error) {
	from := map[int]int64{}
	for p, end := range ends {
		start, _, err := source(p).Bounds(ctx)
		if err != nil {
			return nil, err
		}
		mark, known := marks[p]
		if !whole && (!known || mark >= start) {
			from[p] = max(mark, start) // a partition added since has no mark: all of it
			r.all += end - from[p]
			continue
		}
		from[p] = start
		r.all += end - start
		if start > 0 {
			if err := r.trimmed(ctx, source(p), start, end); err != nil {
				return nil, err
			}
		}
	}
	return from, nil
}

func (r *replay) trimmed(ctx context.Context, source partition.Source, start, end int64) error {
	earliest := time.Now() // all of it deleted: nothing is known
	if start < end {
		page, err := source.Fetch(ctx, start, lookWait)
		if err != nil {
			return err
		}
		if len(page.Records) > 0 {
			earliest = page.Records[0].Time
		}
	}
	if earliest.After(r.reach) {
		r.reach = earliest
	}
	return nil
}

// readResults restores the finals that one partition of the results announces.
func (r *replay) readResults(ctx context.Context, number int, from int64) error {
	end := r.resultEnds[number]
	for from < end {
		page, err := r.keeper.results(number).Fetch(ctx, from, lookWait)
		if err != nil {
			return err
		}
		if page.Next == from {
			return fmt.Errorf("%s/%d: the broker didn't return the records at %d", r.keeper.Results, number, from)
		}
		var finals []payout.Restored
		for _, record := range page.Records {
			if f, ok := r.final(record); ok && record.Offset < end {
				finals = append(finals, f)
			}
		}
		if err := r.restore(ctx, finals); err != nil {
			return err
		}
		r.progress(page.Next - from)
		from = page.Next
	}
	return nil
}

// final reads a result event; false if it isn't a final one of this shard.
func (r *replay) final(record partition.Record) (payout.Restored, bool) {
	var e payout.Event
	if json.Unmarshal(record.Value, &e) != nil || !r.keeper.Owns(e.TradeNo) {
		return payout.Restored{}, false
	}
	state, final := payout.FinalOf(e.Type)
	if !final {
		return payout.Restored{}, false
	}
	f := payout.Restored{Kind: payout.WasAnnounced, TradeNo: e.TradeNo, State: state, Time: record.Time}
	for _, h := range record.Headers {
		if h.Key == "fingerprint" {
			f.Fingerprint = payout.Fingerprint(h.Value)
		}
	}
	return f, len(f.Fingerprint) == payout.FingerprintLen
}

// readDecisions restores what one partition decided to send, and gathers the valid ends
// by our own word. Valid is a decision whose epoch is that of the last fence before it: a
// stale half of Redis may have written it after it was fenced, and then nothing was done
// on account of it (protocol S4). A stale decision to send that counted could undo an end
// by our own word that was decided, announced and marked before it landed: the model
// finds "rejected and paid" that way.
func (r *replay) readDecisions(ctx context.Context, number int, from int64) error {
	fence := r.standing.Was // who wrote what stands in this Redis; "" where it was wiped
	if r.standing.Epoch.ID != "" {
		fence = r.standing.Epoch.ID
	}
	var sends []payout.Restored
	var failed error
	before := from
	err := walk(ctx, r.keeper.Log.source(number), from, r.decisionEnds[number], func(offset int64, d Record) {
		r.progress(offset + 1 - before)
		before = offset + 1
		if d.Epoch.ID != r.epoch.ID { // its own fences stand there too
			r.highest = max(r.highest, d.Epoch.Number)
		}
		if failed != nil {
			return
		}
		ours := d.Shard == r.keeper.Log.shard
		switch d.Kind {
		case KindFence:
			if ours {
				fence = d.Epoch.ID
			}
		case KindSend:
			// By whatever shard: their number may have been another one. Where no fence can be
			// read before it, it counts: that costs a question at most.
			if !ours || fence == "" || d.Epoch.ID == fence {
				sends = append(sends, r.decided(d)...)
			}
		case KindFinal:
			if ours && d.Epoch.ID == fence {
				r.ends = append(r.ends, r.ended(d)...)
			}
		default: // readers skip kinds that they don't need or know
		}
		if len(sends) >= restoreBatch {
			failed = r.restore(ctx, sends)
			sends = nil
		}
	})
	if err != nil || failed != nil {
		return firstOf(failed, err)
	}
	return r.restore(ctx, sends)
}

func firstOf(a, b error) error {
	if a != nil {
		return a
	}
	return b
}

func (r *replay) decided(d Record) []payout.Restored {
	var sends []payout.Restored
	for i, tradeNo := range d.TradeNos {
		if i < len(d.Fingerprints) && r.keeper.Owns(tradeNo) {
			sends = append(sends, payout.Restored{
				Kind: payout.WasDecided, TradeNo: tradeNo, Fingerprint: d.Fingerprints[i], Merchant: d.Merchant, Time: d.Time,
			})
		}
	}
	return sends
}

func (r *replay) ended(d Record) []payout.Restored {
	var ends []payout.Restored
	for i, tradeNo := range d.TradeNos {
		if i >= len(d.Fingerprints) || i >= len(d.States) || i >= len(d.Reasons) {
			break
		}
		if !r.keeper.Owns(tradeNo) {
			continue
		}
		state := payout.StateRejected
		if d.States[i] == payout.StateFailed.String() {
			state = payout.StateFailed
		}
		merchant := d.Merchant
		if !r.keeper.Knows(merchant) {
			merchant = ""
		}
		ends = append(ends, payout.Restored{
			Kind: payout.WasEnded, TradeNo: tradeNo, Fingerprint: d.Fingerprints[i], Merchant: merchant, State: state, Reason: d.Reasons[i], Time: d.Time,
		})
	}
	return ends
}

func (r *replay) restore(ctx context.Context, items []payout.Restored) error {
	if len(items) == 0 {
		return nil
	}
	return r.keeper.Journal.Restore(ctx, r.epoch.ID, r.keeper.Lease, items)
}

// progress tells, once a second, how far the replay is.
func (r *replay) progress(records int64) {
	r.done += records
	if time.Since(r.said) < time.Second {
		return
	}
	r.said = time.Now()
	r.keeper.set(payout.Epoch{}, fmt.Sprintf("the journal is being rebuilt: %d of %d records replayed", r.done, r.all))
	if time.Since(r.began) > time.Second {
		r.keeper.Logger.Info().Int64("replayed", r.done).Int64("of", r.all).Msg("rebuilding the journal")
	}
}
