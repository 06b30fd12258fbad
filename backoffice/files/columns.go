package files

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"disburser/internal/rows"
	"disburser/internal/rules"
	"disburser/internal/similar"
	"disburser/paypro"
)

// own are the columns that a command has besides its payee, and how their values are used. An error column is
// what an earlier check has written: it is read by nobody.
var own = map[string]kind{
	"tradeNo": exact, "merchant": exact, "amount": amount, "currency": exact, "remark": text, "batchId": text, "notBefore": exact, "expiresAt": exact,
}

// errorColumn is the column that says what is wrong with a line.
const errorColumn = "error"

const payeePrefix = "payee."

// column is one column of a table.
type column struct {
	name  string // as the header has it
	field string // of a command: amount, payee.walletId; "" for a column that isn't read
	kind  kind
}

// vocabulary are the names that columns may have.
type vocabulary struct {
	payee map[string]bool // fields that some merchant's rules know
	any   bool            // some merchant's payee may have any field
}

func vocabularyOf(all rules.Merchants) vocabulary {
	v := vocabulary{payee: map[string]bool{}}
	for _, m := range all {
		names, anyToo := m.Paypro.PayeeFields()
		for _, name := range names {
			v.payee[name] = true
		}
		v.any = v.any || anyToo
	}
	return v
}

var fieldName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]{0,63}$`)

// field is the field of a command that a column is about; false if no column is named so.
func (v vocabulary) field(name string) (string, bool) {
	bare, prefixed := strings.CutPrefix(name, payeePrefix)
	_, isOwn := own[name]
	switch {
	case name == errorColumn:
		return "", true
	case isOwn:
		return name, true
	case v.payee[bare], prefixed && v.any && fieldName.MatchString(bare):
		return payeePrefix + bare, true
	}
	return "", false
}

func (v vocabulary) knows(name string) bool {
	_, known := v.field(name)
	return known
}

func kindOf(field string) kind {
	if bare, is := strings.CutPrefix(field, payeePrefix); is {
		if paypro.IsFreeText(bare) {
			return text
		}
		return exact
	}
	return own[field]
}

// header reads the names of the columns. It tells what is wrong with them, and notes fields that are told to
// be missing, so that nobody tells it of each line again.
func (c *checker) header(row rows.Row) {
	names, meant := map[string]bool{}, map[string]bool{}
	for i, name := range row.Cells {
		field, known := c.words.field(name)
		switch {
		case !known:
			proposal, instead := c.unknown(name)
			meant[instead] = true
			if !showable(name) {
				name = fmt.Sprintf("(column %d)", i+1)
			}
			c.tell(row.Line, name, advice("is not a column that is known", proposal))
		case names[name] || field != "" && c.nameOf[field] != "":
			c.tell(row.Line, name, advice("stands twice", "keep one of the two columns"))
			field = ""
		}
		names[name] = true
		c.columns = append(c.columns, column{name, field, kindOf(field)})
		if field != "" {
			c.nameOf[field] = name
			c.prefixed = c.prefixed || strings.HasPrefix(name, payeePrefix)
		}
	}
	for name := range meant {
		if field, known := c.words.field(name); known && field != "" {
			c.told[field] = true
		}
	}
	for _, name := range []string{"tradeNo", "merchant", "amount"} {
		if c.nameOf[name] == "" && (name != "merchant" || len(c.all) > 1) {
			c.missing(row.Line, name, "")
		}
	}
}

// showable tells whether an unknown name may be shown. It may be a payee's value in the place of a name, or
// what makes a terminal do something.
func showable(name string) bool {
	return name != "" && len(name) <= 64 && len(onlyDigits(name)) <= 2 && strings.IndexFunc(name, func(c rune) bool { return !unicode.IsPrint(c) }) < 0
}

// unknown says what to do about a column that nobody knows, and which one was probably meant.
func (c *checker) unknown(name string) (proposal, meant string) {
	names := slices.Concat(slices.Sorted(maps.Keys(own)), slices.Sorted(maps.Keys(c.words.payee)))
	bare := strings.TrimPrefix(strings.TrimSpace(name), payeePrefix)
	meant = similar.Nearest(bare, names)
	switch {
	case name == "batchSize":
		return "remove it: the size of a batch is its number of lines", ""
	case strings.HasPrefix(strings.ToLower(name), "sep="):
		return "remove this line: the header is the first one", ""
	case meant != "":
		return "name it " + meant, meant
	case c.words.any && fieldName.MatchString(bare) && showable(bare):
		return "name it " + payeePrefix + bare + " if it is a field of the payee, or remove it", ""
	}
	return "remove it, or name it as one of " + strings.Join(names, ", "), ""
}

// missing tells once that a column is missing.
func (c *checker) missing(header int, field, merchant string) {
	if c.told[field] || c.told[field+" "+merchant] {
		return
	}
	c.told[field+" "+merchant] = true
	name := field
	if bare, is := strings.CutPrefix(field, payeePrefix); is && !c.prefixed {
		name = bare
	}
	proposal := "add a column " + name
	if merchant != "" {
		proposal += ": merchant " + merchant + " needs it"
	}
	c.early = append(c.early, Problem{header, name, "is missing: the header has no such column", proposal})
}
