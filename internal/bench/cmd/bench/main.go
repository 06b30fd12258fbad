// Command bench measures the disburser; see the package disburser/internal/bench. It promises
// exit status 0 if everything was measured, also where a goal was missed (with --strict that is
// 1). It is 1 if the measuring failed, and 2 for a wrong command line. Afterwards no process of
// it runs and no file of it is left but the report.
package main

import (
	"context"
	"os"
	"strings"
	"time"

	"disburser/internal/bench"
	"disburser/internal/cli"
)

// options are what the command line says.
type options struct {
	Only    string        `name:"only" placeholder:"PART,PART" help:"The parts to measure, with commas between. Without it: all."`
	Rows    string        `name:"rows" placeholder:"ROW,ROW" help:"Single rows to measure, such as 1x50x1 or idle-1, instead of parts. Nothing is written then."`
	Watch   time.Duration `name:"watch" placeholder:"TIME" default:"30s" help:"How long each row of the parts limit and idle is measured."`
	Payouts int           `name:"payouts" placeholder:"COUNT" default:"100000" help:"How many payouts the books have (part books)."`
	Strict  bool          `name:"strict" help:"Exit status 1 if a goal was missed."`
	Root    string        `name:"root" placeholder:"FOLDER" default:"." help:"The repository's folder."`
	Quick   bool          `name:"quick" help:"A tenth of everything, and no report: does the harness work?"`
	Profile string        `name:"profile" placeholder:"FOLDER" help:"Where profiles of the service and its heap go (parts throughput, limit and idle)."`
}

// Help is what the help text says beyond the flags.
func (*options) Help() string {
	return `It wants a real Kafka and a real Redis, which it empties. Their addresses stand in DISBURSER_KAFKA and DISBURSER_REDIS. "make bench" builds it and
starts both; ONLY=throughput,rate and BENCHFLAGS="--profile /tmp" are its flags then.

It prints tables, writes the numbers into docs/performance.json, the plots into docs/performance/ and the tables into docs/performance.md.

Parts:

` + "  " + strings.ReplaceAll(bench.List(), "\n", "\n  ")
}

func (*options) Examples() []cli.Example {
	return []cli.Example{
		{Line: "bench", Does: "everything, about half an hour"},
		{Line: "bench --only throughput,rate", Does: "only these two"},
		{Line: "bench --rows 1x50x1,idle-1 --watch 15s", Does: "only these rows, and nothing is written"},
		{Line: "bench --only throughput --profile /tmp", Does: "and CPU profiles of the service into /tmp"},
		{Line: "bench --quick", Does: "a tenth of everything: does the harness work?"},
	}
}

// Run measures.
func (o *options) Run(ctx context.Context, s cli.Streams) error {
	b := bench.Options{
		Root: o.Root, Quick: o.Quick, Watch: o.Watch, Profile: o.Profile, Kafka: os.Getenv("DISBURSER_KAFKA"), Redis: os.Getenv("DISBURSER_REDIS"), Postgres: os.Getenv("DISBURSER_POSTGRES"),
		Out: s.Out, Terminal: cli.Colour(s.Out),
	}
	if !o.Quick {
		b.Payouts = o.Payouts
	}
	if o.Only != "" {
		b.Only = strings.Split(o.Only, ",")
	}
	if o.Rows != "" {
		b.Rows = strings.Split(o.Rows, ",")
	}
	reached, err := bench.Run(ctx, b)
	if err == nil && o.Strict && !reached {
		return cli.Told(cli.Failed)
	}
	return err
}

func program() cli.Program {
	return cli.Program{
		Name: "bench", About: "bench measures the disburser on a real Kafka and a real Redis.", Grammar: &options{},
		Statuses: [3]string{
			cli.Done:   "everything was measured, whether goals were reached or not",
			cli.Failed: "the measuring failed, or with --strict a goal was missed",
			cli.Wrong:  "wrong usage",
		},
	}
}

func main() {
	os.Exit(cli.Main(program())) //nolint:forbidigo // a program, though it lives in internal
}
