package files

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"disburser/internal/rows"
	"disburser/internal/rules"
	"disburser/message"
	"disburser/payout"
	"disburser/payout/money"
)

// checker checks one file. One goroutine owns it.
type checker struct {
	all    rules.Merchants
	now    time.Time
	report *Report
	whole  *payouts
	good   func(command []byte) // gets each line that has no problem
	wrongs int                  // problems, those that aren't listed too

	// Of a table only.
	words    vocabulary
	columns  []column
	nameOf   map[string]string // the column of a field
	prefixed bool              // payee columns are named payee.X
	told     map[string]bool   // fields that the header lacks, and that is told
	early    []Problem         // of the header, found later
	value    bytes.Buffer      // of one row
	bad      map[string]wrong  // of one row
}

// Check reads a file to its end and tells everything that is wrong with it. It expects each payout to be sent
// at now. An error means that the file can't be read, by its disk or because it is no such file at all.
func Check(in io.Reader, all rules.Merchants, now time.Time) (Report, error) {
	return Read(in, all, now, func([]byte) {})
}

// Read is Check. It gives the command of each line without a problem to good, in the order of the lines. The bytes
// are good until the next call.
func Read(in io.Reader, all rules.Merchants, now time.Time, good func(command []byte)) (Report, error) {
	c := &checker{
		all: all, now: now, report: &Report{Problems: []Problem{}}, whole: newPayouts(), good: good, words: vocabularyOf(all), nameOf: map[string]string{}, told: map[string]bool{}, bad: map[string]wrong{},
	}
	isJSON, in, err := sniff(in)
	if err != nil {
		return Report{}, err
	}
	if isJSON {
		err = c.lines(in)
	} else {
		err = c.table(in)
	}
	if err != nil {
		return Report{}, err
	}
	c.report.Problems = slices.Insert(c.report.Problems, 0, c.early...) // never nil: it is [] in JSON
	slices.SortStableFunc(c.report.Problems, func(a, b Problem) int { return cmp.Compare(a.Line, b.Line) })
	c.report.Totals, c.report.Digest = c.whole.sums(), c.whole.digest()
	return *c.report, nil
}

// mostProblems is how many are listed. A file of 256 MB may have more than memory could hold, and nobody reads them.
const mostProblems = 100_000

// tell notes a problem.
func (c *checker) tell(line int, column string, w wrong) {
	if c.wrongs++; len(c.report.Problems) >= mostProblems {
		c.report.More++
		return
	}
	c.report.Problems = append(c.report.Problems, Problem{line, column, w.problem, w.proposal})
}

// table checks a table.
func (c *checker) table(in io.Reader) error {
	r, err := rows.Open(in, c.words.knows)
	var fault *rows.Fault
	switch {
	case errors.As(err, &fault):
		c.tell(1, "", advice(fault.Problem, fault.Proposal))
		return nil
	case errors.Is(err, io.EOF):
		c.tell(1, "", advice("the file is empty", "begin it with the names of its columns"))
		return nil
	case err != nil:
		return err
	}
	if !slices.ContainsFunc(r.Header.Cells, c.words.knows) {
		c.tell(r.Header.Line, "", advice("the first line is no header: none of its names is known", "begin the file with a line such as tradeNo,merchant,amount,walletId"))
		return nil
	}
	c.report.Table = true
	c.header(r.Header)
	for {
		row, err := r.Next()
		if errors.Is(err, io.EOF) {
			if c.report.Lines == 0 {
				c.tell(r.Header.Line, "", advice("the file has a header and no payouts", "write one payout on each line below it"))
			}
			return nil
		}
		if err != nil {
			return err
		}
		c.report.Lines++
		before := c.wrongs
		if c.row(r.Header.Line, row); c.wrongs == before {
			c.good(c.value.Bytes())
		}
	}
}

// row checks a row of a table.
func (c *checker) row(header int, row rows.Row) {
	if row.Fault != nil {
		c.tell(row.Line, c.columnAt(row.Fault.Cell), advice(row.Fault.Problem, row.Fault.Proposal))
		return
	}
	if have, want := len(row.Cells), len(c.columns); have != want {
		c.tell(row.Line, c.columnAt(min(have, want-1)),
			advice(fmt.Sprintf("the line has %d cells, the header %d", have, want), "give each column its cell; a cell with a separator in it needs quotation marks"))
		return
	}
	if !slices.ContainsFunc(row.Cells, func(cell string) bool { return cell != "" }) {
		c.tell(row.Line, "", advice("the line has no values", "remove the line"))
		return
	}
	bad := c.bad // by field
	clear(bad)
	for i, cell := range row.Cells {
		if col := c.columns[i]; col.field != "" {
			if w := form(col.kind, cell); w.problem != "" {
				bad[col.field] = w
			}
		}
	}
	tradeNo := c.cell(row, "tradeNo")
	if _, told := bad["tradeNo"]; !told && !message.ValidTradeNo(tradeNo) {
		p := message.Problem{Field: "tradeNo", Text: "must be 1 to 64 of A-Z a-z 0-9 _ -"}
		if tradeNo == "" {
			p.Text = "is missing"
		}
		bad["tradeNo"] = advice(p.Text, propose(p, "", rules.Merchant{}, c.all))
	}
	orders, err := message.Decode(c.encode(row, bad))
	if err != nil { // it was encoded here; a row that is too long is what is left
		c.tell(row.Line, "", advice(err.Error(), "shorten the line"))
		return
	}
	p, problems := c.judge(orders[0], func(field string) string { return c.cell(row, field) })
	for _, f := range problems {
		if _, told := bad[f.field]; !told {
			bad[f.field] = f.wrong
		}
	}
	c.test(bad, p.Merchant)
	if _, told := bad["tradeNo"]; told {
		p.TradeNo = ""
	}
	c.settle(header, row.Line, p, bad)
}

// test looks whether the amount that is proposed would be taken.
func (c *checker) test(bad map[string]wrong, merchant string) {
	w := bad["amount"]
	m, known := c.all.Named(merchant)
	a, err := money.Parse(w.instead)
	if w.instead == "" || !known || err != nil {
		return
	}
	for _, p := range m.Paypro.Problems(payout.Command{Amount: a}) {
		if p.Field == "amount" {
			w.proposal += "; but it " + p.Text
			bad["amount"] = w
		}
	}
}

// settle tells the problems of a row in order of its columns, and counts its payout.
func (c *checker) settle(header, line int, p payout.Payout, bad map[string]wrong) {
	good := len(bad) == 0
	if good {
		c.count(line, c.nameOf["tradeNo"], p, true)
		return
	}
	for _, field := range slices.Sorted(maps.Keys(bad)) {
		switch w, merchant := bad[field], ""; {
		case c.nameOf[field] != "":
		case field == "payee" && c.hasPayee(), w.problem != "is required" && !strings.HasPrefix(w.problem, "is missing"):
			c.tell(line, field, w)
		default:
			if strings.HasPrefix(field, "payee") {
				merchant = p.Merchant
			}
			c.missing(header, field, merchant)
		}
	}
	for _, col := range c.columns {
		if w, is := bad[col.field]; is && c.nameOf[col.field] == col.name {
			c.tell(line, col.name, w)
		}
	}
	c.count(line, c.nameOf["tradeNo"], p, false)
}

// hasPayee tells whether the table has a column of the payee.
func (c *checker) hasPayee() bool {
	return slices.ContainsFunc(c.columns, func(col column) bool { return strings.HasPrefix(col.field, payeePrefix) })
}

// count counts a payout, and tells of a tradeNo that stands in the file twice.
func (c *checker) count(line int, column string, p payout.Payout, good bool) {
	first, again := c.whole.seen[p.TradeNo]
	switch {
	case p.TradeNo == "":
	case !again:
		c.whole.add(p, line, good)
	case string(first.fingerprint[:]) == string(p.Fingerprint):
		c.tell(line, column, advice(fmt.Sprintf("stands on line %d already, with the same content", first.line), "remove this line"))
	default:
		c.tell(line, column, advice(fmt.Sprintf("stands on line %d already, with other content", first.line),
			"give this payout a tradeNo of its own, or remove the line that is wrong"))
	}
}

// columnAt is the name of a column by its place.
func (c *checker) columnAt(i int) string {
	if i < 0 || i >= len(c.columns) {
		return ""
	}
	return c.columns[i].name
}

// cell is what a row has for a field, "" for a field without a column.
func (c *checker) cell(row rows.Row, field string) string {
	i := slices.IndexFunc(c.columns, func(col column) bool { return col.field == field })
	if i < 0 {
		return ""
	}
	return row.Cells[i]
}

// encode writes a row as the command that it means. What is told to be wrong in form is left out; so an empty
// cell, which is as good as none.
func (c *checker) encode(row rows.Row, bad map[string]wrong) []byte {
	c.value.Reset()
	c.value.WriteString(`{"payee":{`)
	c.encodeFields(row, bad, true)
	c.value.WriteString(`},"tradeNo":`)
	if _, told := bad["tradeNo"]; told {
		c.value.WriteString(`"-"`) // in its place, so that the rest is looked at
	} else {
		c.text(c.cell(row, "tradeNo"))
	}
	c.encodeFields(row, bad, false)
	c.value.WriteByte('}')
	return c.value.Bytes()
}

// encodeFields writes the fields of the payee, or those of the command besides payee and tradeNo.
func (c *checker) encodeFields(row rows.Row, bad map[string]wrong, ofPayee bool) {
	comma := !ofPayee
	for i, col := range c.columns {
		name, isPayee := strings.CutPrefix(col.field, payeePrefix)
		value := row.Cells[i]
		if _, told := bad[col.field]; told || value == "" || col.field == "" || col.field == "tradeNo" || isPayee != ofPayee {
			continue
		}
		if comma {
			c.value.WriteByte(',')
		}
		comma = true
		c.value.WriteString(`"` + name + `":`)
		c.text(value)
	}
}

// text writes a JSON text.
func (c *checker) text(text string) {
	if strings.IndexFunc(text, func(c rune) bool { return c < ' ' || c > '~' || c == '"' || c == '\\' }) < 0 {
		c.value.WriteByte('"')
		c.value.WriteString(text)
		c.value.WriteByte('"')
		return
	}
	quoted, _ := json.Marshal(text) // a text can always be written
	c.value.Write(quoted)
}

// found is a problem of a field.
type found struct {
	field string
	wrong wrong
}

// judge says what the service would reject of an order, and everything of it at once.
func (c *checker) judge(o message.Order, value func(field string) string) (payout.Payout, []found) {
	problems := slices.Clone(o.Problems)
	command, country, more := c.all.Resolve(o.Command)
	if len(more) > 0 && more[0].Field == "currency" { // the rest is looked at too
		problems = append(problems, more...)
		other := o.Command
		other.Currency = ""
		_, _, more = c.all.Resolve(other)
	}
	problems = append(problems, more...)
	p := payout.Begin(command, country, payout.Source{}, message.Reason(problems), c.now)
	if p.Expired(c.now) {
		problems = append(problems, message.Problem{Field: "expiresAt", Text: "is over: the payout would be rejected"})
	}
	m, _ := c.all.Named(command.Merchant)
	list := make([]found, 0, len(problems))
	for _, problem := range problems {
		list = append(list, found{problem.Field, advice(problem.Text, propose(problem, value(problem.Field), m, c.all))})
	}
	return p, list
}
