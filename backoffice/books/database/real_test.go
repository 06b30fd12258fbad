//go:build real

package database

import (
	"context"
	"os"
	"testing"
)

// openPostgres opens the database that DISBURSER_POSTGRES names, and empties it.
func openPostgres(t testing.TB) *Books {
	t.Helper()
	address := os.Getenv("DISBURSER_POSTGRES")
	if address == "" {
		t.Skip("DISBURSER_POSTGRES names no PostgreSQL: deployments/local/servers.sh with starts one where it is installed")
	}
	b, err := Open(context.Background(), address)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.write.Exec("TRUNCATE progress, payouts, payees, totals, batches, batch_events, dead_letters, actions"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	return b
}

func TestPostgreSQL(t *testing.T) { conforms(t, openPostgres) }
