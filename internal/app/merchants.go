package app

import (
	"cmp"
	"errors"
	"maps"
	"slices"

	"github.com/prometheus/client_golang/prometheus"

	"disburser/config"
	"disburser/disburse"
	"disburser/internal/rules"
	"disburser/internal/series"
	"disburser/message"
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

// rules are what commands must fulfil for these merchants.
func (all merchants) rules() rules.Merchants {
	known := make(rules.Merchants, len(all))
	for i, m := range all {
		known[i] = rules.Merchant{Name: m.name, Country: m.config.Country, Currency: m.config.Currency, Paypro: m.client.Rules()}
	}
	return known
}

// resolve is what consumer and loop ask about a command: see rules.Merchants.Resolve. It answers the
// problems as the one line of a rejected payout.
func (all merchants) resolve() func(payout.Command) (resolved payout.Command, country, invalid string) {
	known := all.rules()
	return func(command payout.Command) (payout.Command, string, string) {
		resolved, country, problems := known.Resolve(command)
		return resolved, country, message.Reason(problems)
	}
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
