// Command chaos breaks everything around the disburser and counts what it cost; see the package
// disburser/internal/chaos. It promises exit status 0 if every promise held, 1 if one was broken
// or chaos itself failed, and 2 for a wrong command line. Afterwards no process of it runs, also
// after Ctrl-C. The only files that it leaves are evidence of violations.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"disburser/internal/chaos"
	"disburser/internal/cli"
)

// options are what the command line says.
type options struct {
	Only     string  `name:"only" placeholder:"NAME,NAME" help:"The scenarios to play, with commas between. Without it: all."`
	List     bool    `name:"list" help:"Tell the scenarios and end."`
	Seconds  int     `name:"seconds" placeholder:"SECONDS" default:"30" help:"How long each scenario's faults go on."`
	Seed     uint64  `name:"seed" placeholder:"N" default:"1" help:"Number that chooses payouts and victims."`
	Rate     float64 `name:"rate" placeholder:"N" default:"80" help:"Payouts a second."`
	Evidence string  `name:"evidence" placeholder:"FOLDER" default:"${evidence}" help:"Where logs of violations go."`
	Keep     bool    `name:"keep" help:"Keep the logs also of what held."`
}

// Help is what the help text says beyond the flags.
func (*options) Help() string {
	return "It is run in the repository's root and starts its own servers: make chaos builds it first, with ONLY=kill,wipe and CHAOSFLAGS=\"--seconds 15\"."
}

func (*options) Examples() []cli.Example {
	return []cli.Example{
		{Line: "chaos", Does: "every scenario, about 35 minutes"},
		{Line: "chaos --list"},
		{Line: "chaos --only kill,wipe --seconds 15 --seed 7", Does: "two of them, shorter, with other payouts"},
	}
}

// Validate is called by the parser.
func (o *options) Validate() error {
	switch {
	case o.Seconds < 1:
		return errors.New("--seconds must be at least 1")
	case !(o.Rate > 0): // NaN too
		return errors.New("--rate must be more than 0")
	}
	return nil
}

// Run plays the scenarios.
func (o *options) Run(ctx context.Context, s cli.Streams) error {
	if o.List {
		for _, scenario := range chaos.List() {
			fmt.Fprintf(s.Out, "%-12s %s\n", scenario.Name, scenario.About)
		}
		return nil
	}
	c := chaos.Options{
		Root: ".", Out: s.Out, Duration: time.Duration(o.Seconds) * time.Second,
		Seed: o.Seed, Rate: o.Rate, Evidence: o.Evidence, Keep: o.Keep,
	}
	if o.Only != "" {
		c.Only = strings.Split(o.Only, ",")
	}
	held, err := chaos.Run(ctx, c)
	if err == nil && !held {
		return cli.Told(cli.Failed)
	}
	return err
}

func program() cli.Program {
	return cli.Program{
		Name: "chaos", Grammar: &options{},
		About:    "chaos breaks everything around the disburser while payouts flow, and counts what it cost.",
		Vars:     map[string]string{"evidence": filepath.Join(os.TempDir(), "disburser-chaos-evidence")},
		Statuses: [3]string{cli.Done: "every promise held", cli.Failed: "a promise was broken, or the stage itself broke", cli.Wrong: "wrong usage"},
	}
}

func main() {
	os.Exit(cli.Main(program())) //nolint:forbidigo // a program, though it lives in internal
}
