package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"disburser/internal/cli"
)

// table prints rows: aligned and with a header on a terminal, else with a tab between, for programs.
type table struct {
	out   io.Writer
	flush func() error
}

func newTable(out io.Writer, header ...string) table {
	if !cli.Terminal(out) {
		return table{out, func() error { return nil }}
	}
	aligned := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	t := table{aligned, aligned.Flush}
	if len(header) > 0 {
		t.row(header...)
	}
	return t
}

func (t table) row(cells ...string) {
	for i, cell := range cells {
		cells[i] = cli.OneLine(cell)
	}
	fmt.Fprintln(t.out, strings.Join(cells, "\t"))
}

// say prints a name and what is to say about it, and nothing where there is nothing to say.
func (t table) say(name string, parts ...string) {
	text := cli.OneLine(strings.Join(parts, " "))
	if text != "" {
		t.row(name, text)
	}
}

// printed prints a value as JSON on one line.
func printed(out io.Writer, value any) error { return json.NewEncoder(out).Encode(value) }
