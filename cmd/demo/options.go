package main

import (
	"embed"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"
)

// defaultLimit keeps the demo under a minute, with the drain after it.
const defaultLimit = 55 * time.Second

const usage = `demo sends a payroll through two disbursers in one process: embedded Kafka and Redis,
and a simulated Paypro that fails, refuses, loses replies and pays twice what is sent twice.
Then it compares every result with the simulator's own books. No money moves.

Usage:
  demo [--file FILE] [--seed N] [--limit 55s] [--log FILE]

Examples:
  demo                              the sample payroll (cmd/demo/payroll in the repository)
  demo --seed 7                     the same, with other failures
  demo --file mine.jsonl            your own commands, one message value a line; merchants:
                                    eg-main (Egypt, EGP) and br-main (Brazil, BRL)
  demo --log demo.log               keeps what the two instances log
  make demo FILE=mine.jsonl

A command of your own, to begin with:
  {"tradeNo": "my-1", "merchant": "eg-main", "amount": "300", "payee": {"customerName": "kevin", "walletId": "01123456789"}}

Exit status: 0 each payout has exactly one final result that the simulator's books agree
with, and nothing was paid twice; 1 something is wrong or still open (a payout with a
later notBefore too: nobody waits for it); 2 wrong usage.

Flags:
  --file FILE    take the commands from FILE, one a line; blank lines are skipped
  --seed N       chooses what fails and how (1)
  --limit TIME   stop after this time and say what is still open (55s)
  --log FILE     write what the instances log to FILE
`

// options are what the command line says.
type options struct {
	file  string
	seed  uint64
	limit time.Duration
	log   string
}

func parse(args []string, stdout io.Writer) (options, error) {
	o := options{}
	f := flag.NewFlagSet("demo", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	f.StringVar(&o.file, "file", "", "")
	f.Uint64Var(&o.seed, "seed", 1, "")
	f.DurationVar(&o.limit, "limit", defaultLimit, "")
	f.StringVar(&o.log, "log", "", "")
	err := f.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(stdout, usage)
		return o, err
	case err != nil:
		return o, err
	case f.NArg() > 0:
		return o, fmt.Errorf("%q is not expected here; a file of commands goes after --file", f.Arg(0))
	case o.limit <= 0:
		return o, errors.New("--limit must be more than nothing, such as 55s")
	}
	return o, nil
}

//go:embed payroll/*.jsonl
var payroll embed.FS

// commands reads what is to be sent: the values of messages, one a line. Of a file it
// also answers which lines they are.
func (o options) commands() (lines []string, numbers []int, err error) {
	if o.file == "" {
		lines, err = sample()
		return lines, nil, err
	}
	text, err := os.ReadFile(o.file)
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
		return nil, nil, fmt.Errorf("%s holds no command: it wants one a line, as JSON (see --help for one)", o.file)
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
