package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"disburser/internal/cli"
)

// table prints lines of a name and a value: aligned on a terminal, else with a tab between, for programs.
type table struct {
	out  io.Writer
	last func() error
}

func newTable(out io.Writer) table {
	if !cli.Terminal(out) {
		return table{out, func() error { return nil }}
	}
	aligned := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	return table{aligned, aligned.Flush}
}

// row prints a line, none where there is no value.
func (t table) row(name string, values ...string) {
	if value := cli.OneLine(strings.Join(values, " ")); value != "" {
		fmt.Fprintln(t.out, name+"\t"+value)
	}
}

func (t table) flush() error { return t.last() }

// joined are the texts that aren't empty.
func joined(texts ...string) string {
	return strings.Join(slices.DeleteFunc(texts, func(text string) bool { return text == "" }), " ")
}

func sortedNames[V any](of map[string]V) []string { return slices.Sorted(maps.Keys(of)) }
