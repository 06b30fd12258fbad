package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Problem is one mistake in the file. Rules.CheckMerchant fills in Text and Key only, and the key begins below the
// merchant: "amount.min".
type Problem struct {
	File string
	Line int
	Key  string // kafka.session_timeout, merchants.eg-main.send.rate; "": the file
	Text string // goes on after the key: "must be more than 0, is -3"
}

// Error is "file:line: key text".
func (p Problem) Error() string {
	if p.Key == "" {
		return fmt.Sprintf("%s:%d: %s", p.File, p.Line, p.Text)
	}
	return fmt.Sprintf("%s:%d: %s %s", p.File, p.Line, p.Key, p.Text)
}

// Problems are all mistakes of a file, in the order of its lines.
type Problems []Problem

// Error is one problem a line.
func (ps Problems) Error() string { return strings.Join(ps.lines(), "\n") }

func (ps Problems) lines() []string {
	var lines []string
	for _, p := range ps {
		lines = append(lines, p.Error())
	}
	return lines
}

// sort orders by line, and on one line by key.
func (ps Problems) sort() {
	slices.SortStableFunc(ps, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Key, b.Key))
	})
}
