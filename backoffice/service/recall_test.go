package service_test

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"disburser/backoffice/books/bookstest"
	"disburser/backoffice/books/database"
	"disburser/backoffice/service/servicetest"
	"disburser/internal/kafkatest"
	"disburser/payout/secrets"
)

// Books that are lost, and then an older copy of them, say nothing once more: not with the same numbers, and not with others. The first
// books read a part of the run. So the second ones would say other numbers.
func TestLostBooksSayNothingTwice(t *testing.T) {
	run := bookstest.NewRun(rand.New(rand.NewPCG(8, 8)), 60, partitions, false)
	first, rest := bookstest.Run{}, bookstest.Run{}
	for part, records := range run {
		first[part], rest[part] = records[:len(records)/3], records[len(records)/3:]
	}
	k, c, token := servicetest.World(t, first)
	dir := t.TempDir()
	use := func(name string) { c.Backoffice.Database = secrets.New("sqlite:" + filepath.Join(dir, name)) }
	use("first.db")
	o := start(t, k, c, token)
	o.caughtUp()
	for deadline := time.Now().Add(20 * time.Second); len(k.Read(t, c.Kafka.Topics.Batches, 0)) < 3; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("no batch is opened")
		}
	}
	o.Stop()

	servicetest.Write(t, k, c, rest)
	if left, err := filepath.Glob(filepath.Join(dir, "first.db-*")); len(left) > 0 || err != nil {
		t.Fatalf("the copy would lack %q: %v", left, err)
	}
	copied, err := os.ReadFile(filepath.Join(dir, "first.db"))
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "copy.db"), copied, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"lost.db", "lost again.db", "copy.db"} {
		use(name)
		o = start(t, k, c, token)
		o.caughtUp()
		nothingWaits(t, c.Backoffice.Database.Reveal())
		batchEvents(t, k, c.Kafka.Topics.Batches) // it looks whether one id says two things
		o.Stop()
	}
	seen := map[string]bool{}
	for _, r := range k.Read(t, c.Kafka.Topics.Batches, 0) {
		id := kafkatest.Header(t, r.Headers, "ce_id")
		if seen[id] {
			t.Errorf("said twice: %s", r.Value)
		}
		seen[id] = true
	}
}

// nothingWaits waits until all events in the books are published.
func nothingWaits(t *testing.T, address string) {
	t.Helper()
	b, err := database.Open(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		left, err := b.Waiting(t.Context(), 1)
		if err != nil {
			t.Fatal(err)
		}
		if len(left) == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("not published: %+v", left)
		}
	}
}
