package main

import (
	"testing"

	"disburser/internal/cli"
	"disburser/internal/cli/clitest"
)

func TestCommandLines(t *testing.T) {
	clitest.Check(t, program())
	clitest.Lines(t, program(), clitest.Table{
		{"-h", cli.Done, "throughput  the whole service"},
		{"--only nonsense", cli.Failed, "there is no part \"nonsense\""},
		{"rate", cli.Wrong, "unexpected argument rate"},
	})
}
