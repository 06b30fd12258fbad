package database

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"disburser/backoffice/books/bookstest"
	"disburser/payout/secrets"
)

var payeeKey = secrets.New("a key of payees for tests")

func openSQLite(t testing.TB) *Books {
	t.Helper()
	b, err := Open(context.Background(), "sqlite:"+filepath.Join(t.TempDir(), "books?.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	return b
}

func TestSQLite(t *testing.T) { conforms(t, openSQLite) }

// conforms checks that a database holds the same rows whatever the order in which the topics were read.
func conforms(t *testing.T, open func(testing.TB) *Books) {
	orders := 5
	if testing.Short() {
		orders = 2
	}
	rng := rand.New(rand.NewPCG(7, 7))
	run := bookstest.NewRun(rng, 120, 3, true)
	memory := bookstest.NewMemory()
	bookstest.Feed(t, rng, run, memory, payeeKey, nil)
	first := ""
	for order := range orders {
		b := open(t)
		bookstest.Feed(t, rand.New(rand.NewPCG(7, uint64(order))), run, b, payeeKey, nil)
		dump := dumped(t, b)
		if first == "" {
			first = dump
		}
		if dump != first {
			t.Fatalf("order %d gives other rows:\n%s\n\n%s", order, first, dump)
		}
		for _, line := range strings.Split(memory.Totals(), "\n") {
			if !strings.Contains(line, "{") {
				t.Fatalf("no totals: %q", line)
			}
		}
		if have, want := strings.Count(dump, "\npayouts:"), strings.Count(memory.Dump(), "payout 2"); have != want {
			t.Fatalf("%d payouts, in memory %d", have, want)
		}
	}
}

// dumped writes all rows as text. What a batch was told of, and when, depends on the order.
func dumped(t testing.TB, b *Books) string {
	t.Helper()
	var lines []string
	for name, columns := range map[string]string{
		"progress": "topic, partition, next, fences", "payouts": newPayouts.columns, "payees": payees.columns, "totals": totals.columns,
		"batches": "id, size, size_by, first_at, last_at", "dead_letters": deadLetters.columns,
	} {
		rows, err := b.read.Query("SELECT " + columns + " FROM " + name)
		if err != nil {
			t.Fatal(err)
		}
		n := len(strings.Split(columns, ","))
		if err := each(rows, func() error {
			values, to := make([]any, n), make([]any, n)
			for i := range values {
				to[i] = &values[i]
			}
			err := rows.Scan(to...)
			lines = append(lines, fmt.Sprintf("%s: %v", name, values))
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
	slices.Sort(lines)
	return "\n" + strings.Join(lines, "\n")
}

// No payee stands in the database in clear, neither in a table nor in a free page of the file.
func TestNoPayeeIsInClear(t *testing.T) {
	b := openSQLite(t)
	rng := rand.New(rand.NewPCG(1, 7))
	bookstest.Feed(t, rng, bookstest.NewRun(rng, 50, 2, true), b, payeeKey, nil)
	for name := range map[string]bool{"payouts": true, "dead_letters": true} {
		rows, err := b.read.Query("SELECT * FROM " + name)
		if err != nil {
			t.Fatal(err)
		}
		columns, _ := rows.Columns()
		seen := 0
		if err := each(rows, func() error {
			values, to := make([]any, len(columns)), make([]any, len(columns))
			for i := range values {
				to[i] = &values[i]
			}
			err := rows.Scan(to...)
			seen++
			text := fmt.Sprint(values...)
			for i := range 50 {
				for _, value := range bookstest.Command(i, 50).Payee.Reveal() {
					if strings.Contains(text, value) {
						t.Errorf("%s holds %q: %s", name, value, text)
					}
				}
			}
			return err
		}); err != nil || seen == 0 {
			t.Fatal(seen, err)
		}
	}
}
