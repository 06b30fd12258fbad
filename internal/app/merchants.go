package app

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"disburser/config"
	"disburser/consumer"
	"disburser/payout"
	"disburser/paypro"
)

// ConfigRules are what the configuration's checks need to know of the provider.
func ConfigRules() config.Rules {
	countries := map[string]bool{}
	for _, c := range paypro.Countries() {
		countries[c.Name] = !c.Verified
	}
	return config.Rules{Countries: countries, CheckMerchant: checkMerchant}
}

// checkMerchant lets the provider's package look at a merchant's settings; its errors
// begin with the key that they are about.
func checkMerchant(name string, m config.Merchant) []config.Problem {
	client, err := paypro.New(settings(name, m), nil)
	if err == nil {
		client.Close()
		return nil
	}
	var problems []config.Problem
	for line := range strings.SplitSeq(err.Error(), "\n") {
		key, text, found := strings.Cut(line, ": ")
		if !found {
			key, text = "", line
		}
		problems = append(problems, config.Problem{Key: key, Text: text})
	}
	return problems
}

func settings(name string, m config.Merchant) paypro.Settings {
	fields := map[string]paypro.Field{}
	for field, f := range m.Fields {
		fields[field] = paypro.Field{Required: f.Required, Pattern: f.Pattern, OneOf: f.OneOf, MaxLen: f.MaxLen, Drop: f.Drop}
	}
	return paypro.Settings{
		Name: name, Country: m.Country, BaseURL: m.BaseURL, MerchantNo: m.MerchantNo, Secret: m.Secret, NotifyURL: m.NotifyURL,
		Salt: m.Salt, SignIn: m.SignIn, AcceptUnverified: m.AcceptUnverified,
		Paths:  paypro.Paths{Send: m.Paths.Send, Query: m.Paths.Query, Balance: m.Paths.Balance},
		Fields: fields, AmountMin: m.Amount.Min, AmountMax: m.Amount.Max, AmountDecimals: m.Amount.Decimals,
		NoRecordCodes: m.NoRecord.Codes, NoRecordEmpty: m.NoRecord.EmptyData, TooFastCodes: m.TooFast.Codes, Timeout: m.Timeout,
		Extra: paypro.Extra(m.Extra),
	}
}

// clients makes the provider's client of every merchant.
func clients(c config.Config, dial Dial) (map[string]*paypro.Client, error) {
	made := map[string]*paypro.Client{}
	var problems error
	for name, m := range c.Merchants {
		client, err := paypro.New(settings(name, m), paypro.Dial(dial))
		if err != nil {
			problems = errors.Join(problems, fmt.Errorf("%w: merchants.%s: %w", ErrSetup, name, err))
			continue
		}
		made[name] = client
	}
	return made, problems
}

// policy is what the state table needs of a merchant's settings.
func policy(m config.Merchant) payout.Policy {
	p := payout.Policy{Account: payout.AccountOf(m.MerchantNo, m.BaseURL)}
	p.Poll = payout.Poll(m.Poll)
	p.NoRecord.Answers, p.NoRecord.Every, p.NoRecord.Then = m.NoRecord.Answers, m.NoRecord.Every, payout.Choice(m.NoRecord.Then)
	p.UnknownStatus, p.Contradiction = payout.Choice(m.UnknownStatus), payout.Choice(m.Contradiction)
	return p
}

// resolver knows the merchants: it fills in what a command leaves to its merchant and
// says why one must be rejected.
func resolver(c config.Config, clients map[string]*paypro.Client) consumer.Resolve {
	only := ""
	if len(c.Merchants) == 1 {
		only = slices.Collect(maps.Keys(c.Merchants))[0]
	}
	return func(command payout.Command) (payout.Command, string, string) {
		if command.Merchant == "" {
			command.Merchant = only
		}
		m, known := c.Merchants[command.Merchant]
		switch {
		case command.Merchant == "":
			return command, "", "merchant is missing, and several are configured"
		case !known:
			return command, "", payout.NotConfigured
		}
		command, invalid := inCurrency(command, m.Currency, clients[command.Merchant].Currency())
		if invalid != "" {
			return command, m.Country, invalid
		}
		if err := clients[command.Merchant].Check(command); err != nil {
			return command, m.Country, err.Error()
		}
		return command, m.Country, ""
	}
}

// currencies are those that a merchant may have whom this instance doesn't know: those of
// the countries, and of the merchants that it knows.
func currencies(c config.Config, clients map[string]*paypro.Client) []string {
	all := map[string]bool{}
	for _, country := range paypro.Countries() {
		all[country.Currency] = true
	}
	for name, m := range c.Merchants {
		all[cmp.Or(m.Currency, clients[name].Currency())] = true
	}
	delete(all, anyCurrency)
	return slices.Sorted(maps.Keys(all))
}

// anyCurrency is how a merchant is configured whose commands' currency isn't checked.
const anyCurrency = "any"

// inCurrency fills in a command's currency, or says that it names another one than the
// merchant's: the configured one, or else the country's.
func inCurrency(command payout.Command, configured, country string) (filled payout.Command, invalid string) {
	if configured == anyCurrency {
		return command, ""
	}
	own := cmp.Or(configured, country)
	switch {
	case command.Currency != "" && command.Currency != own:
		return command, "currency is not the merchant's, which is " + own
	case command.Currency == "" && configured == "":
		command.CurrencyFrom = payout.FromCountry
	default:
		command.CurrencyFrom = payout.FromMerchant
	}
	command.Currency = own
	return command, ""
}
