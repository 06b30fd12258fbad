package paypro

import (
	"errors"
	"maps"
	"slices"
	"unicode/utf8"

	"disburser/message"
	"disburser/payout"
)

// Rules are what a merchant's commands must fulfil: those of the country with the operator's changes.
// They are known without an account at the provider.
type Rules struct{ profile *profile }

// RulesOf takes Country, Fields, the limits of amounts and Extra of the settings. An error lists what is
// wrong with these, each as in the errors of New.
func RulesOf(s Settings) (Rules, error) {
	p, known := findCountry(s.Country)
	if !known {
		return Rules{}, inSetting("country", unknownCountry(s.Country))
	}
	p, errs := s.limit(p)
	return Rules{&p}, errors.Join(errs...)
}

// Currency is the country's, by ISO 4217.
func (r Rules) Currency() string { return r.profile.currency }

// Problems lists everything that is wrong with a command. The rules are those of the page
// <country>/payout (paypro-api.md §3) with the operator's changes. Fields and rules are named, never a
// value, because values are payee data. There are no check digits and no rules across fields: these are
// the provider's to check.
func (r Rules) Problems(cmd payout.Command) []message.Problem {
	problems := r.profile.amount.problems(cmd.Amount)
	problems = append(problems, r.profile.payeeProblems(cmd.Payee.Reveal())...)
	if !utf8.ValidString(cmd.Remark) {
		problems = append(problems, message.Problem{Field: "remark", Text: "must be UTF-8"})
	}
	return problems
}

// PayeeFields are the names of the payee fields that the rules know, sorted. With anyToo all others are
// sent too: no page names the country's.
func (r Rules) PayeeFields() (names []string, anyToo bool) {
	return slices.Sorted(maps.Keys(r.profile.fields)), r.profile.anyPayee
}

// PayeeProblem says what is wrong with the value of one payee field, "" if nothing. Fields that the rules
// don't know are fine.
func (r Rules) PayeeProblem(name, value string) string {
	field, known := r.profile.fields[name]
	switch {
	case known:
		return field.problem(value)
	case r.profile.anyPayee:
		return Field{MaxLen: message.MaxPayeeField, freeText: isFreeText(name)}.problem(value)
	}
	return ""
}

// IsFreeText tells by the name of a payee field whether people read its value. Machines compare the others.
func IsFreeText(name string) bool { return isFreeText(name) }
