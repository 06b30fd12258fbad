package main

import (
	"testing"

	"disburser/internal/cli"
	"disburser/internal/cli/clitest"
)

func TestCommandLines(t *testing.T) {
	clitest.Check(t, program())
	clitest.Lines(t, program(), clitest.Table{
		{"-h", cli.Done, "(default: 50ms)."},
		{"", cli.Wrong, "missing flags: "},
	})
}
