package paypro

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"disburser/payout/money"
)

// profile is what one country wants of a request and calls things in an answer:
// data only, so that a new country is a new entry in countries.go and no code.
type profile struct {
	name     string
	currency string
	sandbox  string // base URL of the sandbox where a page names it

	// verified: the pages document the payout path, the query path and the
	// payee fields. Without it a merchant needs accept_unverified.
	verified bool

	paths  Paths
	signIn string
	fields map[string]Field
	amount amountRule
	reply  replyNames
	extra  Extra // the merchant's own

	// Quirks, each with its page in countries.go.
	remarkRequired        bool // "-" is sent where a command has none
	jsonNumbers           bool // amount and timestamp are JSON numbers
	queryWithoutTimestamp bool
	balanceHeaderOnly     bool // the balance call has neither body nor sign
	anyPayee              bool // no page names the fields: what the command has is sent
	tradeNoOptional       bool // the query's answer may lack its tradeNo

	openQuestions []openQuestion
}

// amountRule is what a country says of amounts. The zero Amount is no limit.
type amountRule struct {
	whole    bool // no decimal point at all, not even "300.00"
	decimals int  // no more digits behind the point: the currency's by ISO 4217, filled in by find
	min, max money.Amount
}

// decimals are those of the countries' currencies, by ISO 4217. What has none takes whole
// amounts only.
var decimals = map[string]int{
	"BDT": 2, "BRL": 2, "EGP": 2, "IDR": 2, "INR": 2, "KES": 2, "KRW": 0, "MXN": 2, "NGN": 2, "PHP": 2, "PKR": 2, "VND": 0,
}

// replyNames are the names that a country's answers use, most specific first.
// The other countries' names follow in each list: a reader may be tolerant where
// nothing is decided by the value.
type replyNames struct {
	platformNo []string // the provider's own number
	paid       []string // what was paid, in a query's answer
	text       []string // the status in words
	available  []string // the balance that can be spent
}

// doubt is something that is unverified about a country; about is the setting
// with which the operator may settle it, if there is one.
type openQuestion struct{ setting, text string }

// Country is one country that a merchant can be configured for.
type Country struct {
	Name     string
	Currency string // ISO 4217; the base URL implies it, no request carries it
	Sandbox  string // base URL of the sandbox, "" where no page names it
	Verified bool   // false: a merchant needs accept_unverified
}

// Countries lists them by name.
func Countries() []Country {
	list := make([]Country, 0, len(countries))
	for _, p := range countries {
		list = append(list, Country{p.name, p.currency, p.sandbox, p.verified})
	}
	slices.SortFunc(list, func(a, b Country) int { return strings.Compare(a.Name, b.Name) })
	return list
}

// find returns the country's profile.
func findCountry(country string) (profile, bool) {
	for _, p := range countries {
		if p.name == country {
			p.amount.decimals = decimals[p.currency]
			p.amount.whole = p.amount.whole || p.amount.decimals == 0
			return p, true
		}
	}
	return profile{}, false
}

// mostDecimals bounds what an operator may set: ISO 4217 knows four at most.
const maxDecimals = 8

// override puts the operator's limits over the country's. Who sets decimals knows what the
// provider takes: more than none also lifts the rule of whole amounts.
func (r amountRule) override(lowest, highest, places string) (amountRule, []error) {
	var errs []error
	if places != "" {
		n, err := strconv.Atoi(places)
		if err != nil || n < 0 || n > maxDecimals {
			errs = append(errs, inSetting("amount.decimals", fmt.Errorf("must be a whole number from 0 to %d", maxDecimals)))
		}
		r.decimals, r.whole = n, n == 0
	}
	limit := func(setting, text string, own money.Amount) money.Amount {
		if text == "" {
			return own
		}
		amount, err := money.Parse(text)
		errs = append(errs, withoutNil(inSetting(setting, err))...)
		return amount
	}
	r.min = limit("amount.min", lowest, r.min)
	r.max = limit("amount.max", highest, r.max)
	if !r.min.IsZero() && !r.max.IsZero() && r.min.Compare(r.max) > 0 {
		errs = append(errs, inSetting("amount.min", errMinAboveMax))
	}
	return r, errs
}
