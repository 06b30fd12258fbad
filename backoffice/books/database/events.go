package database

import (
	"context"
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
