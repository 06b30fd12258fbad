// Command bench measures the disburser; see the package disburser/internal/bench. It
// promises exit status 0 if everything was measured, whether goals were reached or not
// (1 with --strict), 1 if the measuring failed, 2 for a wrong command line; and that
// nothing of it runs or lies around afterwards but the report.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"disburser/internal/bench"
)

const usage = `bench measures the disburser on a real Kafka and a real Redis, which it empties.

Usage: make bench [ONLY=part,part] [BENCHFLAGS="--flag ..."]
       deployments/local/servers.sh with bin/bench [--only part,part] [flags]

Examples:
  make bench                                  everything, about 15 minutes
  make bench ONLY=throughput,rate             only these two
  make bench ONLY=throughput BENCHFLAGS="--profile /tmp"
                                              and CPU profiles of the service into /tmp
  make bench BENCHFLAGS=--quick               a tenth of everything: does the harness work?

Parts:
%s
It prints tables, writes the numbers into docs/performance.json, the plots into
docs/performance/ and the tables into docs/performance.md.

Flags:
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	status := command(ctx, os.Args[1:])
	stop()
	os.Exit(status) //nolint:forbidigo // a program, though it lives in internal
}

func command(ctx context.Context, args []string) int {
	o := bench.Options{Out: os.Stdout, Kafka: os.Getenv("DISBURSER_KAFKA"), Redis: os.Getenv("DISBURSER_REDIS"), Terminal: terminal(os.Stdout)}
	fs := flag.NewFlagSet("bench", flag.ContinueOnError)
	fs.Usage = func() {
		fmt.Fprintf(fs.Output(), usage, bench.List())
		fs.PrintDefaults()
	}
	only := fs.String("only", "", "the `parts` to measure, with commas between; default: all")
	strict := fs.Bool("strict", false, "exit status 1 if a goal was missed")
	fs.StringVar(&o.Root, "root", ".", "the repository's `directory`")
	fs.BoolVar(&o.Quick, "quick", false, "a tenth of everything, and no report")
	fs.StringVar(&o.Profile, "profile", "", "`directory` for CPU profiles of the service (part throughput)")
	switch err := fs.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil || fs.NArg() > 0:
		fmt.Fprintln(os.Stderr, "bench: see --help")
		return 2
	}
	if *only != "" {
		o.Only = strings.Split(*only, ",")
	}
	reached, err := bench.Run(ctx, o)
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		return 1
	}
	if *strict && !reached {
		return 1
	}
	return 0
}

// terminal tells whether a person is watching.
func terminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0 && os.Getenv("NO_COLOR") == ""
}
