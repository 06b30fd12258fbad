package files

import (
	"bufio"
	"errors"
	"io"
	"slices"
	"strings"

	"disburser/internal/rows"
	"disburser/internal/rules"
)

// WriteErrors writes a table once more, with a column that says for each line what is wrong with it. A column
// that an earlier check has written is written anew. Everything else stays as it is, so that the file can be
// corrected and sent. It becomes UTF-8, as one with a byte order mark if the table has one.
func WriteErrors(in io.Reader, out io.Writer, problems []Problem, all rules.Merchants) error {
	r, err := rows.Open(in, vocabularyOf(all).knows)
	if err != nil {
		return err
	}
	w := &errorWriter{out: bufio.NewWriter(out), separator: string(r.Separator), end: "\n", at: slices.Index(r.Header.Cells, errorColumn), width: len(r.Header.Cells)}
	if r.CRLF {
		w.end = "\r\n"
	}
	if r.Mark {
		w.text(string(mark))
	}
	w.row(r.Header, errorColumn)
	of := func(line int) (some []Problem) {
		for len(problems) > 0 && problems[0].Line <= line {
			some, problems = append(some, problems[0]), problems[1:]
		}
		return some
	}
	header := of(r.Header.Line) // they stand at the first row
	for w.err == nil {
		row, err := r.Next()
		if errors.Is(err, io.EOF) {
			return errors.Join(w.err, w.out.Flush())
		}
		if err != nil {
			return err
		}
		w.row(row, inOneCell(header, of(row.Line)))
		header = nil
	}
	return w.err
}

// inOneCell puts problems into one cell. It begins with nothing that a spreadsheet could take for a formula.
func inOneCell(header, own []Problem) string {
	var texts []string
	for _, p := range header {
		texts = append(texts, "header: "+p.String())
	}
	for _, p := range own {
		texts = append(texts, p.String())
	}
	all := strings.Join(texts, "; ")
	if all != "" && strings.ContainsRune("=+-@", rune(all[0])) {
		return "column " + all
	}
	return all
}

// String is a problem for people, without its line.
func (p Problem) String() string {
	if p.Column == "" {
		return p.Problem + ": " + p.Proposal
	}
	return p.Column + " " + p.Problem + ": " + p.Proposal
}

// errorWriter writes rows.
type errorWriter struct {
	out            *bufio.Writer
	separator, end string
	at             int // the place of the error column, -1 if there is none yet
	width          int
	err            error
}

func (w *errorWriter) text(text string) {
	if w.err == nil {
		_, w.err = w.out.WriteString(text)
	}
}

// row writes a row with its cell of the error column. A row that can't be taken apart stays as it is.
func (w *errorWriter) row(row rows.Row, problem string) {
	if w.at < 0 || row.Fault != nil || len(row.Cells) != w.width {
		w.text(row.Raw)
		if w.at < 0 {
			w.text(w.separator + rows.Quote(problem))
		}
		w.text(w.end)
		return
	}
	for i, cell := range row.Cells {
		if i > 0 {
			w.text(w.separator)
		}
		if i == w.at {
			cell = problem
		}
		w.text(rows.Quote(cell))
	}
	w.text(w.end)
}
