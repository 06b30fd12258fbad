package paypro

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Sheet describes, in words for people who write commands, what a country requires.
type Sheet struct {
	Country
	Decimals   int    // of the currency, by ISO 4217
	Amount     string // the rule for amounts
	Payee      []PayeeRule
	AnyPayee   bool   // no page names the payee fields: all of the command's are sent
	Remark     string // the rule for remarks
	SignIn     string
	Paths      Paths
	Unverified []string // what no page says, or pages contradict
}

// PayeeRule is the rule for one payee field, in words.
type PayeeRule struct {
	Name     string
	Required bool
	Rule     string
}

// Sheets returns the sheets of all countries, ordered by name.
func Sheets() []Sheet {
	sheets := make([]Sheet, 0, len(countries))
	for _, c := range Countries() {
		p, _ := findCountry(c.Name)
		sheets = append(sheets, p.sheet(c))
	}
	return sheets
}

// sheet writes the sheet of one country.
func (p profile) sheet(c Country) Sheet {
	s := Sheet{
		Country: c, Decimals: decimals[p.currency], Amount: p.amount.describe(), AnyPayee: p.anyPayee,
		Remark: "sent where a command has one", SignIn: p.signIn, Paths: p.paths,
	}
	if p.remarkRequired {
		s.Remark = `required by the provider: "-" is sent where a command has none`
	}
	for _, name := range slices.Sorted(maps.Keys(p.fields)) {
		f := p.fields[name]
		s.Payee = append(s.Payee, PayeeRule{name, f.Required, f.describe(name)})
	}
	for _, d := range slices.Concat(p.openQuestions, commonQuestions) {
		s.Unverified = append(s.Unverified, d.text)
	}
	return s
}

// describe returns the rule for amounts in words.
func (r amountRule) describe() string {
	text := fmt.Sprintf("plain digits, at most %d decimals", r.decimals)
	if r.whole {
		text = "whole numbers, without a decimal point"
	}
	if !r.min.IsZero() {
		text += ", at least " + r.min.String()
	}
	if !r.max.IsZero() {
		text += ", at most " + r.max.String()
	}
	return text
}

// describe returns the rule for a field in words. A free text and a value for machines have
// different rules.
func (f Field) describe(name string) string {
	switch {
	case len(f.OneOf) > 0:
		return "must be one of " + strings.Join(f.OneOf, ", ")
	case f.Pattern != "":
		return f.Rule
	case isFreeText(name):
		return "any text that can be seen"
	}
	return "text without white space and invisible characters, its digits 0 to 9"
}
