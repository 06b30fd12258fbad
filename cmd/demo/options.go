package main

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"disburser/internal/cli"
)

// options are what the command line says.
type options struct {
	File string `name:"file" placeholder:"FILE" help:"Take the commands from FILE, one a line; blank lines are skipped. Without it: the sample payroll."`
	Seed uint64 `name:"seed" placeholder:"N" default:"1" help:"Number that chooses what fails and how."`
	// The default keeps the demo under a minute, with the drain after it.
	Limit      time.Duration `name:"limit" placeholder:"TIME" default:"55s" help:"Stop after this time and say what is still open."`
	Playground bool          `name:"playground" help:"Goes on until Ctrl-C, with payroll after payroll, and prints what to ask its back office."`

	Log string `name:"log" placeholder:"FILE" help:"Write what the instances log to FILE."`
}

// Help is what the help text says beyond the flags.
func (*options) Help() string {
	return `Kafka and Redis are embedded. The simulated Paypro fails, refuses, loses replies and pays twice what is sent twice. No money moves.

A command of your own for --file, to begin with; the merchants are eg-main (Egypt, EGP) and br-main (Brazil, BRL):

    {"tradeNo": "my-1", "merchant": "eg-main", "amount": "300", "payee": {"customerName": "kevin", "walletId": "01123456789"}}`
}

func (*options) Examples() []cli.Example {
	return []cli.Example{
		{Line: "demo", Does: "the sample payroll (cmd/demo/payroll in the repository), as make demo"},
		{Line: "demo --seed 7", Does: "the same, with other failures"},
		{Line: "demo --file mine.jsonl", Does: "your own commands, one message value a line, as make demo FILE=mine.jsonl"},
		{Line: "demo --playground", Does: "everything in one process until Ctrl-C, as make playground"},
		{Line: "demo --log demo.log", Does: "keeps what the two instances log"},
	}
}

// Validate is called by the parser.
func (o *options) Validate() error {
	if o.Playground && o.File != "" {
		return errors.New("--playground makes its own payrolls: leave --file out")
	}
	if o.Limit <= 0 {
		return errors.New("--limit must be more than nothing, such as 55s")
	}
	return nil
}

// Run sends the commands and shows how they go.
func (o *options) Run(ctx context.Context, s cli.Streams) error {
	if o.Playground {
		return play(ctx, *o, newScreen(s.Out))
	}
	lines, numbers, err := o.commands()
	if err != nil {
		return cli.Setup(err)
	}
	good, err := show(ctx, *o, lines, numbers, newScreen(s.Out))
	if err == nil && !good {
		return cli.Told(cli.Failed)
	}
	return err
}

//go:embed payroll/*.jsonl
var payroll embed.FS

// commands reads what is to be sent: the values of messages, one a line. Of a file it
// also answers which lines they are.
func (o *options) commands() (lines []string, numbers []int, err error) {
	if o.File == "" {
		lines, err = sample()
		return lines, nil, err
	}
	text, err := os.ReadFile(o.File)
	if err != nil {
		return nil, nil, fmt.Errorf("the commands of --file: %w", err)
	}
	number := 0
	for line := range strings.Lines(string(text)) {
		number++
		if found := split(line); len(found) > 0 {
			lines, numbers = append(lines, found...), append(numbers, number)
		}
	}
	if len(lines) == 0 {
		return nil, nil, fmt.Errorf("%s holds no command: it wants one a line, as JSON (see --help for one)", o.File)
	}
	return lines, numbers, nil
}

// sample is the payroll in the repository.
func sample() (lines []string, err error) {
	files, err := fs.Glob(payroll, "payroll/*.jsonl")
	for _, name := range files {
		text, e := payroll.ReadFile(name)
		err = errors.Join(err, e)
		lines = append(lines, split(string(text))...)
	}
	return lines, err
}

// split cuts a text into its lines, less the blank ones.
func split(text string) (lines []string) {
	for line := range strings.Lines(text) {
		if line = strings.TrimRight(line, "\r\n"); strings.TrimSpace(line) != "" {
			lines = append(lines, line)
		}
	}
	return lines
}
