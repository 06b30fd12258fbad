package app

import (
	"cmp"
	"errors"
	"maps"
	"slices"

	"github.com/prometheus/client_golang/prometheus"

	"disburser/config"
	"disburser/disburse"
	"disburser/internal/series"
	"disburser/payout"
	"disburser/paypro"
	"disburser/ratelimit"
)

// merchants are all configured merchants, sorted by name.
type merchants []*merchant

// newMerchants makes them. An error names each merchant whose settings the provider's
// client doesn't take.
func newMerchants(c config.Config, p merchantParts) (all merchants, err error) {
	for _, name := range namesOf(c) {
		m, e := newMerchant(c, name, p)
		if e != nil {
			err = errors.Join(err, e)
			continue
		}
		all = append(all, m)
	}
	return all, err
}

// namesOf are the names of the configured merchants, sorted.
func namesOf(c config.Config) []string { return slices.Sorted(maps.Keys(c.Merchants)) }

// close closes their connections to the provider.
func (all merchants) close() error {
	for _, m := range all {
		m.client.Close()
	}
	return nil
}

// named answers the merchant of a name, nil if none is configured.
func (all merchants) named(name string) *merchant {
	i, found := slices.BinarySearchFunc(all, name, func(m *merchant, name string) int { return cmp.Compare(m.name, name) })
	if !found {
		return nil
	}
	return all[i]
}

func (all merchants) knows(name string) bool { return all.named(name) != nil }

// showRates registers how fast each merchant may be called.
func (all merchants) showRates(r prometheus.Registerer) {
	names := make([]string, len(all))
	for i, m := range all {
		names[i] = m.name
	}
	var f *series.Family
	f = series.Of(names...).Gauges("disburser_rate_limit",
		"Calls a second that the whole fleet may make for now; 0 during a pause that the provider asked for, or after refusals.", func() {
			for _, m := range all {
				f.Set(m.send.PerSecond(), m.name, disburse.OperationSend)
				f.Set(m.query.PerSecond(), m.name, disburse.OperationQuery)
			}
		}, []string{"operation"}, []string{disburse.OperationSend}, []string{disburse.OperationQuery})
	r.MustRegister(f)
}

// limiters are those of all merchants and operations.
func (all merchants) limiters() (limiters []*ratelimit.Limiter) {
	for _, m := range all {
		limiters = append(limiters, m.send, m.query)
	}
	return limiters
}

// forLoop are the merchants as a shard's loop needs them.
func (all merchants) forLoop() (some []disburse.Merchant) {
	for _, m := range all {
		some = append(some, m.forLoop())
	}
	return some
}

// resolve is what consumer and loop ask about a command. It fills in what the command leaves
// to its merchant, and says why it must be rejected. Where only one merchant is configured, a
// command needn't name it.
func (all merchants) resolve(command payout.Command) (resolved payout.Command, country, invalid string) {
	if command.Merchant == "" && len(all) == 1 {
		command.Merchant = all[0].name
	}
	m := all.named(command.Merchant)
	switch {
	case command.Merchant == "":
		return command, "", "merchant is missing, and several are configured"
	case m == nil:
		return command, "", payout.NotConfigured
	}
	command, invalid = m.complete(command)
	return command, m.config.Country, invalid
}

// currencies are those that a merchant may have whom this instance doesn't know: those of
// the countries, and of the merchants that it knows.
func (all merchants) currencies() []string {
	known := map[string]bool{}
	for _, country := range paypro.Countries() {
		known[country.Currency] = true
	}
	for _, m := range all {
		known[m.currency()] = true
	}
	delete(known, anyCurrency)
	return slices.Sorted(maps.Keys(known))
}

// reload puts new rates in force and answers the new policies, for the loops.
func (all merchants) reload(c config.Config) map[string]payout.Policy {
	policies := map[string]payout.Policy{}
	for _, m := range all {
		policies[m.name] = m.reload(c)
	}
	return policies
}

// ConfigRules are what the configuration's checks need to know of the provider.
func ConfigRules() config.Rules {
	countries := map[string]bool{}
	for _, c := range paypro.Countries() {
		countries[c.Name] = !c.Verified
	}
	return config.Rules{Countries: countries, CheckMerchant: checkMerchant}
}
