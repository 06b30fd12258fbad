//go:build real

package database

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"

	"disburser/backoffice/books"
	"disburser/backoffice/books/bookstest"
	"disburser/internal/partition"
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
	if _, err := b.write.Exec(emptied); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	return b
}

func TestPostgreSQL(t *testing.T) { conforms(t, openPostgres) }

func TestPostgreSQLAnswers(t *testing.T) { answers(t, openPostgres) }

func TestPostgreSQLRebuilds(t *testing.T) { rebuilds(t, openPostgres) }

func TestPostgreSQLRunsOneReplayAtATime(t *testing.T) {
	onlyOne(t, openPostgres(t), openPostgresAgain(t))
}

func TestPostgreSQLForgets(t *testing.T) { forgets(t, openPostgres) }

func TestPostgreSQLDigests(t *testing.T) { digests(t, openPostgres) }

func TestPostgreSQLDigestsOfWhatComesLate(t *testing.T) { lateness(t, openPostgres) }

func TestPostgreSQLHoldsNoPlainFingerprint(t *testing.T) { unsealed(t, openPostgres) }

// Writers of several instances that work at once lose nothing of one another.
func TestPostgreSQLTakesWritersAtOnce(t *testing.T) {
	ctx, rng := context.Background(), rand.New(rand.NewPCG(11, 11))
	run := bookstest.NewRun(rng, 100, 2, true)
	first := openPostgres(t)
	second, err := Open(ctx, os.Getenv("DISBURSER_POSTGRES"))
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	var group sync.WaitGroup
	for part, records := range run {
		for _, b := range []*Books{first, second} {
			group.Go(func() {
				for {
					p, err := b.Progress(ctx, part.Topic, part.Partition)
					if err != nil || p.Next == int64(len(records)) {
						if err != nil {
							t.Error(err)
						}
						return
					}
					d := books.NewDecoder(part.Topic, part.Partition, bookstest.Resolve, payeeKey)
					if p.Fences != nil {
						d.Fences = p.Fences
					}
					some := records[p.Next:min(p.Next+10, int64(len(records)))]
					page := books.Page{Topic: part.Topic, Partition: part.Partition, From: p.Next, Facts: d.Page(some)}
					page.To = books.Progress{Next: p.Next + int64(len(some)), Fences: d.Fences, Since: bookstest.Start}
					if err := books.Write(ctx, b, page, bookstest.Start); err != nil && !errors.Is(err, books.ErrMoved) {
						t.Error(err)
						return
					}
				}
			})
		}
	}
	group.Wait()
	one := openPostgresAgain(t)
	together := dumped(t, one)
	if _, err := one.write.Exec(emptied); err != nil {
		t.Fatal(err)
	}
	bookstest.Feed(t, rng, run, one, payeeKey, nil)
	if alone := dumped(t, one); alone != together {
		t.Errorf("two at once, and one alone: %s", difference(together, alone))
	}
}

const emptied = "TRUNCATE progress, payouts, payees, totals, batches, batch_events, dead_letters, replays, actions, became_held"

// openPostgresAgain opens it as it is.
func openPostgresAgain(t testing.TB) *Books {
	t.Helper()
	b, err := Open(context.Background(), os.Getenv("DISBURSER_POSTGRES"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	return b
}

func TestPostgreSQLTellsWhatBecomesHeld(t *testing.T) { becomesHeld(t, openPostgres) }

// Who follows the places while two instances write misses none: a place is never committed behind a later one.
func TestPostgreSQLHeldPlacesHaveNoHoles(t *testing.T) {
	ctx, rng := context.Background(), rand.New(rand.NewPCG(13, 13))
	first := openPostgres(t)
	second, err := Open(ctx, os.Getenv("DISBURSER_POSTGRES"))
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	run, stores := bookstest.NewRun(rng, 200, 4, true), []*Books{first, second}
	var writers sync.WaitGroup
	for part, records := range run {
		writers.Go(func() {
			decoder := books.NewDecoder(part.Topic, part.Partition, bookstest.Resolve, payeeKey)
			for i, r := range records { // a page for each record: as many transactions as can be
				page := books.Page{Topic: part.Topic, Partition: part.Partition, From: int64(i), Facts: decoder.Page([]partition.Record{r})}
				page.To = books.Progress{Next: int64(i) + 1, Fences: decoder.Fences, Since: bookstest.Start}
				if err := books.Write(ctx, stores[(i+part.Partition)%2], page, bookstest.Start); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	over := make(chan struct{})
	go func() { writers.Wait(); close(over) }()
	seen, at := map[int64]bool{}, int64(0)
	for last := false; ; {
		page, err := second.HeldSince(ctx, at, 100)
		if err != nil {
			t.Fatal(err)
		}
		for _, h := range page {
			seen[h.Seq], at = true, h.Seq
		}
		if len(page) > 0 {
			continue
		}
		if last {
			break
		}
		select {
		case <-over:
			last = true
		default:
		}
	}
	var there int
	if err := first.read.QueryRow("SELECT count(*) FROM became_held").Scan(&there); err != nil || there != len(seen) || there == 0 {
		t.Errorf("%d of %d places were seen: %v", len(seen), there, err)
	}
}

func TestPostgreSQLRecords(t *testing.T) { recordsOf(t, openPostgres) }

// Whatever is asked of payouts, PostgreSQL has an index for it. It may still read a small table as a whole, so that is made dear.
func TestPostgreSQLScansNoTable(t *testing.T) {
	b := openPostgres(t)
	many(t, b)
	if _, err := b.write.Exec("ANALYZE"); err != nil {
		t.Fatal(err)
	}
	b.read.SetMaxOpenConns(1) // so that what is set holds for all that follows
	for _, setting := range []string{"enable_seqscan", "enable_bitmapscan"} {
		if _, err := b.read.Exec("SET " + setting + " = off"); err != nil {
			t.Fatal(err)
		}
	}
	for _, q := range questions() {
		text, args := q.statement()
		p := plan(t, b, "EXPLAIN", text, args)
		if strings.Contains(p, "Seq Scan") || q.Payee == nil && strings.Contains(p, "Sort") {
			t.Errorf("%+v:\n%s\n%s", q, text, p)
		}
	}
}

// The transaction of a page finds its rows by their keys, however dear PostgreSQL takes that to be.
func TestPostgreSQLWritesByIndexes(t *testing.T) {
	b, ctx := openPostgres(t), context.Background()
	many(t, b)
	if _, err := b.write.Exec("ANALYZE"); err != nil {
		t.Fatal(err)
	}
	tx, err := b.write.BeginTx(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback() //nolint:errcheck // it only explains
	if _, err := tx.ExecContext(ctx, oneAtATime+byIndexes); err != nil {
		t.Fatal(err)
	}
	var rows [][]any
	for i := range 2000 {
		rows = append(rows, []any{strconv.Itoa(i), "P", int64(1), int64(1), int64(1), "", []byte{}})
	}
	explained, err := tx.QueryContext(ctx, "EXPLAIN "+movedPayouts.many(), arrays(movedPayouts, rows)...)
	if err != nil {
		t.Fatal(err)
	}
	if err := each(explained, func() error {
		var line string
		if err := explained.Scan(&line); strings.Contains(line, "Seq Scan") || err != nil {
			t.Error(line, err)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}
