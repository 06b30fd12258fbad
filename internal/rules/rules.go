// Package rules promises that a command is judged the same way everywhere. The service asks it at intake, a
// check of a file asks it before anything is sent.
package rules

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"disburser/internal/similar"
	"disburser/message"
	"disburser/payout"
	"disburser/paypro"
)

// AnyCurrency is how a merchant is configured whose commands' currency isn't checked.
const AnyCurrency = "any"

// Merchant is what a command must fulfil for one merchant.
type Merchant struct {
	Name, Country string
	Currency      string // as it is configured: "" is the country's
	Paypro        paypro.Rules
}

// Merchants are all configured merchants, sorted by name.
type Merchants []Merchant

// Named answers the merchant of a name; false if none is configured.
func (all Merchants) Named(name string) (Merchant, bool) {
	i, found := slices.BinarySearchFunc(all, name, func(m Merchant, name string) int { return cmp.Compare(m.Name, name) })
	if !found {
		return Merchant{}, false
	}
	return all[i], true
}

// Unknown says that no merchant of this name is configured, and which one is probably meant; "" if there is one.
func (all Merchants) Unknown(name string) string {
	if _, known := all.Named(name); known {
		return ""
	}
	names := make([]string, len(all))
	for i, m := range all {
		names[i] = m.Name
	}
	text := fmt.Sprintf("no merchant %s is configured", name)
	if meant := similar.Nearest(name, names); meant != "" {
		text += ": did you mean " + meant + "?"
	}
	return text
}

// Resolve fills in what a command leaves to its merchant, and says why it must be rejected. Where only one
// merchant is configured, a command needn't name it.
func (all Merchants) Resolve(command payout.Command) (resolved payout.Command, country string, problems []message.Problem) {
	if command.Merchant == "" && len(all) == 1 {
		command.Merchant = all[0].Name
	}
	m, known := all.Named(command.Merchant)
	switch {
	case command.Merchant == "":
		return command, "", []message.Problem{{Field: "merchant", Text: "is missing, and several are configured"}}
	case !known:
		return command, "", []message.Problem{NotConfigured}
	}
	command, problems = m.complete(command)
	return command, m.Country, problems
}

// NotConfigured is the problem whose reason is payout.NotConfigured.
var NotConfigured = message.Problem{Field: "merchant", Text: "is not configured"}

// complete fills in what a command leaves to its merchant, and says what is wrong with it.
func (m Merchant) complete(command payout.Command) (payout.Command, []message.Problem) {
	command, problems := m.inCurrency(command)
	if len(problems) > 0 {
		return command, problems
	}
	return command, m.Paypro.Problems(command)
}

// OnlyCurrency is the only one in which the merchant pays, or AnyCurrency.
func (m Merchant) OnlyCurrency() string { return cmp.Or(m.Currency, m.Paypro.Currency()) }

// inCurrency fills in a command's currency, or says that it names another one than the merchant's: the
// configured one, or else the country's.
func (m Merchant) inCurrency(command payout.Command) (payout.Command, []message.Problem) {
	own := m.OnlyCurrency()
	switch {
	case own == AnyCurrency:
		return command, nil
	case command.Currency != "" && command.Currency != own:
		return command, []message.Problem{{Field: "currency", Text: "is not the merchant's, which is " + own}}
	case command.Currency == "" && m.Currency == "":
		command.CurrencyFrom = payout.FromCountry
	default:
		command.CurrencyFrom = payout.FromMerchant
	}
	command.Currency = own
	return command, nil
}

// Currencies are those that a merchant may have whom nobody here knows: those of the countries, and of
// the merchants that are known.
func (all Merchants) Currencies() []string {
	known := map[string]bool{}
	for _, country := range paypro.Countries() {
		known[country.Currency] = true
	}
	for _, m := range all {
		known[m.OnlyCurrency()] = true
	}
	delete(known, AnyCurrency)
	return slices.Sorted(maps.Keys(known))
}
