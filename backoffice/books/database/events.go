package database

import (
	"context"
	"errors"
	"fmt"

	"disburser/backoffice/books"
)

// Waiting are the events of batches that nobody has published yet, in the order in which they were written.
func (b *Books) Waiting(ctx context.Context, limit int) (events []books.BatchEvent, err error) {
	rows, err := b.read.QueryContext(ctx, "SELECT id, batch_id, type, at, value FROM batch_events WHERE published = 0 ORDER BY seq LIMIT $1", limit)
	if err != nil {
		return nil, fmt.Errorf("read the events of batches: %w", err)
	}
	return events, each(rows, func() error {
		var e books.BatchEvent
		var value string
		err := rows.Scan(&e.ID, &e.BatchID, &e.Type, &e.Time, &value)
		e.Value = []byte(value)
		events = append(events, e)
		return err
	})
}

// Published notes that events are acknowledged.
func (b *Books) Published(ctx context.Context, events []books.BatchEvent) error {
	for _, e := range events {
		if _, err := b.write.ExecContext(ctx, "UPDATE batch_events SET published = 1 WHERE id = $1", e.ID); err != nil {
			return fmt.Errorf("note that an event is published: %w", err)
		}
	}
	return nil
}

// Said notes events that stand in the topic of batches, and how far it was read: they are never published again, whatever the books say.
// It is ErrMoved where somebody else has read on.
func (b *Books) Said(ctx context.Context, number int, from int64, to books.Progress, events []books.BatchEvent) error {
	rows, seen := [][]any{}, map[string]bool{}
	for _, e := range events {
		if !seen[e.ID] { // of one that came twice the first was heard
			rows = append(rows, []any{e.ID, e.BatchID, e.Type, e.Time, string(e.Value), int64(1)})
		}
		seen[e.ID] = true
	}
	return b.Write(ctx, books.Batches, number, from, to, func(tx books.Tx) error {
		t, is := tx.(*transaction)
		if !is {
			return errors.New("another store's transaction")
		}
		return b.sql.insert(ctx, t.tx, saidEvents, rows)
	})
}
