package statements

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"

	"disburser/internal/rows"
	"disburser/reconcile"
)

// Columns are the names of a table's columns.
type Columns struct {
	TradeNo, Amount  string // required
	Currency, Status string // "": the table has none. Without a status each line is a payment
}

// ParseColumns reads "tradeNo=Order No,amount=Amount,status=State".
func ParseColumns(text string) (c Columns, err error) {
	to := map[string]*string{"tradeNo": &c.TradeNo, "amount": &c.Amount, "currency": &c.Currency, "status": &c.Status}
	for pair := range strings.SplitSeq(text, ",") {
		name, column, found := strings.Cut(pair, "=")
		field := to[strings.TrimSpace(name)]
		switch {
		case !found || field == nil || column == "":
			return c, fmt.Errorf("columns: %q must be tradeNo=…, amount=…, currency=… or status=…", pair)
		case *field != "":
			return c, fmt.Errorf("columns: %s stands twice", name)
		}
		*field = column
	}
	if c.TradeNo == "" || c.Amount == "" {
		return c, errors.New("columns: tradeNo=… and amount=… are required")
	}
	return c, nil
}

// states are the words that a status may be, in small letters. The numbers are the provider's.
var states = map[string]reconcile.State{
	"0000": reconcile.Paid, "0001": reconcile.Paid, "paid": reconcile.Paid, "success": reconcile.Paid, "successful": reconcile.Paid, "succeeded": reconcile.Paid,
	"completed": reconcile.Paid, "settled": reconcile.Paid, "booked": reconcile.Paid, "partial": reconcile.Paid,
	"failed": reconcile.Failed, "failure": reconcile.Failed, "fail": reconcile.Failed, "rejected": reconcile.Failed, "declined": reconcile.Failed,
	"cancelled": reconcile.Failed, "canceled": reconcile.Failed, "expired": reconcile.Failed,
	"returned": reconcile.Returned, "reversed": reconcile.Returned, "refunded": reconcile.Returned,
	"processing": reconcile.Pending, "pending": reconcile.Pending,
}

// Table reads a statement that is a table: see package rows for its look.
func Table(in io.Reader, c Columns) iter.Seq2[reconcile.Line, error] {
	return func(yield func(reconcile.Line, error) bool) {
		r, err := rows.Open(in, func(name string) bool {
			return slices.Contains([]string{c.TradeNo, c.Amount, c.Currency, c.Status}, name) && name != ""
		})
		if err != nil {
			yield(reconcile.Line{}, err)
			return
		}
		t := table{columns: c}
		if err := t.find(r.Header); err != nil {
			yield(reconcile.Line{}, err)
			return
		}
		for {
			row, err := r.Next()
			if errors.Is(err, io.EOF) {
				return
			}
			var l reconcile.Line
			if err == nil {
				l, err = t.line(row)
			}
			if !yield(l, err) || err != nil {
				return
			}
		}
	}
}

// table knows where the columns are.
type table struct {
	columns                           Columns
	tradeNo, amount, currency, status int
	width                             int
}

// find looks for the columns in the header.
func (t *table) find(header rows.Row) error {
	t.width = len(header.Cells)
	for _, one := range []struct {
		name string
		at   *int
	}{{t.columns.TradeNo, &t.tradeNo}, {t.columns.Amount, &t.amount}, {t.columns.Currency, &t.currency}, {t.columns.Status, &t.status}} {
		*one.at = slices.Index(header.Cells, one.name)
		switch {
		case one.name == "":
			*one.at = -1
		case *one.at < 0:
			return errAt(header.Line, "the header has no column %q", one.name)
		case slices.Contains(header.Cells[*one.at+1:], one.name):
			return errAt(header.Line, "the column %q stands twice", one.name)
		}
	}
	return nil
}

func (t *table) line(row rows.Row) (reconcile.Line, error) {
	l := reconcile.Line{State: reconcile.Paid}
	if row.Fault != nil {
		return l, errAt(row.Line, "%w", row.Fault)
	}
	if len(row.Cells) != t.width {
		return l, errAt(row.Line, "it has %d cells, the header %d", len(row.Cells), t.width)
	}
	a, err := amountOf(row.Cells[t.amount], ".")
	if err != nil {
		return l, errAt(row.Line, "the amount %w", err)
	}
	l.TradeNo, l.Amount = tradeNoOf(row.Cells[t.tradeNo]), a
	if t.currency >= 0 {
		l.Currency = row.Cells[t.currency]
	}
	if t.status >= 0 {
		word := strings.ToLower(strings.TrimSpace(row.Cells[t.status]))
		state, known := states[word]
		if !known {
			return l, errAt(row.Line, "nobody knows what its status means: make it one of paid, failed, returned, pending")
		}
		l.State = state
	}
	return l, nil
}
