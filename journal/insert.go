package journal

import (
	"context"
	"fmt"
	"hash/fnv"
	"slices"
	"strconv"

	"disburser/payout"
	"disburser/payout/intake"
)

// Insert makes the payouts of a range known, each at most once. With the last of them it moves
// the read position to the range's end. It answers an outcome for each entry, and the number
// of open payouts. Parked ones don't count, up to Options.MaxParked of a merchant.
//
// Where some are Conflicted the position stays. The caller puts these into the dead letters
// first, and then calls again without them.
//
// After an error some entries may be known already; repeating the call is safe.
func (j *Journal) Insert(ctx context.Context, r intake.Range, entries []intake.Entry) ([]intake.Outcome, int, error) {
	outcomes := make([]intake.Outcome, 0, len(entries))
	epoch := j.epoch.id() // of all chunks: between two of them the journal may have been lost
	for {
		part := entries[:min(chunk, len(entries))]
		entries = entries[len(part):]
		end := ""
		if len(entries) == 0 && !slices.Contains(outcomes, intake.Conflicted) {
			end = strconv.FormatInt(r.To, 10)
		}
		args := make([]any, 0, 8+7*len(part))
		args = append(args, epoch, j.window.Milliseconds(), r.Partition, r.From, end, r.Anchor, j.maxParked, r.Follows)
		for _, e := range part {
			args = append(args, e.Payout.TradeNo, carried(e), millis(e.Payout.Source.Time), due(e.Payout), bucket(e.Payout.TradeNo),
				e.Payout.Source.Offset, encode(e.Payout))
		}
		answer, err := j.runAs(ctx, "insert", args)
		if err != nil {
			return nil, 0, err
		}
		j.clock.note(instant(answer, 2))
		letters, total := word(answer, 0), number(answer, 1)
		if len(letters) != len(part) {
			return nil, 0, fmt.Errorf("journal: insert: %d outcomes for %d payouts", len(letters), len(part))
		}
		outcomes = append(outcomes, []intake.Outcome(letters)...)
		if len(entries) == 0 {
			return outcomes, int(total), nil
		}
	}
}

// OpenCount answers how many payouts are open. It fails with intake.ErrPosition if the read
// position is before the offset: then the journal wants the commands before it first. It takes
// nothing in and moves nothing. The script is that of an insert, because both need the same
// answer.
func (j *Journal) OpenCount(ctx context.Context, partition int, offset int64) (open int, err error) {
	_, open, err = j.Insert(ctx, intake.Range{Partition: partition, From: offset, To: offset}, nil)
	return open, err
}

// due is when there is something to do for a new payout; "" where that is at once, by
// Redis' clock.
func due(p payout.Payout) any {
	if p.Due.Equal(p.ReceivedAt) {
		return ""
	}
	return millis(p.Due)
}

// carried is the letter of a carried payout's state, "" for a payroll's own.
func carried(e intake.Entry) string {
	if e.Carried == 0 {
		return ""
	}
	return string(e.Carried)
}

// bucket answers the small hash of the dedup window in which a tradeNo is remembered.
func bucket(tradeNo string) int {
	h := fnv.New32a()
	_, _ = h.Write([]byte(tradeNo))
	return int(h.Sum32() % buckets)
}
