package payout

import (
	"strings"
	"unicode"
)

const (
	// longEnough is how many letters and digits a number needs for its last four to be shown.
	longEnough = 8
	shownTail  = 4
)

// Masked shows each field so that a person recognises it and nobody else learns it. Of a name that is its initials, of
// a long number its last four characters, of all else nothing.
func (p Payee) Masked() map[string]string {
	masked := make(map[string]string, len(p.all()))
	for name, value := range p.all() {
		masked[name] = mask(name, value)
	}
	return masked
}

func mask(name, value string) string {
	switch {
	case strings.Contains(strings.ToLower(name), "name"):
		return initials(value)
	case isNumber(value):
		return hidden + value[len(value)-shownTail:]
	}
	return hidden
}

// isNumber tells whether a text is a number of an account, a phone or a card: ASCII letters and digits, most of them
// digits.
func isNumber(text string) bool {
	digits := 0
	for _, c := range text {
		switch {
		case '0' <= c && c <= '9':
			digits++
		case c > unicode.MaxASCII || !unicode.IsLetter(c) && c != '+' && c != '-':
			return false
		}
	}
	return len(text) >= longEnough && 2*digits >= len(text)
}

// initials of a name. A word of one letter would be shown whole, so nothing of it is.
func initials(name string) string {
	var b strings.Builder
	for word := range strings.FieldsSeq(name) {
		letters := []rune(word)
		if len(letters) < 2 || !unicode.IsLetter(letters[0]) {
			b.WriteString(hidden)
			continue
		}
		b.WriteString(string(unicode.ToUpper(letters[0])) + ".")
	}
	return b.String()
}
