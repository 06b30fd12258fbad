//go:build real

package service_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"

	"disburser/backoffice/api"
	"disburser/backoffice/service/servicetest"
	"disburser/payout/secrets"
)

// Two instances on one PostgreSQL.
func TestEventsOfEveryInstanceOnPostgreSQL(t *testing.T) { everyInstance(t, ownSchema(t)) }

// PostgreSQL refuses more texts than SQLite does.
func TestNothingInAQuestionIsObeyedOnPostgreSQL(t *testing.T) { injected(t, ownSchema(t)) }

// Two instances whose people ask for the same replay at the same moment publish each dead letter once.
func TestTwoInstancesReplayTheSameOnPostgreSQL(t *testing.T) {
	const letters = 40
	d := newDeskOn(t, ownSchema(t))
	for i := range int64(letters) {
		d.addLetter(int(i)%partitions, malformed(i, commandOf(int(i))))
	}
	two := &office{servicetest.StartFor(t, d.kafka, d.config, d.tokens["olga"], d.merchants), t}
	d.caughtUp()
	two.caughtUp()
	var replayed atomic.Int64
	var group sync.WaitGroup
	for i := range 6 {
		group.Go(func() {
			at := []*office{d.office, two}[i%2]
			status, text := at.post("/dead-letters/replay", d.tokens[[]string{"olga", "both"}[i%2]], "application/json", []byte("{}"))
			var r api.Replay
			if err := json.Unmarshal(text, &r); err != nil || status != http.StatusOK && status != http.StatusConflict && status != http.StatusServiceUnavailable {
				t.Errorf("%d %s", status, text)
			}
			replayed.Add(int64(r.Replayed))
		})
	}
	group.Wait()
	seen := map[string]int{}
	for _, r := range d.commands() {
		seen[string(r.Value)]++
	}
	for value, n := range seen {
		if n != 1 {
			t.Errorf("%d times in the topic: %s", n, value)
		}
	}
	if len(seen) != letters || replayed.Load() != letters {
		t.Errorf("%d of %d are published, %d are told", len(seen), letters, replayed.Load())
	}
}

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
