package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"disburser/backoffice/books"
	"disburser/payout"
)

// Digest computes the digest of one closed batch whose digest is missing, or has changed. It is false where there is none. The
// digest is of one moment: it isn't stored where the batch has changed meanwhile.
func (b *Books) Digest(ctx context.Context, seals *books.Sealer) (done bool, err error) {
	tx, err := b.sort.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true})
	if err != nil {
		return false, fmt.Errorf("begin to compute a digest: %w", err)
	}
	defer tx.Rollback() //nolint:errcheck // it only reads
	var id string
	var changed int64
	switch err := tx.QueryRowContext(ctx, "SELECT id, changed FROM batches WHERE changed <> digested ORDER BY id LIMIT 1").Scan(&id, &changed); {
	case errors.Is(err, sql.ErrNoRows):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("look for batches without a digest: %w", err)
	}
	text, err := digest(ctx, tx, id, seals)
	if err != nil {
		return false, fmt.Errorf("compute the digest of the batch %q: %w", id, err)
	}
	if err := tx.Rollback(); err != nil { // of SQLite it is the same file that is written now
		return false, fmt.Errorf("compute the digest of the batch %q: %w", id, err)
	}
	if _, err := b.write.ExecContext(ctx, "UPDATE batches SET digest = $1, digested = $2 WHERE id = $3 AND changed = $2", text, changed, id); err != nil {
		return false, fmt.Errorf("store the digest of the batch %q: %w", id, err)
	}
	return true, nil
}

// digest reads a batch's lines. Where one of them lacks its fingerprint there is no digest: a stranger has announced that payout.
func digest(ctx context.Context, tx *sql.Tx, id string, seals *books.Sealer) (string, error) {
	rows, err := tx.QueryContext(ctx, "SELECT trade_no, content FROM payouts WHERE batch_id = $1 AND batch_id <> '' AND settled_at > 0 AND state || '' <> $2 ORDER BY trade_no",
		id, letterOf(payout.StateRejected))
	if err != nil {
		return "", err
	}
	sum, whole := books.NewDigest(), true
	err = each(rows, func() error {
		var tradeNo string
		var seal books.Seal
		if err := rows.Scan(&tradeNo, &seal); err != nil {
			return err
		}
		f, ok := seals.Open(seal)
		if !ok && seal != "" {
			return errors.New("backoffice.payee_key is another one than the books were written with: run backoffice rebuild")
		}
		whole = whole && ok
		sum.Add(tradeNo, f)
		return nil
	})
	if !whole || err != nil {
		return "", err
	}
	return sum.Text(), nil
}

// WithDigest answers a batch with this digest, "" if there is none.
func (b *Books) WithDigest(ctx context.Context, digest string) (id string, err error) {
	err = b.read.QueryRowContext(ctx, "SELECT id FROM batches WHERE digest = $1 AND digest <> '' AND changed = digested ORDER BY id LIMIT 1", digest).Scan(&id)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return "", fmt.Errorf("look for a batch by its digest: %w", err)
	}
	return id, nil
}

// freeze keeps the digests of batches whose payouts are deleted: they can't be computed again.
func freeze(ctx context.Context, tx *sql.Tx, ids map[string]bool) error {
	for id := range ids {
		if _, err := tx.ExecContext(ctx, "UPDATE batches SET digest = CASE WHEN changed = digested THEN digest ELSE '' END, changed = $1, digested = $1 WHERE id = $2 AND changed <> $1", books.Frozen, id); err != nil {
			return fmt.Errorf("keep the digest of the batch %q: %w", id, err)
		}
	}
	return nil
}
