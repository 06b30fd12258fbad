// Command mutants takes the guards of the protocol away, one at a time, and looks whether
// a test notices; see the package disburser/internal/mutants. It promises exit status 0 if
// every mutant was killed, 1 if one was not or the run itself broke, 2 for a wrong command
// line, and that the source tree is never touched.
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
	"time"

	"disburser/internal/mutants"
)

const help = `mutants takes each guard of the protocol out of the code, one at a time and in an overlay, and runs the
test that must notice. It is run in the repository's root.

  mutants                       all of them (some minutes)
  mutants --list                which guards there are, and what goes wrong without each
  mutants --only S4,watermark   the guards of a rule, or with a word in their names
  mutants --sample 8            some that are drawn, by --seed or anew each time
  mutants --jobs 1              one at a time, for a machine that is busy

`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	status := command(ctx, os.Args[1:])
	stop()
	os.Exit(status) //nolint:forbidigo // a program, though it lives in internal
}

func command(ctx context.Context, args []string) int {
	o := mutants.Options{Root: ".", Out: os.Stdout, Color: terminal()}
	fs := flag.NewFlagSet("mutants", flag.ContinueOnError)
	fs.Usage = func() { fmt.Fprint(fs.Output(), help); fs.PrintDefaults() }
	only := fs.String("only", "", "`rules` or words of the guards' names, with commas between; default: all")
	list := fs.Bool("list", false, "tell the guards and end")
	sample := fs.Int("sample", 0, "draw so `many` mutants; 0: all")
	seed := fs.Uint64("seed", uint64(time.Now().Unix()), "what the sample is drawn by; it is printed, so that it can be drawn again")
	fs.IntVar(&o.Jobs, "jobs", 2, "how many mutants at a time")
	fs.DurationVar(&o.Timeout, "timeout", time.Minute, "how long one killer may take")
	switch err := fs.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil || fs.NArg() > 0 || o.Jobs < 1 || *sample < 0 || o.Timeout <= 0:
		fmt.Fprintln(os.Stderr, "mutants: see --help")
		return 2
	}
	var texts []string
	if *only != "" {
		texts = strings.Split(*only, ",")
	}
	guards, err := mutants.Select(mutants.All(), texts)
	if err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
		return 2
	}
	if *sample > 0 {
		guards = mutants.Sample(guards, *sample, *seed)
		fmt.Fprintf(os.Stdout, "a sample, again with --sample %d --seed %d\n", *sample, *seed)
	}
	o.Guards = guards
	if *list {
		for _, g := range guards {
			fmt.Fprintf(os.Stdout, "%-44s %2d  %s\n", g.Name, len(g.Mutants), g.Without)
		}
		return 0
	}
	all, err := mutants.Run(ctx, o)
	if err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
		return 1
	}
	if !all {
		return 1
	}
	return 0
}

// terminal tells whether somebody is looking.
func terminal() bool {
	info, err := os.Stdout.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0 && os.Getenv("NO_COLOR") == ""
}
