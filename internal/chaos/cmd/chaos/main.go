// Command chaos breaks everything around the disburser and counts what it cost; see the
// package disburser/internal/chaos. It promises exit status 0 if every promise held, 1 if
// one was broken or the stage itself broke, 2 for a wrong command line, and that nothing
// of it runs or lies around afterwards, also after Ctrl-C; only evidence of violations
// stays.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"disburser/internal/chaos"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	status := command(ctx, os.Args[1:])
	stop()
	os.Exit(status) //nolint:forbidigo // a program, though it lives in internal
}

func command(ctx context.Context, args []string) int {
	o := chaos.Options{Root: ".", Out: os.Stdout}
	fs := flag.NewFlagSet("chaos", flag.ContinueOnError)
	only := fs.String("only", "", "the `scenarios` to play, with commas between; default: all")
	list := fs.Bool("list", false, "tell the scenarios and end")
	seconds := fs.Int("seconds", 30, "how long each scenario's faults go on")
	fs.Uint64Var(&o.Seed, "seed", 1, "`number` that chooses payouts and victims")
	fs.Float64Var(&o.Rate, "rate", 80, "payouts a second")
	fs.StringVar(&o.Evidence, "evidence", filepath.Join(os.TempDir(), "disburser-chaos-evidence"), "`directory` for logs of violations")
	fs.BoolVar(&o.Keep, "keep", false, "keep the logs also of what held")
	switch err := fs.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil || fs.NArg() > 0 || *seconds < 1 || o.Rate <= 0:
		fmt.Fprintln(os.Stderr, "chaos: see --help; it is run in the repository's root")
		return 2
	}
	if *list {
		for _, s := range chaos.List() {
			fmt.Fprintf(os.Stdout, "%-10s %s\n", s.Name, s.About)
		}
		return 0
	}
	if *only != "" {
		o.Only = strings.Split(*only, ",")
	}
	o.Duration = time.Duration(*seconds) * time.Second
	held, err := chaos.Run(ctx, o)
	if err != nil {
		fmt.Fprintln(os.Stderr, "chaos:", err)
		return 1
	}
	if !held {
		return 1
	}
	return 0
}
