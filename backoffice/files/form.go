package files

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"disburser/payout/money"
)

// kind is how the value of a cell is used.
type kind byte

const (
	text   kind = iota // people read it: a name, a remark
	exact              // machines compare it: a number, a code, a time
	amount             // money
)

// wrong is what is wrong with a cell, and what to do about it; the zero value is nothing.
type wrong struct {
	problem, proposal string
	instead           string // the amount that is proposed, "" for none or for a choice
}

// advice says what to do.
func advice(problem, proposal string) wrong { return wrong{problem: problem, proposal: proposal} }

// write proposes an amount.
func write(problem, instead string) wrong {
	return wrong{problem, "write " + instead, instead}
}

var (
	exponent = regexp.MustCompile(`^[0-9]+(?:[.,][0-9]+)?[eE]\+[0-9]+$|^[0-9]+[.,][0-9]+[eE]-?[0-9]+$`)
	anyPower = regexp.MustCompile(`^[0-9]+(?:[.,][0-9]+)?[eE][+-]?[0-9]+$`) // a tradeNo may look like this
	grouped  = regexp.MustCompile(`^[0-9]+(?:[., '’_\x{00a0}\x{2009}\x{202f}][0-9]+)+$`)
)

// asText is how a spreadsheet is kept from changing what was written.
const asText = "format the column as text before you fill it in"

// form finds what a person's program has done to a value, before anybody asks what the value means.
func form(k kind, value string) wrong {
	switch {
	case value == "":
		return wrong{}
	case plain(k, value):
		return wrong{}
	case !utf8.ValidString(value):
		return advice("is not UTF-8", `save the file as "CSV UTF-8"`)
	case strings.ContainsRune(value, utf8.RuneError):
		return advice("has a character that was lost (U+FFFD)", "write the character anew, and save the file as UTF-8")
	case control(value) != 0:
		return advice(fmt.Sprintf("has the control character %U", control(value)), "remove the character, and line breaks too")
	case strings.ContainsAny(value, "eE") && value[0] <= '9' && (exponent.MatchString(value) || k == amount && anyPower.MatchString(value)):
		return advice("is a number with an exponent: a spreadsheet has cut digits off", "write all digits as the payroll has them; "+asText)
	case strings.ContainsRune("=+-@", rune(value[0])):
		return formula(k, value)
	case k != text && foreignDigits(value):
		return digitsOf(k, value)
	case k == amount:
		return separators(value)
	}
	return wrong{}
}

// plain tells that a value can't have anything of what form looks for: most are like that.
func plain(k kind, value string) bool {
	if value[0] == '-' {
		return false
	}
	number, digits := value[0] >= '0' && value[0] <= '9', true
	for i := range len(value) {
		switch c := value[i]; {
		case c >= '0' && c <= '9':
		case c < ' ' || c > '~', c == '=', c == '+', c == '@' && i == 0, number && (c == 'e' || c == 'E'):
			return false
		default:
			digits = false
		}
	}
	return k != amount || digits
}

// control is the first character of a value that has no place in one line of text, 0 if there is none.
func control(value string) rune {
	for _, c := range value {
		if unicode.IsControl(c) || c == '\u2028' || c == '\u2029' {
			return c
		}
	}
	return 0
}

// formula tells of a cell that a spreadsheet may take for a formula.
func formula(k kind, value string) wrong {
	w := advice(fmt.Sprintf("begins with %q: a spreadsheet takes it for a formula", value[:1]),
		fmt.Sprintf("write it without the %q; what has to begin so goes into a file of JSON lines", value[:1]))
	rest := value[1:]
	_, err := money.Parse(rest)
	switch {
	case k == amount && value[0] == '+' && err == nil:
		return write(w.problem, rest)
	case k == amount:
		w.proposal = "write the amount in plain digits, without a sign and without a formula"
	case value == "-":
		w.proposal = "leave the cell empty"
	}
	return w
}

// foreignDigits tells that there are digits of another script.
func foreignDigits(value string) bool {
	return strings.ContainsFunc(value, func(c rune) bool { return c > unicode.MaxASCII && unicode.IsNumber(c) })
}

// digitsOf tells of digits of another script. Of an amount it says which digits they are.
func digitsOf(k kind, value string) wrong {
	w := advice("has digits that are not 0 to 9", "write it with the digits 0 to 9")
	if k != amount {
		return w
	}
	ascii := strings.Map(func(c rune) rune {
		if c <= unicode.MaxASCII || !unicode.IsDigit(c) {
			return c
		}
		zero := c
		for unicode.IsDigit(zero - 1) { // ten in a row for each script
			zero--
		}
		return '0' + (c-zero)%10
	}, strings.ReplaceAll(value, "٫", "."))
	if _, err := money.Parse(ascii); err == nil {
		return write(w.problem, ascii)
	}
	return w
}

// separators tells of an amount with anything between its digits but one decimal point.
func separators(value string) wrong {
	if trimmed := strings.TrimSpace(value); trimmed != value {
		w := advice("has white space around it", "write it without white space")
		if _, err := money.Parse(trimmed); err == nil {
			return write(w.problem, trimmed)
		}
		return w
	}
	if !grouped.MatchString(value) {
		return wrong{}
	}
	marks := strings.Map(func(c rune) rune {
		if c >= '0' && c <= '9' {
			return -1
		}
		return c
	}, value)
	last := []rune(marks)[len([]rune(marks))-1]
	at := strings.LastIndex(value, string(last))
	whole, fraction := value[:at], value[at+len(string(last)):]
	once := strings.Count(marks, string(last)) == 1
	switch {
	case marks == ".":
		return wrong{}
	case marks == ",":
		if len(fraction) == 3 && len(whole) <= 3 {
			return advice("has a comma, which may separate thousands or be a decimal one",
				"write "+whole+fraction+" if it separates thousands, or "+whole+"."+fraction+" if it is the decimal comma")
		}
		return write("has a decimal comma", whole+"."+fraction)
	case once && (last == '.' || last == ','): // the others separate thousands
		return write("has thousands separators", onlyDigits(whole)+"."+fraction)
	}
	return write("has thousands separators", onlyDigits(value))
}

func onlyDigits(value string) string {
	return strings.Map(func(c rune) rune {
		if c < '0' || c > '9' {
			return -1
		}
		return c
	}, value)
}
