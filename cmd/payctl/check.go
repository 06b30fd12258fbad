package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"disburser/backoffice/api"
	"disburser/backoffice/files"
	"disburser/internal/cli"
	"disburser/internal/rows"
	"disburser/internal/rules"
)

// check looks at a file of payouts.
type check struct {
	File   string `arg:"" name:"file" help:"A table (CSV), or JSON lines."`
	Config string `name:"config" placeholder:"FILE" help:"The disburser's configuration. Only country, currency, fields and amount of its merchants are read: it needs no secret. Without it the back office is asked."`
	office
}

// Help says what is looked at.
func (*check) Help() string {
	return "The rules are those by which the service takes a payout in. Beside them: tradeNos that stand twice, columns that are missing or unknown, " +
		"and what spreadsheets do to numbers. No payout is sent. With --config nothing is connected to. " +
		"A table with problems is written to FILE.errors.csv, with a column error: correct it there and check it again. " +
		"No problem shows a payee's value, but FILE.errors.csv has them as FILE has."
}

func (*check) Examples() []cli.Example {
	return []cli.Example{
		{Line: "payctl check payroll.csv --config disburser.yaml", Does: "each problem with its line, its column and what to write instead"},
		{Line: "payctl check payroll.csv --config disburser.yaml --json", Does: "the same for a program"},
		{Line: "payctl check payroll.csv", Does: "by the rules of the back office"},
	}
}

// Run checks the file, and writes the one with the errors.
func (k *check) Run(ctx context.Context, s cli.Streams) error {
	var merchants rules.Merchants
	if k.Config != "" {
		var err error
		if merchants, err = rules.Load(k.Config); err != nil {
			return cli.Setup(err)
		}
	}
	in, err := os.Open(k.File)
	if err != nil {
		return cli.Setup(err)
	}
	defer in.Close()
	before, err := regular(in)
	if err != nil {
		return err
	}
	var report files.Report
	var known api.Known
	if k.Config != "" {
		if report, err = files.Check(in, merchants, time.Now()); err != nil {
			err = cli.Setup(fmt.Errorf("read %s: %w", k.File, err))
		}
	} else {
		report, known, err = k.ask(ctx, in)
	}
	if err != nil {
		return err
	}
	err = k.write(s, in, before, report, merchants)
	if known.SameAs != "" && !k.JSON {
		fmt.Fprintln(s.Out, sameAs(known))
	}
	return err
}

// regular refuses what can't be read twice, such as a folder or a pipe.
func regular(in *os.File) (os.FileInfo, error) {
	info, err := in.Stat()
	switch {
	case err != nil:
		return nil, cli.Setup(err)
	case info.IsDir():
		return nil, cli.Setup(fmt.Errorf("%s is a folder: name a file in it", in.Name()))
	case !info.Mode().IsRegular():
		return nil, cli.Setup(fmt.Errorf("%s is no regular file: save what it has as one", in.Name()))
	}
	return info, nil
}

// ask has the back office look at the file. It knows which of it was ordered before.
func (k *check) ask(ctx context.Context, in *os.File) (files.Report, api.Known, error) {
	c, err := k.client()
	if err != nil {
		return files.Report{}, api.Known{}, err
	}
	answer, err := api.Send[api.File](ctx, c, "/batches", url.Values{"dry_run": {"true"}}, contentType, in)
	var bad *api.BadFile
	if errors.As(err, &bad) {
		bad.Report.Table, err = isTable(in)
		return bad.Report, api.Known{}, err
	}
	return answer.Report, answer.Known, marked(err)
}

// isTable tells by its first character whether a file is a table, and not JSON lines.
func isTable(in *os.File) (bool, error) {
	head := make([]byte, 1<<10)
	n, err := in.ReadAt(head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return false, err
	}
	return !strings.HasPrefix(strings.TrimLeft(strings.TrimPrefix(string(head[:n]), "\ufeff"), " \t\r\n"), "{"), nil
}

// write writes the file with the errors, and tells all.
func (k *check) write(s cli.Streams, in *os.File, before os.FileInfo, report files.Report, merchants rules.Merchants) (err error) {
	written := ""
	if len(report.Problems) > 0 && report.Table {
		written = k.File + ".errors.csv"
		err = k.writeErrors(in, before, written, report.Problems, merchants)
	}
	var fault *rows.Fault
	if errors.Is(err, io.EOF) || errors.As(err, &fault) { // it is no table at all, which the problems say
		written, err = "", nil
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", written, err)
	}
	return k.tell(s, report, written)
}

// writeErrors writes the file with its errors in one piece, for its owner only.
func (k *check) writeErrors(in *os.File, before os.FileInfo, name string, problems []files.Problem, merchants rules.Merchants) error {
	after, err := os.Stat(k.File)
	if err == nil && (!os.SameFile(before, after) || after.Size() != before.Size() || !after.ModTime().Equal(before.ModTime())) {
		err = fmt.Errorf("%s has changed meanwhile: check it again", k.File)
	}
	if err != nil {
		return err
	}
	if _, err := in.Seek(0, io.SeekStart); err != nil {
		return err
	}
	out, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+"-*")
	if err != nil {
		return err
	}
	defer os.Remove(out.Name()) //nolint:errcheck // it is gone once it has its name
	err = files.WriteErrors(in, out, problems, merchants)
	if err := errors.Join(err, out.Close()); err != nil {
		return err
	}
	return os.Rename(out.Name(), name)
}

// tell prints what was found.
func (k *check) tell(s cli.Streams, report files.Report, written string) error {
	if k.JSON {
		if err := printed(s.Out, report); err != nil {
			return err
		}
	} else {
		k.tellPeople(s, report, written)
	}
	if len(report.Problems) > 0 {
		return cli.Told(cli.Wrong)
	}
	return nil
}

func (k *check) tellPeople(s cli.Streams, report files.Report, written string) {
	lines := map[int]bool{}
	for _, p := range report.Problems {
		lines[p.Line] = true
		fmt.Fprintf(s.Out, "%s:%d: %s\n", cli.OneLine(k.File), p.Line, cli.OneLine(p.String())) // a column has the file's own name
	}
	if report.More > 0 {
		fmt.Fprintf(s.Out, "%s more, of which none is listed\n", count(report.More, "problem"))
	}
	switch {
	case len(report.Problems) == 0:
		fmt.Fprintf(s.Out, "%s: no problem; nothing was sent\n", k.File)
	case written == "":
		fmt.Fprintf(s.Out, "\n%s on %s; nothing was sent\n", count(len(report.Problems), "problem"), count(len(lines), "line"))
	default:
		fmt.Fprintf(s.Out, "\n%s on %s; nothing was sent. %s has them: correct it there\n", count(len(report.Problems), "problem"), count(len(lines), "line"), written)
	}
	w := tabwriter.NewWriter(s.Out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "\nmerchant\tcurrency\tgood payouts\tsum\t\n")
	for _, t := range report.Totals {
		fmt.Fprintf(w, "%s\t%s\t%d\t%s\t\n", cli.OneLine(t.Merchant), cli.OneLine(t.Currency), t.Count, cli.OneLine(t.Sum))
	}
	_ = w.Flush() // to a terminal: there is nobody left to tell
	fmt.Fprintf(s.Out, "\n%s with payouts, digest of the good ones %s\n", count(report.Lines, "line"), cli.OneLine(report.Digest))
}

// count is a number of things.
func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}
