package database

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"disburser/backoffice/books"
	"disburser/backoffice/books/bookstest"
	"disburser/payout"
)

// questions are all combinations of what can be asked of payouts.
func questions() (all []Query) {
	hash := books.NewPayeeHash(payeeKey).Of("kevin 7")
	for _, batch := range []string{"", "batch-1"} {
		for _, merchant := range []string{"", "eg-main"} {
			for _, state := range []payout.State{0, payout.StateHeld, payout.StatePaid} {
				for _, payee := range []*int64{nil, &hash} {
					for _, since := range []int64{0, bookstest.Start.UnixMilli()} {
						for _, after := range []Cursor{{}, {At: bookstest.Start.UnixMilli(), TradeNo: "20261125-0000007"}} {
							all = append(all, Query{BatchID: batch, Merchant: merchant, State: state, Payee: payee, Since: since, Until: since + 1, After: after, Limit: 1000})
						}
					}
				}
			}
		}
	}
	return all
}

// plan is how the database finds the rows of a question, as one text.
func plan(t *testing.T, b *Books, explain, text string, args []any) string {
	t.Helper()
	rows, err := b.read.Query(explain+" "+text, args...)
	if err != nil {
		t.Fatal(err)
	}
	columns, _ := rows.Columns()
	var lines []string
	if err := each(rows, func() error {
		values, to := make([]any, len(columns)), make([]any, len(columns))
		for i := range values {
			to[i] = &values[i]
		}
		err := rows.Scan(to...)
		lines = append(lines, shown(values))
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return strings.Join(lines, "\n")
}

// many fills books with so many payouts that a database has a reason to go by an index.
func many(t *testing.T, b *Books) {
	t.Helper()
	rng := rand.New(rand.NewPCG(15, 15))
	bookstest.Feed(t, rng, bookstest.NewRun(rng, 3000, 2, true), b, payeeKey, nil)
}

// Whatever is asked of payouts, SQLite goes by an index and sorts nothing but the payouts of one payee.
func TestSQLiteScansNoTable(t *testing.T) {
	b := openSQLite(t)
	many(t, b)
	for _, q := range questions() {
		text, args := q.statement()
		p := plan(t, b, "EXPLAIN QUERY PLAN", text, args)
		if strings.Contains(p, "SCAN payouts ") && !strings.Contains(p, "SCAN payouts USING INDEX payouts_at") || strings.Contains(p, "SCAN payees") ||
			q.Payee == nil && strings.Contains(p, "TEMP B-TREE") {
			t.Errorf("%+v:\n%s\n%s", q, text, p)
		}
	}
}

// recordsOf checks what reconciliation reads. The pages of a batch and of a time have every payout once, with each content that may
// count and each result.
func recordsOf(t *testing.T, open func(testing.TB) *Books) {
	b, rng := open(t), rand.New(rand.NewPCG(16, 16))
	bookstest.Feed(t, rng, bookstest.NewRun(rng, 120, 3, true), b, payeeKey, nil)
	all := pages(t, b, Query{})
	var inBatch, inTime, results int
	middle := all[60].View().At
	for _, p := range all {
		v := p.View()
		if v.BatchID == "batch-1" {
			inBatch++
		}
		if v.At >= middle {
			inTime++
		}
		if results += len(p.Events); v.State.Final() && len(p.Events) == 0 || v.Order != nil && len(p.Standing()) == 0 {
			t.Errorf("%s has ended, and has no result or no content: %+v", p.TradeNo, p)
		}
	}
	if n := len(pages(t, b, Query{BatchID: "batch-1"})); n != inBatch || n == 0 {
		t.Errorf("%d records of a batch, want %d", n, inBatch)
	}
	if n := len(pages(t, b, Query{Since: middle})); n != inTime || n == 0 {
		t.Errorf("%d records since a time, want %d", n, inTime)
	}
	names := []string{all[3].TradeNo, "unknown", all[9].TradeNo}
	found, err := b.Known(context.Background(), names)
	if err != nil || len(found) != 2 || results == 0 {
		t.Fatalf("%d of two tradeNos, %d results: %v", len(found), results, err)
	}
	for _, i := range []int{3, 9} {
		one := found[all[i].TradeNo]
		if one == nil || fmt.Sprintf("%+v", one.Events) != fmt.Sprintf("%+v", all[i].Events) || !slices.EqualFunc(one.Orders, all[i].Orders, func(a, b books.Order) bool { return a.Place == b.Place && a.Amount == b.Amount }) {
			t.Errorf("%+v\n%+v", one, all[i])
		}
	}
}

func TestSQLiteRecords(t *testing.T) { recordsOf(t, openSQLite) }
