package paysim

import (
	"fmt"
	"math/big"
	"strings"
)

// rule is one required field of a payout request, with its format if a page gives one.
type rule struct {
	name  string
	other string // a second spelling that the same page uses
	want  string // the format in words, for the refusal
	holds func(string) bool
}

// required is a field without a format.
func required(name string) rule { return rule{name: name} }

// oneOf is a field with a list of allowed values.
func oneOf(name string, words ...string) rule {
	return rule{name: name, want: "one of " + strings.Join(words, ", "), holds: func(text string) bool {
		for _, w := range words {
			if text == w {
				return true
			}
		}
		return false
	}}
}

// digitsFrom is a field with a number of digits and allowed prefixes.
func digitsFrom(name string, shortest, longest int, prefixes ...string) rule {
	want := fmt.Sprintf("%d to %d digits", shortest, longest)
	if prefixes[0] != "" {
		want += " from " + strings.Join(prefixes, " or ")
	}
	return rule{name: name, want: want, holds: func(text string) bool {
		if len(text) < shortest || len(text) > longest || !digits(text) {
			return false
		}
		for _, p := range prefixes {
			if strings.HasPrefix(text, p) {
				return true
			}
		}
		return false
	}}
}

// latin is a name in Latin letters without Vietnamese marks (page vietnam/payout).
func latin(name string) rule {
	return rule{name: name, want: "Latin letters without marks", holds: func(text string) bool {
		for i := range len(text) {
			if text[i] < ' ' || text[i] > '~' {
				return false
			}
		}
		return true
	}}
}

// ifsc accepts both names: page india/payout says bankNCode in its table and bankCode in its
// sample.
var ifsc = rule{name: "bankCode", other: "bankNCode", want: "11 alphanumerics", holds: func(text string) bool {
	for i := range len(text) {
		c := text[i] | 0x20 // letters become lower case, digits stay the same
		if (c < 'a' || c > 'z') && (text[i] < '0' || text[i] > '9') {
			return false
		}
	}
	return len(text) == 11
}}

// check returns what is wrong with the field, "" if nothing.
func (r rule) check(p params) string {
	text := p.value(r.name)
	if text == "" && r.other != "" {
		text = p.value(r.other)
	}
	switch {
	case text == "":
		return r.name + " is required"
	case r.holds != nil && !r.holds(text):
		return r.name + " must be " + r.want
	}
	return ""
}

// checkPayout returns the first thing that is wrong with a payout request, "" if nothing.
func (a *account) checkPayout(p params) string {
	if wrong := a.checkCommon(opPayout, p); wrong != "" {
		return wrong
	}
	if wrong := a.checkAmount(p.value("amount")); wrong != "" {
		return wrong
	}
	for _, r := range a.profile.fields {
		if wrong := r.check(p); wrong != "" {
			return wrong
		}
	}
	return ""
}

// checkCommon checks the tradeNo and the timestamp, where the call has them. All payouts have a
// timestamp of 13 digits (paypro-api.md §3). The sample of page pakistan/payout has 10 digits,
// against its text: these are refused.
func (a *account) checkCommon(o op, p params) string {
	if o != opBalance && p.value("tradeNo") == "" {
		return "tradeNo is required"
	}
	stamp := p.value("timestamp")
	if (o == opPayout || a.profile.calls[o].needsTimestamp) && (len(stamp) != 13 || !digits(stamp)) {
		return "timestamp must be 13 digits"
	}
	return ""
}

func (a *account) checkAmount(text string) string {
	switch {
	case text == "":
		return "amount is required"
	case !decimal(text):
		return "amount must be plain digits"
	case a.profile.wholeAmounts && strings.Contains(text, "."):
		return "amount must be an integer"
	}
	return a.checkLimits(text)
}

func (a *account) checkLimits(text string) string {
	amount, _ := new(big.Rat).SetString(text)
	switch {
	case amount.Sign() == 0:
		return "amount must be more than zero"
	case a.minAmount != nil && amount.Cmp(a.minAmount) < 0:
		return "amount must not be below " + a.minAmount.RatString()
	case a.maxAmount != nil && amount.Cmp(a.maxAmount) > 0:
		return "amount must not be above " + a.maxAmount.RatString()
	}
	return ""
}

// decimal tells whether text is digits with an optional fraction. Its length is limited,
// because calculating with a huge number takes too long.
func decimal(text string) bool {
	whole, fraction, pointed := strings.Cut(text, ".")
	return len(text) <= 64 && digits(whole) && (!pointed || digits(fraction))
}

func digits(text string) bool {
	for i := range len(text) {
		if text[i] < '0' || text[i] > '9' {
			return false
		}
	}
	return text != ""
}
