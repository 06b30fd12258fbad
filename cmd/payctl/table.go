package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"disburser/internal/cli"
)

// table prints rows. For programs there is a tab between cells, no header, and each row comes at once. On a terminal the columns
// are aligned under a header, and what is too wide for it is broken: see flush.
type table struct {
	out    io.Writer
	people bool // on a terminal
	width  int  // of the terminal; 0: nobody knows
	header []string
	rows   [][]string
}

// A last column is broken into lines of at least leastOfColumn characters. Where so few are not left, each row becomes a block.
const leastOfColumn = 24

func newTable(out io.Writer, header ...string) *table {
	return &table{out: out, people: cli.Terminal(out), width: cli.Width(out), header: header}
}

// row adds a row. Two spaces at the beginning of a cell set it in, on a terminal.
func (t *table) row(cells ...string) {
	for i, cell := range cells {
		cells[i] = cli.OneLine(cell)
		if t.people && i == 0 && strings.HasPrefix(cell, "  ") {
			cells[i] = "  " + cells[i]
		}
	}
	if !t.people {
		fmt.Fprintln(t.out, strings.Join(cells, "\t"))
		return
	}
	t.rows = append(t.rows, cells)
}

// say prints a name and what is to say about it, and nothing where there is nothing to say.
func (t *table) say(name string, parts ...string) {
	text := cli.OneLine(strings.Join(parts, " "))
	if text != "" {
		t.row(name, text)
	}
}

// flush prints what a terminal gets. Columns without a value are left out.
func (t *table) flush() error {
	if len(t.rows) == 0 {
		return nil
	}
	all := t.rows
	if t.header != nil {
		all = append([][]string{t.header}, t.rows...)
	}
	widths := make([]int, len(all[0]))
	for _, row := range t.rows {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	before := 0
	for i := range widths {
		if widths[i] > 0 && t.header != nil {
			widths[i] = max(widths[i], utf8.RuneCountInString(t.header[i]))
		}
		if i < len(widths)-1 && widths[i] > 0 {
			before += widths[i] + 2
		}
	}
	last := len(widths) - 1
	if t.width > 0 && before+widths[last] > t.width {
		if widths[last] = t.width - before; widths[last] < leastOfColumn && t.header != nil {
			return t.blocks()
		}
		widths[last] = max(widths[last], leastOfColumn)
	}
	var text strings.Builder
	for _, row := range all {
		aligned(&text, row, widths)
	}
	_, err := io.WriteString(t.out, text.String())
	return err
}

// aligned writes a row. Its last cell may take several lines.
func aligned(out *strings.Builder, row []string, widths []int) {
	line := ""
	for i, cell := range row[:len(row)-1] {
		if widths[i] > 0 {
			line += cell + strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell)+2)
		}
	}
	indent := strings.Repeat(" ", utf8.RuneCountInString(line))
	last := len(row) - 1
	if widths[last] == 0 {
		out.WriteString(strings.TrimRight(line, " ") + "\n")
		return
	}
	for i, part := range broken(row[last], widths[last]) {
		if i > 0 {
			line = indent
		}
		out.WriteString(strings.TrimRight(line+part, " ") + "\n")
	}
}

// broken breaks a text between words into lines of so many characters. A longer word stays whole: it may be copied.
func broken(text string, width int) (lines []string) {
	line := ""
	for word := range strings.FieldsSeq(text) {
		switch {
		case line == "":
			line = word
		case utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > width:
			lines = append(lines, line)
			line = word
		default:
			line += " " + word
		}
	}
	return append(lines, line)
}

// blocks prints each row as names and values, for a narrow terminal.
func (t *table) blocks() error {
	for i, row := range t.rows {
		block := &table{out: t.out, people: true, width: t.width}
		for j, cell := range row {
			block.say(strings.ToLower(t.header[j]), cell)
		}
		if err := block.flush(); err != nil {
			return err
		}
		if i < len(t.rows)-1 {
			if _, err := fmt.Fprintln(t.out); err != nil {
				return err
			}
		}
	}
	return nil
}

// printed prints a value as JSON on one line.
func printed(out io.Writer, value any) error {
	var text bytes.Buffer
	if err := json.NewEncoder(&text).Encode(value); err != nil {
		return err
	}
	_, err := out.Write(escapedJSON(text.Bytes()))
	return err
}

// escapedJSON writes what isn't printable as \uXXXX: JSON lets much of it stand, and a terminal would obey it.
func escapedJSON(text []byte) []byte {
	if !bytes.ContainsFunc(text, unprintable) {
		return text
	}
	var out []byte
	for _, c := range string(text) {
		switch {
		case !unprintable(c):
			out = utf8.AppendRune(out, c)
		case c > 0xffff:
			high, low := utf16.EncodeRune(c)
			out = fmt.Appendf(out, "\\u%04x\\u%04x", high, low)
		default:
			out = fmt.Appendf(out, "\\u%04x", c)
		}
	}
	return out
}

func unprintable(c rune) bool { return c != '\n' && !unicode.IsPrint(c) }

// sayLine prints one line, whatever stands in it.
func sayLine(out io.Writer, format string, values ...any) {
	fmt.Fprintln(out, cli.OneLine(fmt.Sprintf(format, values...)))
}
