package database

import (
	"context"
	"fmt"
	"time"

	"disburser/backoffice/books"
	"disburser/payout"
)

// BecameHeld is a payout that became held. Seq grows in the order in which the books learned it, whichever instance wrote it.
type BecameHeld struct {
	Seq    int64
	Payout *books.Payout
}

// becameHeld are the rows of what a page of payouts says about it.
func becameHeld(all []books.Row, now time.Time) (rows [][]any) {
	for i := range all {
		row := &all[i]
		if row.View.State == payout.StateHeld && row.Before.State != payout.StateHeld {
			rows = append(rows, []any{row.TradeNo, now.UnixMilli()})
		}
	}
	return rows
}

// HeldSince answers payouts that became held after a place, as they are now: so many at most, in their order. Those that were
// deleted meanwhile are missing.
func (b *Books) HeldSince(ctx context.Context, after int64, limit int) (all []BecameHeld, err error) {
	rows, err := b.read.QueryContext(ctx, "SELECT seq, payouts.trade_no, facts FROM became_held CROSS JOIN payouts "+
		"WHERE seq > $1 AND payouts.trade_no = became_held.trade_no ORDER BY seq LIMIT $2", after, limit)
	if err != nil {
		return nil, fmt.Errorf("read which payouts became held: %w", err)
	}
	return all, each(rows, func() error {
		var one BecameHeld
		found := map[string]*books.Payout{}
		err := scanInto(behind{rows, &one.Seq}, found)
		for _, p := range found {
			one.Payout = p
			all = append(all, one)
		}
		return err
	})
}

// behind scans a row that has another column in front.
type behind struct {
	row   interface{ Scan(to ...any) error }
	first any
}

// Scan scans both.
func (b behind) Scan(to ...any) error { return b.row.Scan(append([]any{b.first}, to...)...) }

// HeldPlaces answers the first and the last place that is kept of payouts that became held; 0 and 0 if there is none.
func (b *Books) HeldPlaces(ctx context.Context) (first, last int64, err error) {
	if err := b.read.QueryRowContext(ctx, "SELECT coalesce(min(seq), 0), coalesce(max(seq), 0) FROM became_held").Scan(&first, &last); err != nil {
		return 0, 0, fmt.Errorf("ask which payout became held last: %w", err)
	}
	return first, last, nil
}

// ForgetHeld deletes what was written before a time, in ms. The last row stays: it tells how far the places go.
func (b *Books) ForgetHeld(ctx context.Context, before int64) error {
	if _, err := b.write.ExecContext(ctx, "DELETE FROM became_held WHERE at < $1 AND seq < (SELECT max(seq) FROM became_held)", before); err != nil {
		return fmt.Errorf("delete which payouts became held long ago: %w", err)
	}
	return nil
}
