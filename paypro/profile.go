package paypro

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"disburser/payout/money"
)

// profile is what one country requires in a request, and how it names things in an answer. It
// is data only: a new country is a new entry in countries.go. A new currency also needs its
// decimals below. CONTRIBUTING.md, "A country", lists the other places.
type profile struct {
	name     string
	currency string
	sandbox  string // base URL of the sandbox; "" = no page names it

	// verified tells that the pages document the payout path, the query path and the payee
	// fields. Without it a merchant needs accept_unverified.
	verified bool

	paths  Paths
	signIn string
	fields map[string]Field
	amount amountRule
	reply  replyNames
	extra  Extra // constant fields that the operator added

	// Exceptions of single countries; countries.go names the page of each.
	remarkRequired        bool // "-" is sent where a command has none
	jsonNumbers           bool // amount and timestamp are JSON numbers
	queryWithoutTimestamp bool
	balanceHeaderOnly     bool // the balance call has neither body nor sign
	anyPayee              bool // no page names the payee fields: all of the command's are sent
	tradeNoOptional       bool // a query's answer without a tradeNo is believed

	openQuestions []openQuestion
}

// amountRule is a country's rule for amounts, in units of its currency. A zero limit is no
// limit.
type amountRule struct {
	whole    bool // no decimal point, not even "300.00"
	decimals int  // most digits behind the point: the currency's, set by findCountry
	min, max money.Amount
}

// decimals are the digits behind the point of each currency, by ISO 4217. A currency without
// decimals takes whole amounts only.
var decimals = map[string]int{
	"BDT": 2, "BRL": 2, "EGP": 2, "IDR": 2, "INR": 2, "KES": 2, "KRW": 0, "MXN": 2, "NGN": 2, "PHP": 2, "PKR": 2, "VND": 0,
}

// replyNames are the names of fields in a country's answers (paypro-api.md §4), best one first.
// Each list also has the other countries' names: nothing is decided by these values.
type replyNames struct {
	platformNo []string // the provider's own number of the payout
	paid       []string // the amount paid, in the answer to a query
	text       []string // the status in words
	available  []string // the balance that can be paid out
}

// openQuestion is something about a country that the pages leave open. setting names the
// setting with which the operator can decide it, or only its topic.
type openQuestion struct{ setting, text string }

// Country is a country that a merchant can be configured for.
type Country struct {
	Name     string
	Currency string // ISO 4217; the base URL implies it, and no request carries it
	Sandbox  string // base URL of the sandbox, "" where no page names it
	Verified bool   // false: a merchant needs accept_unverified
}

// Countries lists the countries by name.
func Countries() []Country {
	list := make([]Country, 0, len(countries))
	for _, p := range countries {
		list = append(list, Country{p.name, p.currency, p.sandbox, p.verified})
	}
	slices.SortFunc(list, func(a, b Country) int { return strings.Compare(a.Name, b.Name) })
	return list
}

// findCountry returns the profile of a country, and false if there is none.
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

// maxDecimals limits the setting amount.decimals. ISO 4217 has at most four decimals; eight
// leave room.
const maxDecimals = 8

// override replaces the country's limits by the operator's. Setting decimals to more than 0
// also allows decimals where the country takes whole amounts only.
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
