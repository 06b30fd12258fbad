package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"text/tabwriter"
	"time"

	"disburser/backoffice/files"
	"disburser/internal/cli"
	"disburser/internal/rehearsal"
	"disburser/internal/rules"
)

// rehearse plays a file of payouts through the service, in virtual time.
type rehearse struct {
	File      string        `arg:"" name:"file" help:"A table (CSV), or JSON lines."`
	Config    string        `name:"config" required:"" placeholder:"FILE" help:"The disburser's configuration. Only what says how payouts go is read: it needs no secret and no address."`
	Day       string        `name:"day" enum:"calm,bad" default:"calm" help:"What is assumed of the provider: calm, or bad."`
	Instances int           `name:"instances" default:"2" placeholder:"N" help:"How many instances of the service share the work (default: 2)."`
	Begins    time.Time     `name:"begins" format:"2006-01-02T15:04:05Z07:00" placeholder:"TIME" help:"When the file is sent (default: now)."`
	Limit     time.Duration `name:"limit" default:"24h" placeholder:"TIME" help:"How long after that it is watched at most (default: 24h)."`
	JSON      bool          `name:"json" help:"Prints one JSON value."`
}

// Help says what is played, and what it is worth.
func (*rehearse) Help() string {
	return "The program is the service itself, with your rates, polling and rules for holds. Kafka, Redis and the provider are played in this process. " +
		"Time is virtual: an hour takes seconds, and a large file some minutes. Nothing is sent, and nothing is connected to. " +
		"The answer is as good as its assumptions, which it names: nobody has measured how fast the provider settles. " +
		"The days: calm, the provider answers and pays; bad, it is slow, loses answers, and is down for three minutes."
}

func (*rehearse) Examples() []cli.Example {
	return []cli.Example{
		{Line: "payctl rehearse payroll.csv --config disburser.yaml", Does: "when the last outcome comes, how many asks and holds, the busiest second"},
		{Line: "payctl rehearse payroll.csv --config disburser.yaml --day bad --begins 2026-12-24T09:00:00+02:00", Does: "the same for a bad day of the provider"},
	}
}

// mostInstances is a bound against mistyping: all of them run in this process.
const mostInstances = 16

// Run checks the file, plays it and tells how it went.
func (r *rehearse) Run(ctx context.Context, s cli.Streams) error {
	if r.Instances < 1 || r.Instances > mostInstances {
		return cli.Usage(fmt.Errorf("--instances must be 1 to %d", mostInstances))
	}
	if r.Limit <= 0 {
		return cli.Usage(errors.New("--limit must be above 0"))
	}
	if r.Begins.IsZero() {
		r.Begins = time.Now().Truncate(time.Second)
	}
	total, err := r.good(s)
	if err != nil {
		return err
	}
	order := rehearsal.Order{
		File: r.File, Config: r.Config, Day: rehearsal.Day(r.Day), Instances: r.Instances, Begins: r.Begins.UTC(), Limit: r.Limit,
	}
	report, err := rehearsal.Start(ctx, order, progress(s, total))
	if cli.Terminal(s.Err) {
		fmt.Fprint(s.Err, "\r\x1b[K")
	}
	if err != nil {
		return fmt.Errorf("rehearse %s: %w", r.File, err)
	}
	if r.JSON {
		return json.NewEncoder(s.Out).Encode(report)
	}
	r.tell(s, report)
	return nil
}

// good makes sure that the file could be sent, and counts its payouts.
func (r *rehearse) good(s cli.Streams) (payouts int, err error) {
	merchants, err := rules.Load(r.Config)
	if err != nil {
		return 0, cli.Setup(err)
	}
	in, err := os.Open(r.File)
	if err != nil {
		return 0, cli.Setup(err)
	}
	defer in.Close()
	report, err := files.Check(in, merchants, r.Begins)
	if err != nil {
		return 0, cli.Setup(fmt.Errorf("read %s: %w", r.File, err))
	}
	for _, t := range report.Totals {
		payouts += t.Count
	}
	if n := len(report.Problems); n > 0 {
		return 0, cli.Setup(fmt.Errorf("%s has %s: payctl check %s --config %s tells them all", r.File, count(n, "problem"), r.File, r.Config))
	}
	if payouts == 0 {
		return 0, cli.Setup(fmt.Errorf("%s has no payouts", r.File))
	}
	return payouts, nil
}

// progress shows how far it is: in one line that changes, or now and then in a line of its own.
func progress(s cli.Streams, total int) func(rehearsal.Progress) {
	begin, end, every := "", "\n", 10*time.Second
	if cli.Terminal(s.Err) {
		begin, end, every = "\r\x1b[K", "", 100*time.Millisecond
	}
	shown := time.Now()
	return func(p rehearsal.Progress) {
		if time.Since(shown) < every {
			return
		}
		shown = time.Now()
		fmt.Fprintf(s.Err, "%s%v after the orders: %d of %d have an outcome, %d held%s", begin, p.Passed.Round(time.Second), p.Settled, total, p.Held, end)
	}
}

func (r *rehearse) tell(s cli.Streams, report rehearsal.Report) {
	fmt.Fprintf(s.Out, "%s: %s, rehearsed for a %s day that begins at %s; nothing was sent\n",
		r.File, count(report.Payouts, "payout"), report.Day, report.Begins.Format(time.RFC3339))
	if !report.Finished {
		fmt.Fprintf(s.Out, "It was not finished after %v: some payouts are open. See --limit.\n", r.Limit)
	}
	w := tabwriter.NewWriter(s.Out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "\nmerchant\tpayouts\tpaid\tpartial\tfailed\trejected\theld\topen\thalf after\tlast after\tlast at\t\n")
	for _, m := range report.Merchants {
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%v\t%v\t%s\t\n", m.Merchant, m.Payouts, m.Paid, m.Partial, m.Failed, m.Rejected, m.Held, m.Open,
			m.HalfAfter, m.LastAfter, report.Begins.Add(time.Duration(m.LastAfter)).Format("02 Jan 15:04:05Z"))
	}
	_ = w.Flush() // to a terminal: there is nobody left to tell
	fmt.Fprintf(w, "\nmerchant\tsends\tasks\tasks per payout\tbusiest second: sends\tasks\t\n")
	for _, m := range report.Merchants {
		fmt.Fprintf(w, "%s\t%d\t%d\t%.1f\t%d\t%d\t\n", m.Merchant, m.Sends, m.Asks, float64(m.Asks)/float64(m.Payouts), m.BusiestSends, m.BusiestAsks)
	}
	_ = w.Flush() // as above
	fmt.Fprintf(s.Out, "\nassumed:\n")
	for _, a := range report.Assumed {
		fmt.Fprintf(s.Out, "- %s\n", a)
	}
}
