package paypro

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"disburser/message"
	"disburser/payout"
	"disburser/payout/money"
)

var errMinAboveMax = errors.New("is above amount.max")

// reservedNames are the parameters that the disburser fills in itself: no payee field may have
// such a name.
var reservedNames = []string{"amount", "merchantNo", "notifyUrl", "remark", "sign", "timestamp", "tradeNo"}

// Check returns an error that lists everything that is wrong with a command for this merchant,
// or nil. See Rules.Problems.
func (c *Client) Check(cmd payout.Command) error {
	if problems := c.Rules().Problems(cmd); len(problems) > 0 {
		return errors.New(message.Reason(problems))
	}
	return nil
}

// Rules are those of the client's merchant.
func (c *Client) Rules() Rules { return Rules{&c.profile} }

// problems says what is wrong with an amount; none = nothing.
func (r amountRule) problems(a money.Amount) []message.Problem {
	wrong := func(text string) []message.Problem { return []message.Problem{{Field: "amount", Text: text}} }
	switch {
	case a.IsZero():
		return wrong("is required")
	case r.whole && a.HasPoint():
		return wrong("must be a whole number without a decimal point")
	case a.Decimals() > r.decimals:
		return wrong(fmt.Sprintf("must have at most %d decimals", r.decimals))
	case !r.min.IsZero() && a.Compare(r.min) < 0:
		return wrong("must be at least " + r.min.String())
	case !r.max.IsZero() && a.Compare(r.max) > 0:
		return wrong("must be at most " + r.max.String())
	}
	return nil
}

// payeeProblems checks the country's payee fields in order of name. A field that the country
// doesn't know is ignored and not sent.
func (p profile) payeeProblems(payee map[string]string) []message.Problem {
	if p.anyPayee {
		return p.anyPayeeProblems(payee)
	}
	var problems []message.Problem
	for _, name := range slices.Sorted(maps.Keys(p.fields)) {
		if problem := p.fields[name].problem(payee[name]); problem != "" {
			problems = append(problems, message.Problem{Field: "payee." + name, Text: problem})
		}
	}
	return problems
}

// problem says what is wrong with a value, "" if nothing. It may name a character, because
// people can't see what is wrong with "01123\u200b". It never names the value.
func (f Field) problem(value string) string {
	switch {
	case strings.TrimSpace(value) == "" && f.Required:
		return "is required"
	case value == "":
		return ""
	case !validText(value):
		return "must be UTF-8 text without control characters"
	case !f.freeText && forbiddenCharacter(value) != "":
		return "must not have " + forbiddenCharacter(value)
	case f.freeText && strings.TrimFunc(value, invisible) == "":
		if f.Required {
			return "is required: it has nothing but invisible characters"
		}
		return "must not be nothing but invisible characters"
	case utf8.RuneCountInString(value) > f.MaxLen:
		return fmt.Sprintf("must not be longer than %d characters", f.MaxLen)
	case len(f.OneOf) > 0 && !slices.Contains(f.OneOf, value):
		return "must be one of " + strings.Join(f.OneOf, ", ")
	case f.Pattern != "" && !f.pattern.MatchString(value):
		return f.Rule
	}
	return ""
}

// anyPayeeProblems checks the payee of a country without documented payee fields. All fields of
// the command are sent, so their names are checked too. A bad name is not printed: it may be
// payee data in the wrong place.
func (p profile) anyPayeeProblems(payee map[string]string) []message.Problem {
	if len(payee) == 0 {
		return []message.Problem{{Field: "payee", Text: "is required"}}
	}
	var problems []message.Problem
	wrong := func(field, text string) { problems = append(problems, message.Problem{Field: field, Text: text}) }
	for _, name := range slices.Sorted(maps.Keys(payee)) {
		field := Field{MaxLen: message.MaxPayeeField, freeText: isFreeText(name)}
		switch problem := field.problem(payee[name]); {
		case !fieldName.MatchString(name):
			wrong("payee", "has a field whose name is not letters and digits")
		case slices.Contains(reservedNames, name):
			wrong("payee."+name, "is filled in by the disburser")
		case p.extra.Send[name] != "" && p.extra.Send[name] != payee[name]:
			wrong("payee."+name, "is filled in by the merchant's extra.send, with another value")
		case problem != "":
			wrong("payee."+name, problem)
		}
	}
	return problems
}

// validText tells whether a text is valid UTF-8 without control characters.
func validText(text string) bool {
	return utf8.ValidString(text) && !strings.ContainsFunc(text, unicode.IsControl)
}
