package main

import (
	"testing"

	"disburser/internal/cli"
	"disburser/internal/cli/clitest"
)

func TestCommandLines(t *testing.T) {
	clitest.Check(t, program())
	clitest.Lines(t, program(), clitest.Table{
		{"", cli.Wrong, "<host:port>"},
		{"-h", cli.Done, "Usage: topics <host:port>"},
		{"a:1 b:2", cli.Wrong, "unexpected argument b:2"},
		{"127.0.0.1:1", cli.Failed, "topics: create on 127.0.0.1:1"},
	})
}
