package paypro

import (
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"disburser/payout"
	"disburser/payout/secrets"
)

// The provider's words may quote what we sent: people's data, or the secret. It is replaced
// before anybody else sees the words. What is decided is decided by the words as they came.

// hiddenText stands where something was replaced.
const hiddenText = "***"

// shortValue is the length in characters below which a value is replaced only where it
// stands by itself: a payee field of "1" or "Ann" stands in codes and other words by chance.
const shortLength = 6

// mask replaces values in texts.
type mask struct{ values []hiddenValue }

// hiddenValue is a value, fit to be found.
type hiddenValue struct {
	text       string // one line, without space around it
	foldedText string
	length     int // in characters
}

// ownMask hides what only the operator knows: the secret, and the values of extra.
func newOperatorMask(secret secrets.Secret, extra Extra) mask {
	m := maskOfValue(secret.Reveal())
	for _, fields := range []map[string]string{extra.Send, extra.Query, extra.Balance} {
		for _, value := range fields {
			m.values = append(m.values, maskOfValue(value).values...)
		}
	}
	m.sort()
	return m
}

// sort has the longest go first, or a short one inside it would leave the rest standing.
func (m mask) sort() {
	slices.SortFunc(m.values, func(a, b hiddenValue) int { return len(b.text) - len(a.text) })
}

// maskOf hides what only the operator knows and, of a command, every payee field.
func (c *Client) maskOfCommand(cmd payout.Command) mask {
	m := mask{values: slices.Clone(c.operatorMask.values)}
	for _, value := range cmd.Payee.Reveal() {
		m.values = append(m.values, maskOfValue(value).values...)
	}
	m.sort()
	return m
}

// maskFor hides one value. One without any letter or digit is nobody's data.
func maskOfValue(value string) (m mask) {
	text := strings.TrimSpace(oneLine(value, maxAnswer))
	if strings.ContainsFunc(text, alphanumeric) {
		m.values = append(m.values, hiddenValue{text, foldCase(text), utf8.RuneCountInString(text)})
	}
	return m
}

// words replaces the values wherever the text has them, in any letter case. The text has
// been through oneLine.
func (m mask) hideInText(text string) string {
	in := foldCase(text)
	for _, v := range m.values {
		if !strings.Contains(in, v.foldedText) { // so it is with nearly all answers
			continue
		}
		if text = v.hideIn(text, v.length < shortLength); text == hiddenText {
			return text
		}
		in = foldCase(text)
	}
	return text
}

// number replaces the values in a text that is a number or a time. A short value must be
// all of it: 1 stands in most numbers.
func (m mask) hideInNumber(text string) string {
	in := foldCase(text)
	for _, v := range m.values {
		if in == v.foldedText || v.length >= shortLength && strings.Contains(in, v.foldedText) {
			return hiddenText
		}
	}
	return text
}

// replaced is the text without the value; alone: only where no letter or digit touches it.
func (v hiddenValue) hideIn(text string, alone bool) string {
	pattern, err := regexp.Compile("(?i)" + regexp.QuoteMeta(v.text))
	if err != nil {
		return hiddenText // can't tell what it hides, so it hides all
	}
	var out strings.Builder
	written, from := 0, 0
	for {
		at := pattern.FindStringIndex(text[from:])
		if at == nil {
			out.WriteString(text[written:])
			return out.String()
		}
		begin, end := from+at[0], from+at[1]
		if alone && besideLetterOrDigit(text, begin, end) {
			_, size := utf8.DecodeRuneInString(text[begin:])
			from = begin + size
			continue
		}
		out.WriteString(text[written:begin])
		out.WriteString(hiddenText)
		written, from = end, end
	}
}

// touched tells whether a letter or digit stands right beside a part of the text.
func besideLetterOrDigit(text string, begin, end int) bool {
	before, _ := utf8.DecodeLastRuneInString(text[:begin])
	after, _ := utf8.DecodeRuneInString(text[end:])
	return alphanumeric(before) || alphanumeric(after)
}

func alphanumeric(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }

// keyOf tells one text from another where both are hidden.
func fingerprint(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:8])
}

// folded is the same for texts that differ in letter case only, as patterns with (?i)
// see it: K is also the sign of Kelvin.
func foldCase(text string) string {
	if printableASCII(text) { // of the forms of an ASCII letter the capital is the least
		return strings.ToUpper(text)
	}
	return strings.Map(func(r rune) rune {
		least := r
		for other := unicode.SimpleFold(r); other != r; other = unicode.SimpleFold(other) {
			least = min(least, other)
		}
		return least
	}, text)
}
