package database

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"disburser/backoffice/books"
	"disburser/backoffice/books/bookstest"
	"disburser/payout"
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
			t.Fatalf("order %d gives other rows: %s", order, difference(first, dump))
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

// answers checks what is asked of a database that holds a run: pages by each index, one after the other, give each payout once.
func answers(t *testing.T, open func(testing.TB) *Books) {
	ctx, rng := context.Background(), rand.New(rand.NewPCG(8, 8))
	b := open(t)
	bookstest.Feed(t, rng, bookstest.NewRun(rng, 120, 3, true), b, payeeKey, nil)
	var all []books.View
	for _, p := range pages(t, b, Query{}) {
		all = append(all, p.View())
	}
	if len(all) != 120 || !slices.IsSortedFunc(all, func(a, b books.View) int { return int(a.At - b.At) }) {
		t.Fatalf("%d payouts, or not in the order of time", len(all))
	}
	for name, c := range map[string]struct {
		q    Query
		fits func(books.View) bool
	}{
		"batch":           {Query{BatchID: "batch-1"}, func(v books.View) bool { return v.BatchID == "batch-1" }},
		"batch and state": {Query{BatchID: "batch-1", State: payout.StatePaid}, func(v books.View) bool { return v.BatchID == "batch-1" && v.State == payout.StatePaid }},
		"held":            {Query{State: payout.StateHeld, Merchant: "eg-main"}, func(v books.View) bool { return v.State == payout.StateHeld }},
		"paid":            {Query{State: payout.StatePaid}, func(v books.View) bool { return v.State == payout.StatePaid }},
		"merchant":        {Query{Merchant: "eg-main"}, func(books.View) bool { return true }},
		"nobody's":        {Query{Merchant: "' OR 1=1 --"}, func(books.View) bool { return false }},
		"time":            {Query{Since: all[30].At, Until: all[60].At}, func(v books.View) bool { return v.At >= all[30].At && v.At < all[60].At }},
	} {
		want := 0
		for _, v := range all {
			if c.fits(v) {
				want++
			}
		}
		found := pages(t, b, c.q)
		for _, p := range found {
			if !c.fits(p.View()) {
				t.Errorf("%s: %s is none", name, p.TradeNo)
			}
		}
		if len(found) != want {
			t.Errorf("%s: %d payouts, want %d", name, len(found), want)
		}
	}
	hash := books.NewPayeeHash(payeeKey).Of("KEVIN 7")
	if found := pages(t, b, Query{Payee: &hash, Merchant: "eg-main"}); len(found) != 1 || found[0].TradeNo != "20261125-0000007" {
		t.Errorf("by payee: %v", found)
	}
	answersLetters(t, b)
	list, err := b.Batches(ctx, Cursor{}, 2)
	if err != nil || len(list) != 2 {
		t.Fatal(list, err)
	}
	whole, err := b.Batches(ctx, Cursor{}, 100)
	if rest, err2 := b.Batches(ctx, Cursor{At: list[1].LastAt, TradeNo: list[1].ID}, 10); err != nil || err2 != nil || !slices.Equal(append(list, rest...), whole) || len(whole) < 3 {
		t.Error(whole, rest, err, err2)
	}
	tradeNo, at, err := b.Oldest(ctx)
	if err != nil || tradeNo == "" || at == 0 {
		t.Error(tradeNo, at, err)
	}
	if came, ended, err := b.Since(ctx, all[0].At); err != nil || came != 120 || ended == 0 {
		t.Error(came, ended, err)
	}
	waiting, err := b.Waiting(ctx, 1000)
	if err != nil || len(waiting) == 0 || b.Published(ctx, waiting) != nil {
		t.Error(waiting, err)
	}
	if again, err := b.Waiting(ctx, 1000); err != nil || len(again) != 0 {
		t.Error(again, err)
	}
}

// pages asks for all pages of a query, and fails where a payout comes twice.
func pages(t *testing.T, b *Books, q Query) (all []*books.Payout) {
	t.Helper()
	seen := map[string]bool{}
	for q.Limit = 7; ; {
		page, err := b.Payouts(context.Background(), q)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range page {
			if seen[p.TradeNo] {
				t.Fatalf("%s comes twice", p.TradeNo)
			}
			seen[p.TradeNo] = true
		}
		if all = append(all, page...); len(page) < q.Limit {
			return all
		}
		last := page[len(page)-1]
		q.After = Cursor{last.View().At, last.TradeNo}
	}
}

func TestSQLiteAnswers(t *testing.T) { answers(t, openSQLite) }

// rebuilds checks that books which are emptied and read again hold the same, also where Kafka has lost the beginning.
func rebuilds(t *testing.T, open func(testing.TB) *Books) {
	ctx, rng := context.Background(), rand.New(rand.NewPCG(9, 9))
	run := bookstest.NewRun(rng, 80, 2, false)
	b := open(t)
	bookstest.Feed(t, rng, run, b, payeeKey, nil)
	before := dumped(t, b)
	said, err := b.Waiting(ctx, 1000)
	if err != nil {
		t.Fatal(err)
	}
	for _, whole := range []bool{true, false} {
		starts := books.Starts{}
		for part, records := range run {
			if starts[part.Topic] == nil {
				starts[part.Topic] = map[int]int64{}
			}
			if starts[part.Topic][part.Partition] = 0; !whole {
				starts[part.Topic][part.Partition] = int64(len(records) / 3)
			}
		}
		kept, err := b.Rebuild(ctx, starts, whole)
		if err != nil || (kept > 0) == whole {
			t.Fatal(kept, err)
		}
		if totals, err := b.Totals(ctx, nil); err != nil || whole && len(totals) > 0 {
			t.Fatal(totals, err)
		}
		behind := books.Page{Topic: books.Commands, From: 7, To: books.Progress{Next: 8, Since: bookstest.Start}} // of an instance that runs meanwhile
		if err := books.Write(ctx, b, behind, bookstest.Start); !errors.Is(err, books.ErrMoved) {
			t.Fatalf("what was read before the rebuild goes on behind it, and leaves out all before: %v", err)
		}
		bookstest.FeedFrom(t, rng, run, b, payeeKey, starts)
		if after := dumped(t, b); withoutProgress(after) != withoutProgress(before) {
			t.Fatalf("whole %v: %s", whole, difference(before, after))
		}
	}
	same := func(a, b books.BatchEvent) bool {
		return a.ID == b.ID && a.Time == b.Time && string(a.Value) == string(b.Value)
	}
	if waiting, err := b.Waiting(ctx, 1000); err != nil || len(waiting) != 3*5 || !slices.EqualFunc(waiting, said, same) {
		t.Errorf("%d events of three batches, or they say something else than before: %v", len(waiting), err)
	}
}

func TestSQLiteRebuilds(t *testing.T) { rebuilds(t, openSQLite) }

// forgets checks that payouts which ended long ago go, with what finds them, and that the sums stay.
func forgets(t *testing.T, open func(testing.TB) *Books) {
	ctx, rng := context.Background(), rand.New(rand.NewPCG(10, 10))
	b := open(t)
	bookstest.Feed(t, rng, bookstest.NewRun(rng, 40, 2, true), b, payeeKey, nil)
	before, err := b.Totals(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	open40 := len(pages(t, b, Query{State: payout.StateHeld})) + len(pages(t, b, Query{State: payout.StateReceived})) + len(pages(t, b, Query{State: payout.StateSending}))
	for {
		n, err := b.Forget(ctx, bookstest.Start.Add(time.Hour).UnixMilli(), 7)
		if err != nil {
			t.Fatal(err)
		}
		if n < 7 {
			break
		}
	}
	left := pages(t, b, Query{})
	after, err := b.Totals(ctx, nil)
	if err != nil || len(left) != open40 || open40 == 0 || len(after) != len(before) {
		t.Errorf("%d payouts are left, %d are open; %v", len(left), open40, err)
	}
	if n := strings.Count(dumped(t, b), "\npayees:"); n > 2*open40+8 {
		t.Errorf("%d rows find payees of %d payouts", n, open40)
	}
}

func TestSQLiteForgets(t *testing.T) { forgets(t, openSQLite) }

// withoutProgress leaves out how far partitions were read: which fences were read again depends on what Kafka holds.
func withoutProgress(dump string) string {
	return strings.Join(slices.DeleteFunc(strings.Split(dump, "\n"), func(line string) bool { return strings.HasPrefix(line, "progress:") }), "\n")
}

// difference is the first line that differs.
func difference(a, b string) string {
	as, bs := strings.Split(a, "\n"), strings.Split(b, "\n")
	for i := range min(len(as), len(bs)) {
		if as[i] != bs[i] {
			return "\n" + as[i] + "\n" + bs[i]
		}
	}
	return fmt.Sprintf("%d and %d rows", len(as), len(bs))
}

// dumped writes all rows as text. What a batch was told of, and when, depends on the order.
func dumped(t testing.TB, b *Books) string {
	t.Helper()
	var lines []string
	for name, columns := range map[string]string{
		"progress": "topic, partition, next, fences", "payouts": newPayouts.columns, "payees": payees.columns, "totals": totals.columns,
		"batches": "id, size, size_by, first_at, last_at", "dead_letters": deadLetters.columns, "replays": replays.columns,
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
			lines = append(lines, fmt.Sprintf("%s: %s", name, shown(values)))
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
	slices.Sort(lines)
	return "\n" + strings.Join(lines, "\n")
}

// shown writes a row with its bytes as they are.
func shown(values []any) string {
	text := ""
	for _, v := range values {
		if b, is := v.([]byte); is {
			v = string(b)
		}
		text += fmt.Sprintf("%v ", v)
	}
	return strings.ReplaceAll(text, "\n", " ")
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
			text := shown(values)
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
