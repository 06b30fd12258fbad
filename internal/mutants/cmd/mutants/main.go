// Command mutants takes the guards of the protocol away, one at a time, and looks whether a test
// notices; see the package disburser/internal/mutants. It promises exit status 0 if every mutant
// was killed. The status is 1 if one survived or the run itself failed, and 2 for a wrong
// command line. The source tree is never touched.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"disburser/internal/cli"
	"disburser/internal/mutants"
)

// options are what the command line says.
type options struct {
	Only    string        `name:"only" placeholder:"TEXT,TEXT" help:"Rules, or words of the guards' names, with commas between. Without it: all."`
	List    bool          `name:"list" help:"Tell the guards, and what goes wrong without each, and end."`
	Sample  int           `name:"sample" placeholder:"N" default:"0" help:"Draw so many mutants; 0 = all."`
	Seed    *uint64       `name:"seed" placeholder:"N" help:"What the sample is drawn by. It is printed, so that it can be drawn again. Without it: the time."`
	Part    string        `name:"part" placeholder:"K/N" help:"The K-th of N parts of them, about equally long, such as 2/3. Without it: the whole."`
	Jobs    int           `name:"jobs" placeholder:"N" default:"2" help:"How many mutants at a time."`
	Timeout time.Duration `name:"timeout" placeholder:"TIME" default:"1m" help:"How long one killer may take."`
}

// Help is what the help text says beyond the flags.
func (*options) Help() string {
	return "Each guard is taken out in an overlay: the source tree is never touched. It is run in the repository's root; make mutants builds it first."
}

func (*options) Examples() []cli.Example {
	return []cli.Example{
		{Line: "mutants", Does: "all of them (some minutes)"},
		{Line: "mutants --list", Does: "which guards there are, and what goes wrong without each"},
		{Line: "mutants --only S4,watermark", Does: "the guards of a rule, or with a word in their names"},
		{Line: "mutants --sample 8", Does: "some that are drawn anew each time"},
		{Line: "mutants --sample 8 --seed 7", Does: "some that are drawn by a number"},
		{Line: "mutants --part 2/3", Does: "the second third of them; all three parts together are the whole"},
		{Line: "mutants --jobs 1", Does: "one at a time, for a machine that is busy"},
	}
}

// Validate is called by the parser.
func (o *options) Validate() error {
	switch {
	case o.Jobs < 1:
		return errors.New("--jobs must be at least 1")
	case o.Sample < 0:
		return errors.New("--sample must not be negative")
	case o.Timeout <= 0:
		return errors.New("--timeout must be more than nothing, such as 1m")
	}
	_, _, err := o.part()
	return err
}

// part is what the flag says: the whole is part 1 of 1.
func (o *options) part() (part, n int, err error) {
	if o.Part == "" {
		return 1, 1, nil
	}
	k, of, _ := strings.Cut(o.Part, "/")
	part, errK := strconv.Atoi(k)
	n, errN := strconv.Atoi(of)
	if errK != nil || errN != nil || part < 1 || part > n {
		return 0, 0, fmt.Errorf("--part must be two numbers such as 2/3, and the first no larger than the second: it is %q", o.Part)
	}
	return part, n, nil
}

// Run takes the guards out.
func (o *options) Run(ctx context.Context, s cli.Streams) error {
	guards, err := o.guards(s)
	if err != nil {
		return cli.Usage(err)
	}
	if o.List {
		for _, g := range guards {
			fmt.Fprintf(s.Out, "%-44s %2d  %s\n", g.Name, len(g.Mutants), g.Without)
		}
		return nil
	}
	all, err := mutants.Run(ctx, mutants.Options{Root: ".", Out: s.Out, Color: cli.Colour(s.Out), Guards: guards, Jobs: o.Jobs, Timeout: o.Timeout})
	if err == nil && !all {
		return cli.Told(cli.Failed)
	}
	return err
}

// guards are those that the flags choose.
func (o *options) guards(s cli.Streams) ([]mutants.Guard, error) {
	var texts []string
	if o.Only != "" {
		texts = strings.Split(o.Only, ",")
	}
	guards, err := mutants.Select(mutants.All(), texts)
	if err != nil {
		return nil, err
	}
	part, n, err := o.part()
	if err != nil {
		return nil, err
	}
	if guards = mutants.Part(guards, part, n); o.Sample == 0 {
		return guards, nil
	}
	seed := uint64(time.Now().Unix()) //nolint:gosec // after 1970
	if o.Seed != nil {
		seed = *o.Seed
	}
	fmt.Fprintf(s.Out, "a sample, again with --sample %d --seed %d\n", o.Sample, seed)
	return mutants.Sample(guards, o.Sample, seed), nil
}

func program() cli.Program {
	return cli.Program{
		Name: "mutants", Grammar: &options{},
		About:    "mutants takes each guard of the protocol out of the code, one at a time, and runs the test that must notice.",
		Statuses: [3]string{cli.Done: "every mutant was noticed", cli.Failed: "one was not, or the run itself broke", cli.Wrong: "wrong usage"},
	}
}

func main() {
	os.Exit(cli.Main(program())) //nolint:forbidigo // a program, though it lives in internal
}
