package rules

import (
	"maps"
	"slices"
	"strings"

	"disburser/config"
	"disburser/paypro"
)

// Load reads from the configuration at path what says which commands its merchants take. It needs no
// secret: see config.LoadForCommands.
func Load(path string) (Merchants, error) {
	read, err := config.LoadForCommands(path, ForCommands())
	if err != nil {
		return nil, err
	}
	return Of(read)
}

// ForCommands are the rules of a configuration of which only that is read which says what commands merchants take.
func ForCommands() config.Rules {
	countries := map[string]bool{}
	for _, c := range paypro.Countries() {
		countries[c.Name] = !c.Verified
	}
	return config.Rules{Countries: countries, CheckMerchant: checkMerchant}
}

// Of are the rules of configured merchants.
func Of(read map[string]config.Merchant) (all Merchants, err error) {
	for _, name := range slices.Sorted(maps.Keys(read)) {
		m := read[name]
		of, err := paypro.RulesOf(settings(m))
		if err != nil { // checkMerchant has found none
			return nil, err
		}
		all = append(all, Merchant{Name: name, Country: m.Country, Currency: m.Currency, Paypro: of})
	}
	return all, nil
}

// settings are what the rules need of a merchant's settings.
func settings(m config.Merchant) paypro.Settings {
	return paypro.Settings{
		Country: m.Country, Fields: FieldsOf(m), AmountMin: m.Amount.Min, AmountMax: m.Amount.Max, AmountDecimals: m.Amount.Decimals,
	}
}

// FieldsOf are a merchant's own rules for payee fields, as the provider's package wants them.
func FieldsOf(m config.Merchant) map[string]paypro.Field {
	fields := make(map[string]paypro.Field, len(m.Fields))
	for name, f := range m.Fields {
		fields[name] = paypro.Field{Required: f.Required, Pattern: f.Pattern, OneOf: f.OneOf, MaxLen: f.MaxLen, Drop: f.Drop}
	}
	return fields
}

func checkMerchant(_ string, m config.Merchant) []config.Problem {
	_, err := paypro.RulesOf(settings(m))
	return ProblemsOf(err)
}

// ProblemsOf are the errors of the provider's package as problems of a merchant's keys; none for nil.
func ProblemsOf(err error) (problems []config.Problem) {
	if err == nil {
		return nil
	}
	for line := range strings.SplitSeq(err.Error(), "\n") {
		key, text, found := strings.Cut(line, ": ")
		if !found {
			key, text = "", line
		}
		problems = append(problems, config.Problem{Key: key, Text: text})
	}
	return problems
}
