//go:build real

package service_test

import (
	"net/url"
	"os"
	"testing"

	"github.com/jackc/pgx/v5"

	"disburser/payout/secrets"
)

// Two instances on one PostgreSQL.
func TestEventsOfEveryInstanceOnPostgreSQL(t *testing.T) { everyInstance(t, ownSchema(t)) }

// PostgreSQL refuses more texts than SQLite does.
func TestNothingInAQuestionIsObeyedOnPostgreSQL(t *testing.T) { injected(t, ownSchema(t)) }

// ownSchema is an empty schema of the test's own.
func ownSchema(t *testing.T) *secrets.Secret {
	t.Helper()
	address := os.Getenv("DISBURSER_POSTGRES")
	if address == "" {
		t.Skip("DISBURSER_POSTGRES names no PostgreSQL: deployments/local/servers.sh with starts one where it is installed")
	}
	parsed, err := pgx.ParseConfig(address)
	if err != nil {
		t.Fatal(err)
	}
	db, err := pgx.ConnectConfig(t.Context(), parsed)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close(t.Context())
	for _, statement := range []string{"DROP SCHEMA IF EXISTS events_test CASCADE", "CREATE SCHEMA events_test"} {
		if _, err := db.Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	own := secrets.New(withSchema(address))
	return &own
}

func withSchema(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return address
	}
	q := u.Query()
	q.Set("search_path", "events_test")
	u.RawQuery = q.Encode()
	return u.String()
}
