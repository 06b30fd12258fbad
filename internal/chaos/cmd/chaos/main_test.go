package main

import (
	"testing"

	"disburser/internal/cli"
	"disburser/internal/cli/clitest"
)

func TestCommandLines(t *testing.T) {
	clitest.Check(t, program())
	clitest.Lines(t, program(), clitest.Table{
		{"--list", cli.Done, "wipe"},
		{"-h", cli.Done, "(default: 30)."},
		{"--seconds 0", cli.Wrong, "--seconds must be at least 1"},
		{"--rate 0", cli.Wrong, "--rate must be more than 0"},
		{"--rate NaN", cli.Wrong, "--rate must be more than 0"},
		{"kill", cli.Wrong, "unexpected argument kill"},
		{"--only nonsense", cli.Failed, "nonsense"},
	})
}
