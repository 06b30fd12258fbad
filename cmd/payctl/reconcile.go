package main

import (
	"bufio"
	"cmp"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"disburser/backoffice/api"
	"disburser/internal/cli"
	"disburser/payout/money"
	"disburser/reconcile"
	"disburser/reconcile/statements"
)

// reconciliation compares commands, results and a statement.
type reconciliation struct {
	office
	Batch     string   `name:"batch" placeholder:"BATCH" help:"The payouts of this batch."`
	Since     api.Time `name:"since" placeholder:"TIME" help:"The payouts that came at this time or later, such as 2026-11-25T08:00:00Z, or a day in UTC; with --until."`
	Until     api.Time `name:"until" placeholder:"TIME" help:"The payouts that came before this time."`
	Statement string   `name:"statement" placeholder:"FILE" help:"A statement of the provider or the bank."`
	Format    string   `name:"format" enum:"table,camt053,mt940" default:"table" help:"What the statement is: table (CSV), camt053, or mt940."`
	Columns   string   `name:"columns" placeholder:"NAMES" help:"The columns of a table: tradeNo=…,amount=… and, where it has them, currency=…,status=…."`
	CSV       string   `name:"csv" placeholder:"FILE" help:"Writes the findings to FILE."`
}

// Help says what is compared, and what each class means.
func (*reconciliation) Help() string {
	return "Commands and results come from the back office's books. Lines of the statement for payouts outside of what is asked for are left out, and counted. " +
		"The classes: missing, a final result or a payment that should be there; unknown, nobody ordered it; duplicate, paid more than once, or two different results; " +
		"amount, another amount or currency than ordered; paid_but_failed, the result says paid and the statement failed or returned; failed_but_paid, the reverse; " +
		"not_due_yet, it may not be sent before a later time. Two runs over the same say the same, byte by byte. " +
		"What a statement doesn't say exactly ends the run with its line, and nothing is guessed. Exit status 1 if anything but not_due_yet is found."
}

func (*reconciliation) Examples() []cli.Example {
	return []cli.Example{
		{Line: "payctl reconcile --batch 2026-11-payroll", Does: "each payout of the batch has one final result, for what was ordered"},
		{Line: "payctl reconcile --batch 2026-11-payroll --statement november.csv --columns tradeNo=Order,amount=Amount,status=State", Does: "and the statement says the same"},
		{Line: "payctl reconcile --since 2026-11-01 --until 2026-12-01 --statement november.xml --format camt053 --json", Does: "a month, for a program"},
		{Line: "payctl reconcile --batch 2026-11-payroll --csv findings.csv", Does: "the findings as a table for a spreadsheet"},
	}
}

// Validate is called by the parser.
func (r *reconciliation) Validate() error {
	span := !r.Since.IsZero() || !r.Until.IsZero()
	switch {
	case r.Batch == "" && !span, r.Batch != "" && span:
		return errors.New("give --batch, or --since and --until")
	case span && !r.Since.Before(r.Until.Time):
		return errors.New("--since and --until must both be there, and --since must be earlier")
	case r.Statement == "" && (r.Columns != "" || r.Format != "table"):
		return errors.New("--columns and --format are about --statement: give it too")
	case r.Statement != "" && r.Format == "table" && r.Columns == "":
		return errors.New("which columns of the statement are meant? Say --columns tradeNo=Order,amount=Amount, or its --format if it is no table")
	case r.Format != "table" && r.Columns != "":
		return fmt.Errorf("a statement of the format %s has no columns: leave --columns out", r.Format)
	}
	return nil
}

// Run compares, and tells what doesn't agree.
func (r *reconciliation) Run(ctx context.Context, s cli.Streams) error {
	c, err := r.client()
	if err != nil {
		return err
	}
	lines, done, err := r.lines()
	if err != nil {
		return cli.Setup(err)
	}
	defer done()
	if err := r.warn(ctx, c, s); err != nil {
		return marked(err)
	}
	o := outside{ctx: ctx, client: c}
	payouts := 0
	in := reconcile.Input{Payouts: r.payouts(ctx, c, &payouts), Lines: lines}
	matched, err := reconcile.Each(in, reconcile.Options{Now: time.Now()}, o.take)
	if err == nil {
		err = o.flush()
	}
	if err != nil {
		return marked(err)
	}
	if payouts == 0 && r.Statement == "" {
		return errors.New("the books have no payout there, so nothing was compared")
	}
	report := reconcile.Report{Matched: matched, Findings: o.findings}
	slices.SortFunc(report.Findings, func(a, b reconcile.Finding) int {
		return cmp.Or(strings.Compare(a.TradeNo, b.TradeNo), cmp.Compare(a.Class, b.Class), strings.Compare(a.Detail, b.Detail))
	})
	if o.left > 0 {
		fmt.Fprintf(s.Err, "%s of the statement for payouts outside of what was asked for: left out\n", count(o.left, "tradeNo"))
	}
	if err := r.tell(s, report); err != nil {
		return err
	}
	if !report.Agrees() {
		return cli.Told(cli.Failed)
	}
	return nil
}

// warn tells what the books don't know yet, and makes sure that there is such a batch.
func (r *reconciliation) warn(ctx context.Context, c api.Client, s cli.Streams) error {
	overview, err := api.Get[api.Overview](ctx, c, "/overview", nil)
	if err != nil {
		return err
	}
	behind, unread := int64(0), 0
	for _, l := range overview.Books {
		if behind += max(0, l.Lag); l.Lag < 0 || l.Trouble != "" {
			unread++
		}
	}
	if len(overview.Books) == 0 || unread > 0 {
		fmt.Fprintf(s.Err, "warning: the books may be out of date: %d partitions can't be read now\n", unread)
	} else if behind > 0 {
		fmt.Fprintf(s.Err, "warning: the books have %d records yet to read: what is missing may be among them\n", behind)
	}
	if r.Batch == "" {
		return nil
	}
	b, err := api.Get[api.Batch](ctx, c, "/batches/"+url.PathEscape(r.Batch), nil)
	if err == nil && b.Size > b.Seen {
		fmt.Fprintf(s.Err, "warning: the batch was to have %d payouts, and %d have come: payctl batch %s --file FILE names the others\n", b.Size, b.Seen, cli.OneLine(r.Batch))
	}
	return err
}

// payouts are the commands and results of what is asked for.
func (r *reconciliation) payouts(ctx context.Context, c api.Client, n *int) iter.Seq2[reconcile.Payout, error] {
	query := url.Values{}
	if r.Batch != "" {
		query.Set("batch", r.Batch)
	} else {
		query.Set("since", timeText(r.Since.Time))
		query.Set("until", timeText(r.Until.Time))
	}
	return func(yield func(reconcile.Payout, error) bool) {
		for record, err := range c.EachRecord(ctx, query) {
			var p reconcile.Payout
			if err == nil {
				*n++
				p, err = payoutOf(record)
			}
			if !yield(p, err) || err != nil {
				return
			}
		}
	}
}

// payoutOf reads a record of the books. An amount that can't be read isn't known.
func payoutOf(record api.Record) (p reconcile.Payout, err error) {
	for _, one := range record.Orders {
		o := reconcile.Order{TradeNo: record.TradeNo, Amount: amountOf(one.Amount), Currency: one.Currency}
		if one.NotBefore != "" {
			if o.NotBefore, err = time.Parse(time.RFC3339, one.NotBefore); err != nil {
				return p, fmt.Errorf("%w as one does: the notBefore of %s", api.ErrNoAnswer, cli.OneLine(record.TradeNo))
			}
		}
		p.Orders = append(p.Orders, o)
	}
	for _, one := range record.Results {
		p.Results = append(p.Results, reconcile.Result{
			TradeNo: record.TradeNo, EventID: one.EventID, Type: one.Type, Amount: amountOf(one.Amount), Currency: one.Currency, PaidAmount: one.PaidAmount,
		})
	}
	return p, nil
}

func amountOf(text string) money.Amount {
	a, err := money.Read(text)
	if err != nil {
		return money.Amount{}
	}
	return a
}

// lines are those of the statement, nil without one.
func (r *reconciliation) lines() (lines iter.Seq2[reconcile.Line, error], done func(), err error) {
	if r.Statement == "" {
		return nil, func() {}, nil
	}
	read := map[string]func(io.Reader) iter.Seq2[reconcile.Line, error]{"camt053": statements.Camt053, "mt940": statements.MT940}[r.Format]
	if read == nil {
		columns, err := statements.ParseColumns(r.Columns)
		if err != nil {
			return nil, nil, fmt.Errorf("--columns: %w", err)
		}
		read = func(in io.Reader) iter.Seq2[reconcile.Line, error] { return statements.Table(in, columns) }
	}
	in, err := os.Open(r.Statement)
	if err != nil {
		return nil, nil, err
	}
	lines = func(yield func(reconcile.Line, error) bool) {
		for l, err := range read(bufio.NewReaderSize(in, 64<<10)) {
			if err != nil {
				err = cli.Setup(fmt.Errorf("%s: %w", r.Statement, err))
			}
			if !yield(l, err) {
				return
			}
		}
	}
	return lines, func() { _ = in.Close() }, nil // it was read only
}

// outside takes findings, and leaves out what the statement says of payouts that were ordered, but not asked for.
type outside struct {
	ctx      context.Context
	client   api.Client
	findings []reconcile.Finding
	pending  []reconcile.Finding // unknown, but perhaps outside
	left     int                 // tradeNos that were left out
}

// askAtOnce is how many tradeNos are looked up at a time: the API takes no more.
const askAtOnce = 100

func (o *outside) take(f reconcile.Finding) error {
	if f.Class != reconcile.Unknown || f.TradeNo == "" {
		o.findings = append(o.findings, f)
		return nil
	}
	if o.pending = append(o.pending, f); len(o.pending) < askAtOnce {
		return nil
	}
	return o.flush()
}

// flush asks the books about what is pending.
func (o *outside) flush() error {
	if len(o.pending) == 0 {
		return nil
	}
	var tradeNos []string
	for _, f := range o.pending {
		tradeNos = append(tradeNos, f.TradeNo)
	}
	known, err := api.Get[api.Records](o.ctx, o.client, "/records", url.Values{"tradeNos": {strings.Join(tradeNos, ",")}})
	if err != nil {
		return err
	}
	ordered := map[string]bool{}
	for _, record := range known.Records {
		ordered[record.TradeNo] = len(record.Orders) > 0
	}
	for _, f := range o.pending {
		if ordered[f.TradeNo] {
			o.left++
		} else {
			o.findings = append(o.findings, f)
		}
	}
	o.pending = o.pending[:0]
	return nil
}

// tell writes the report.
func (r *reconciliation) tell(s cli.Streams, report reconcile.Report) error {
	if report.Findings == nil {
		report.Findings = []reconcile.Finding{}
	}
	if r.CSV != "" {
		if err := r.writeCSV(report.Findings); err != nil {
			return fmt.Errorf("write %s: %w", r.CSV, err)
		}
	}
	if r.JSON {
		return printed(s.Out, report)
	}
	if r.CSV == "" {
		t := newTable(s.Out, "CLASS", "TRADENO", "WHAT")
		for _, f := range report.Findings {
			t.row(string(f.Class), f.TradeNo, f.Detail)
		}
		if err := t.flush(); err != nil {
			return err
		}
	}
	by, text := map[reconcile.Class]int{}, ""
	for _, f := range report.Findings {
		by[f.Class]++
	}
	for _, class := range []reconcile.Class{reconcile.Missing, reconcile.Unknown, reconcile.Duplicate, reconcile.Amount, reconcile.PaidButFailed, reconcile.FailedButPaid, reconcile.NotDueYet} {
		if by[class] > 0 {
			text += fmt.Sprintf(", %d %s", by[class], class)
		}
	}
	_, err := fmt.Fprintf(s.Out, "%s, %s%s\n", count(report.Matched, "payout")+" without a finding", count(len(report.Findings), "finding"), strings.Replace(text, ",", ":", 1))
	return err
}

// writeCSV writes the findings in one piece, for their owner only.
func (r *reconciliation) writeCSV(findings []reconcile.Finding) error {
	out, err := os.CreateTemp(filepath.Dir(r.CSV), "."+filepath.Base(r.CSV)+"-*")
	if err != nil {
		return err
	}
	defer os.Remove(out.Name()) //nolint:errcheck // it is gone once it has its name
	w := csv.NewWriter(out)
	rows := [][]string{{"class", "tradeNo", "detail"}}
	for _, f := range findings {
		rows = append(rows, []string{string(f.Class), inert(f.TradeNo), inert(cli.OneLine(f.Detail))})
	}
	err = w.WriteAll(rows)
	if err := errors.Join(err, out.Close()); err != nil {
		return err
	}
	return os.Rename(out.Name(), r.CSV)
}

// inert keeps a spreadsheet from taking a cell for a formula.
func inert(cell string) string {
	if cell != "" && strings.ContainsRune("=+-@", rune(cell[0])) {
		return "'" + cell
	}
	return cell
}
