package database

import (
	"context"
	"database/sql"
	"fmt"

	"disburser/backoffice/books"
)

// Forget deletes payouts that ended before a time, so many at most, and answers how many it has deleted. The totals stay.
func (b *Books) Forget(ctx context.Context, before int64, limit int) (n int, err error) {
	tx, err := b.write.BeginTx(ctx, nil)
	if err != nil {
		return 0, fmt.Errorf("begin to delete old payouts: %w", err)
	}
	defer tx.Rollback() //nolint:errcheck // after a commit there is nothing to roll back
	if b.sql.shared {
		if _, err := tx.ExecContext(ctx, oneAtATime); err != nil {
			return 0, fmt.Errorf("wait for other writers of the books: %w", err)
		}
	}
	old := map[string]*books.Payout{}
	rows, err := tx.QueryContext(ctx, "SELECT trade_no, facts FROM payouts WHERE settled_at > 0 AND settled_at < $1 ORDER BY settled_at LIMIT $2", before, limit)
	if err != nil {
		return 0, fmt.Errorf("look for old payouts: %w", err)
	}
	if err := each(rows, func() error { return scanInto(rows, old) }); err != nil {
		return 0, fmt.Errorf("look for old payouts: %w", err)
	}
	batches := map[string]bool{}
	for tradeNo, p := range old {
		batches[p.View().BatchID] = true
		if err := forget(ctx, tx, tradeNo, p); err != nil {
			return 0, fmt.Errorf("delete the payout %s: %w", tradeNo, err)
		}
	}
	if err := freeze(ctx, tx, batches); err != nil {
		return 0, err
	}
	if err := tx.Commit(); err != nil {
		return 0, fmt.Errorf("delete old payouts: %w", err)
	}
	return len(old), nil
}

func forget(ctx context.Context, tx *sql.Tx, tradeNo string, p *books.Payout) error {
	for _, o := range p.Orders {
		for _, hash := range o.Hashes {
			if _, err := tx.ExecContext(ctx, "DELETE FROM payees WHERE hash = $1 AND trade_no = $2", hash, tradeNo); err != nil {
				return err
			}
		}
	}
	_, err := tx.ExecContext(ctx, "DELETE FROM payouts WHERE trade_no = $1", tradeNo)
	return err
}
