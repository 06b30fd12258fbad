package database

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"slices"

	"disburser/backoffice/books"
)

// rebuildAtOnce is how many payouts are looked at together.
const rebuildAtOnce = 1000

// Rebuild empties the books of all that can be read again, in one transaction. What Kafka no longer holds stays, as do the
// events of batches: they were said. whole tells that nothing is gone from Kafka: then nothing need be looked at.
func (b *Books) Rebuild(ctx context.Context, starts books.Starts, whole bool) (kept int, err error) {
	tx, err := b.write.BeginTx(ctx, nil)
	if err != nil {
		return 0, fmt.Errorf("begin to empty the books: %w", err)
	}
	defer tx.Rollback() //nolint:errcheck // after a commit there is nothing to roll back
	if b.sql.shared {
		if _, err := tx.ExecContext(ctx, oneAtATime); err != nil {
			return 0, fmt.Errorf("wait for other writers of the books: %w", err)
		}
	}
	tables := []string{"progress"}
	if whole {
		tables = append(tables, "payouts", "payees", "totals", "batches", "dead_letters", "replays", "actions")
	} else if kept, err = b.keepOlder(ctx, tx, starts); err != nil {
		return 0, err
	}
	for _, name := range tables {
		if _, err := tx.ExecContext(ctx, "DELETE FROM "+name); err != nil {
			return 0, fmt.Errorf("empty the table %s: %w", name, err)
		}
	}
	if err := tx.Commit(); err != nil {
		return 0, fmt.Errorf("empty the books: %w", err)
	}
	return kept, nil
}

// keepOlder goes through all payouts, and deletes what can be read again.
func (b *Books) keepOlder(ctx context.Context, tx *sql.Tx, starts books.Starts) (kept int, err error) {
	t := &transaction{tx, &b.sql}
	for last := ""; ; {
		page := map[string]*books.Payout{}
		rows, err := tx.QueryContext(ctx, "SELECT trade_no, facts FROM payouts WHERE trade_no > $1 ORDER BY trade_no LIMIT $2", last, rebuildAtOnce)
		if err == nil {
			err = each(rows, func() error { return scanInto(rows, page) })
		}
		if err != nil {
			return kept, fmt.Errorf("read the payouts: %w", err)
		}
		for tradeNo := range page {
			last = max(last, tradeNo)
		}
		n, err := t.older(ctx, page, starts)
		if kept += n; err != nil {
			return kept, err
		}
		if len(page) < rebuildAtOnce {
			break
		}
	}
	for number, start := range starts[books.DeadLetters] {
		if _, err := tx.ExecContext(ctx, "DELETE FROM dead_letters WHERE partition = $1 AND place >= $2", number, start); err != nil {
			return kept, fmt.Errorf("empty the table dead_letters: %w", err)
		}
	}
	for number, start := range starts[books.Commands] {
		if _, err := tx.ExecContext(ctx, "DELETE FROM replays WHERE partition = $1 AND place >= $2", number, start); err != nil {
			return kept, fmt.Errorf("empty the table replays: %w", err)
		}
	}
	if _, err := tx.ExecContext(ctx, "UPDATE batches SET changed = changed + 1 WHERE changed > 0"); err != nil {
		return kept, fmt.Errorf("have the digests of batches computed again: %w", err)
	}
	for _, start := range starts[books.Actions] {
		if _, err := tx.ExecContext(ctx, "DELETE FROM actions WHERE place >= $1", start); err != nil {
			return kept, fmt.Errorf("empty the table actions: %w", err)
		}
	}
	return kept, nil
}

// older drops of a page of payouts what can be read again, and corrects the totals.
func (t *transaction) older(ctx context.Context, page map[string]*books.Payout, starts books.Starts) (kept int, err error) {
	delta, changes := books.Totals{}, books.Changes{Totals: books.Totals{}}
	for tradeNo, p := range page {
		before := p.View()
		delta.Uncount(p)
		orders := slices.Clone(p.Orders)
		if !p.Older(starts) {
			if err := forget(ctx, t.tx, tradeNo, &books.Payout{Orders: orders}); err != nil {
				return kept, fmt.Errorf("delete the payout %s: %w", tradeNo, err)
			}
			continue
		}
		kept++
		delta.Count(p)
		changes.Payouts = append(changes.Payouts, books.Row{Payout: p, View: p.View(), Before: before})
	}
	ids := map[string]bool{}
	for k := range delta {
		ids[k.BatchID] = true
	}
	_, totals, err := t.Batches(ctx, slices.Collect(maps.Keys(ids)))
	if err != nil {
		return kept, err
	}
	for k, d := range delta {
		if totals[k] == nil {
			totals[k] = new(books.Total)
		}
		totals[k].Add(d)
		changes.Totals[k] = totals[k]
	}
	return kept, t.Save(ctx, changes)
}
