package main

import (
	"testing"

	"disburser/internal/cli"
	"disburser/internal/cli/clitest"
)

func TestCommandLines(t *testing.T) {
	clitest.Check(t, program())
	clitest.Lines(t, program(), clitest.Table{
		{"--list", cli.Done, "watermark"},
		{"-list --only S4", cli.Done, "S4"},
		{"--list --sample 2 --seed 7", cli.Done, "a sample, again with --sample 2 --seed 7\n"},
		{"--list --sample 2", cli.Done, "a sample, again with --sample 2 --seed "},
		{"--list --part 1/400", cli.Done, "S1"},
		{"--part 3/2", cli.Wrong, `--part must be two numbers such as 2/3`},
		{"--part 0/2", cli.Wrong, `it is "0/2"`},
		{"--part 2", cli.Wrong, `it is "2"`},
		{"-h", cli.Done, "(default: 1m)."},
		{"--only nonsense", cli.Wrong, "nonsense"},
		{"--jobs 0", cli.Wrong, "--jobs must be at least 1"},
		{"--sample=-1", cli.Wrong, "--sample must not be negative"},
		{"--timeout 0s", cli.Wrong, "--timeout must be more than nothing"},
		{"S4", cli.Wrong, "unexpected argument S4"},
	})
}
