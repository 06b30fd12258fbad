package database

import (
	"context"
	"errors"
	"fmt"
)

// onlyReplay is the lock of PostgreSQL under which one replay of dead letters runs at a time, in all instances.
const onlyReplay = "SELECT pg_advisory_xact_lock(7229171105)"

// ErrBusy is the error of a replay that has waited too long for another one.
var ErrBusy = errors.New("another replay of dead letters is under way")

// Alone does work while nobody else does it, in this instance or in another one. It waits until ctx ends. The lock goes with the
// connection: an instance that dies doesn't keep it.
func (b *Books) Alone(ctx context.Context, work func() error) error {
	select {
	case b.replaying <- struct{}{}:
		defer func() { <-b.replaying }()
	case <-ctx.Done():
		return ErrBusy
	}
	if !b.sql.shared {
		return work()
	}
	tx, err := b.write.BeginTx(context.WithoutCancel(ctx), nil)
	if err != nil {
		return fmt.Errorf("begin to wait for other replays: %w", err)
	}
	defer tx.Rollback() //nolint:errcheck // it has written nothing
	if _, err := tx.ExecContext(ctx, onlyReplay); err != nil {
		if ctx.Err() != nil {
			return ErrBusy
		}
		return fmt.Errorf("wait for other replays: %w", err)
	}
	return work()
}
