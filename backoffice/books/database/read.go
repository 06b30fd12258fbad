package database

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"disburser/backoffice/books"
	"disburser/payout"
	"disburser/payout/acts"
)

// Query says which payouts are asked for. What is empty doesn't matter.
type Query struct {
	BatchID, Merchant string
	State             payout.State
	Payee             *int64 // by books.PayeeHash
	Since, Until      int64  // when the payout was first heard of, in ms; Until is not in it
	After             Cursor
	Limit             int
}

// Cursor is where a page goes on: behind this payout, in the order of time.
type Cursor struct {
	At      int64  `json:"a"`
	TradeNo string `json:"t"`
}

// Payout answers all that is known of one, nil for nothing.
func (b *Books) Payout(ctx context.Context, tradeNo string) (*books.Payout, error) {
	found := map[string]*books.Payout{}
	err := scanInto(b.read.QueryRowContext(ctx, selectPayout, tradeNo), found)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return nil, fmt.Errorf("read the payout %s: %w", tradeNo, err)
	}
	return found[tradeNo], nil
}

// Payouts answers a page, in the order of time.
func (b *Books) Payouts(ctx context.Context, q Query) (all []*books.Payout, err error) {
	text, args := q.statement()
	rows, err := b.read.QueryContext(ctx, text, args...)
	if err != nil {
		return nil, fmt.Errorf("read payouts: %w", err)
	}
	return all, each(rows, func() error {
		one := map[string]*books.Payout{}
		err := scanInto(rows, one)
		for _, p := range one {
			all = append(all, p)
		}
		return err
	})
}

// statement asks by one index: by the payee, else by the batch, by a state that is rare, by the merchant, or by the time. What
// is compared beside it is written so that no other index is taken.
func (q Query) statement() (string, []any) {
	var where []string
	var args []any
	from, by := "payouts", false
	add := func(format string, value any) {
		args = append(args, value)
		where = append(where, fmt.Sprintf(format, len(args)))
	}
	equal := func(column, value, also string) {
		switch {
		case value == "":
		case by:
			add(column+" || '' = $%d", value)
		default:
			by = true
			add(column+" = $%d"+also, value)
		}
	}
	if q.Payee != nil {
		from, by = "payees CROSS JOIN payouts", true
		add("hash = $%d AND payouts.trade_no = payees.trade_no", *q.Payee)
	}
	equal("batch_id", q.BatchID, " AND batch_id <> ''")
	if q.State != 0 && q.State != payout.StatePaid {
		equal("state", letterOf(q.State), " AND state <> 'P'")
	}
	equal("merchant", q.Merchant, "")
	if q.State == payout.StatePaid {
		add("state || '' = $%d", letterOf(q.State))
	}
	if q.Since > 0 {
		add("at >= $%d", q.Since)
	}
	if q.Until > 0 {
		add("at < $%d", q.Until)
	}
	if q.After != (Cursor{}) {
		args = append(args, q.After.At, q.After.TradeNo)
		where = append(where, fmt.Sprintf("(at, payouts.trade_no) > ($%d, $%d)", len(args)-1, len(args)))
	}
	where = append(where, "state || '' <> ''") // only what is a payout
	args = append(args, q.Limit)
	return fmt.Sprintf("SELECT payouts.trade_no, facts FROM %s WHERE %s ORDER BY at, payouts.trade_no LIMIT $%d", from, strings.Join(where, " AND "), len(args)), args
}

// Totals answers all totals: of one batch, or of everything.
func (b *Books) Totals(ctx context.Context, batchID *string) (books.Totals, error) {
	text, args := selectTotals, []any{}
	if batchID != nil {
		text, args = text+" WHERE batch_id = $1", append(args, *batchID)
	}
	all := books.Totals{}
	rows, err := b.read.QueryContext(ctx, text, args...)
	if err != nil {
		return nil, fmt.Errorf("read the totals: %w", err)
	}
	return all, each(rows, func() error { return scanTotal(rows, all) })
}

// Batch answers what was said of a batch; false if nothing was.
func (b *Books) Batch(ctx context.Context, id string) (batch books.Batch, known bool, err error) {
	rows, err := b.read.QueryContext(ctx, selectBatches+" WHERE id = $1", id)
	if err != nil {
		return batch, false, fmt.Errorf("read the batch %q: %w", id, err)
	}
	return batch, known, each(rows, func() (err error) {
		known = true
		batch, err = scanBatch(rows)
		return err
	})
}

// Batches answers a page, the latest first: those before a cursor of lastAt and id.
func (b *Books) Batches(ctx context.Context, before Cursor, limit int) (all []books.Batch, err error) {
	text, args := selectBatches, []any{}
	if before != (Cursor{}) {
		text, args = text+" WHERE (last_at, id) < ($1, $2)", append(args, before.At, before.TradeNo)
	}
	args = append(args, limit)
	rows, err := b.read.QueryContext(ctx, fmt.Sprintf("%s ORDER BY last_at DESC, id DESC LIMIT $%d", text, len(args)), args...)
	if err != nil {
		return nil, fmt.Errorf("read the batches: %w", err)
	}
	return all, each(rows, func() error {
		one, err := scanBatch(rows)
		all = append(all, one)
		return err
	})
}

// Actions answers the records of the actions from an offset on, in their order.
func (b *Books) Actions(ctx context.Context, from int64) (all []acts.Record, err error) {
	rows, err := b.read.QueryContext(ctx, "SELECT place, at, key, value, headers FROM actions WHERE place >= $1 ORDER BY place", from)
	if err != nil {
		return nil, fmt.Errorf("read the actions: %w", err)
	}
	return all, each(rows, func() error {
		var r acts.Record
		var at int64
		var headers string
		if err := rows.Scan(&r.Offset, &at, &r.Key, &r.Value, &headers); err != nil {
			return err
		}
		r.Time = time.UnixMilli(at).UTC()
		if err := json.Unmarshal([]byte(headers), &r.Headers); err != nil {
			return err
		}
		all = append(all, r)
		return nil
	})
}

// Oldest answers when the payout that is open for longest was first heard of, in ms; 0 if none is open.
func (b *Books) Oldest(ctx context.Context) (tradeNo string, at int64, err error) {
	for _, state := range []payout.State{payout.StateReceived, payout.StateSending, payout.StateHeld} {
		var one string
		var when int64
		row := b.read.QueryRowContext(ctx, "SELECT trade_no, at FROM payouts WHERE state = $1 AND state <> 'P' ORDER BY at, trade_no LIMIT 1", letterOf(state))
		switch err := row.Scan(&one, &when); {
		case errors.Is(err, sql.ErrNoRows):
		case err != nil:
			return "", 0, fmt.Errorf("look for the oldest open payout: %w", err)
		case at == 0 || when < at:
			tradeNo, at = one, when
		}
	}
	return tradeNo, at, nil
}

// Since answers how many payouts came and how many ended from a time on.
func (b *Books) Since(ctx context.Context, at int64) (came, ended int, err error) {
	err = b.read.QueryRowContext(ctx, "SELECT count(*) FROM payouts WHERE at >= $1", at).Scan(&came)
	if err == nil {
		err = b.read.QueryRowContext(ctx, "SELECT count(*) FROM payouts WHERE settled_at >= $1 AND settled_at > 0", at).Scan(&ended)
	}
	if err != nil {
		return 0, 0, fmt.Errorf("count what came and what ended: %w", err)
	}
	return came, ended, nil
}
