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

// The provider's texts may quote what we sent: payee data, or the secret. This file masks both
// before a text leaves the package. All decisions are made with the original texts.

// hiddenText replaces a masked value.
const hiddenText = "***"

// shortLength is the length, in characters, below which a value is masked only as a whole word.
// A payee field of "1" or "Ann" also occurs in codes and other words by chance.
const shortLength = 6

// mask replaces values in texts.
type mask struct{ values []hiddenValue }

// hiddenValue is a value to mask, prepared for the search.
type hiddenValue struct {
	text       string // on one line, without space around it
	foldedText string // text without differences of letter case
	length     int    // in characters
}

// newOperatorMask masks what only the operator knows: the secret, and the values of extra.
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

// sort puts the longest values first. A short value inside a long one would otherwise leave the
// rest of the long one readable.
func (m mask) sort() {
	slices.SortFunc(m.values, func(a, b hiddenValue) int { return len(b.text) - len(a.text) })
}

// commandMask masks what the operator's mask does, and every payee field of a command. Nearly no answer quotes any of
// that, and to prepare the values takes as long as to read the answer. So they are prepared for the first text that may
// hold one of them.
type commandMask struct {
	operator mask
	payee    payout.Payee
	whole    *mask // nil = not prepared yet
}

func (c *Client) maskOfCommand(cmd payout.Command) *commandMask {
	return &commandMask{operator: c.operatorMask, payee: cmd.Payee}
}

func (m *commandMask) hideInText(text string) string {
	if !m.mayBeIn(text) {
		return text
	}
	return m.prepared().hideInText(text)
}

func (m *commandMask) hideInNumber(text string) string {
	if !m.mayBeIn(text) {
		return text
	}
	return m.prepared().hideInNumber(text)
}

func (m *commandMask) prepared() mask {
	if m.whole == nil {
		m.whole = &mask{values: slices.Clone(m.operator.values)}
		for _, value := range m.payee.Revealed() {
			m.whole.values = append(m.whole.values, maskOfValue(value).values...)
		}
		m.whole.sort()
	}
	return *m.whole
}

// mayBeIn tells whether a text may hold one of the values. It is sure only where it says no.
func (m *commandMask) mayBeIn(text string) bool {
	if !printableASCII(text) {
		return true
	}
	for _, v := range m.operator.values {
		if mayContain(text, v.text) {
			return true
		}
	}
	for _, value := range m.payee.Revealed() {
		if mayContain(text, strings.TrimSpace(value)) {
			return true
		}
	}
	return false
}

// letterCase is the bit in which an ASCII letter differs from its capital.
const letterCase = 'a' ^ 'A'

// mayContain tells whether a printable ASCII text may contain a value in any letter case. A value of other characters may be
// folded or cut to something shorter, so it always may.
func mayContain(text, value string) bool {
	if !printableASCII(value) || len(value) > maxAnswer {
		return true
	}
	for at := 0; value != "" && at+len(value) <= len(text); at++ {
		if text[at]|letterCase == value[0]|letterCase && strings.EqualFold(text[at:at+len(value)], value) {
			return true
		}
	}
	return false
}

// maskOfValue masks one value. A value without letters and digits is no one's data.
func maskOfValue(value string) (m mask) {
	text := strings.TrimSpace(oneLine(value, maxAnswer))
	if strings.ContainsFunc(text, alphanumeric) {
		m.values = append(m.values, hiddenValue{text, foldCase(text), utf8.RuneCountInString(text)})
	}
	return m
}

// hideInText masks the values wherever they occur in a text, in any letter case. The text must
// be the result of oneLine.
func (m mask) hideInText(text string) string {
	in := foldCase(text)
	for _, v := range m.values {
		if !strings.Contains(in, v.foldedText) { // true for nearly all answers
			continue
		}
		if text = v.hideIn(text, v.length < shortLength); text == hiddenText {
			return text
		}
		in = foldCase(text)
	}
	return text
}

// hideInNumber masks a text that is a number or a time, as a whole. A short value must be equal
// to it: 1 occurs in most numbers.
func (m mask) hideInNumber(text string) string {
	in := foldCase(text)
	for _, v := range m.values {
		if in == v.foldedText || v.length >= shortLength && strings.Contains(in, v.foldedText) {
			return hiddenText
		}
	}
	return text
}

// hideIn masks the value in a text. With alone it does so only where the value is a whole word.
func (v hiddenValue) hideIn(text string, alone bool) string {
	pattern, err := regexp.Compile("(?i)" + regexp.QuoteMeta(v.text))
	if err != nil {
		return hiddenText // mask all: the value can't be found
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

// besideLetterOrDigit tells whether a letter or digit is directly before or after
// text[begin:end].
func besideLetterOrDigit(text string, begin, end int) bool {
	before, _ := utf8.DecodeLastRuneInString(text[:begin])
	after, _ := utf8.DecodeRuneInString(text[end:])
	return alphanumeric(before) || alphanumeric(after)
}

// alphanumeric tells letters and digits of any script.
func alphanumeric(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }

// fingerprint tells one text from another where both are masked.
func fingerprint(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:8])
}

// foldCase gives texts that differ only in letter case the same form, as regular expressions
// with (?i) do. That includes rare pairs, such as K and the Kelvin sign.
func foldCase(text string) string {
	if printableASCII(text) { // the capital letter is the lowest of its forms
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
