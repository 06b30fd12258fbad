package app

import (
	"fmt"

	"github.com/redis/go-redis/v9"

	"disburser/config"
	"disburser/disburse"
	"disburser/internal/rules"
	"disburser/payout"
	"disburser/paypro"
	"disburser/ratelimit"
)

// merchant is one configured merchant with all that is its own: its settings, the provider's
// client, and the limiters of its sends and queries. What holds for one merchant has its place
// here; what is about all of them stands in merchants.go.
//
// All shards of this instance share it. Breakers and slots belong to a shard's loop: see
// disburse.
type merchant struct {
	name        string
	config      config.Merchant // as it was at the start
	client      *paypro.Client
	send, query *ratelimit.Limiter
}

// merchantParts is what merchants are made with.
type merchantParts struct {
	dial     Dial                                                          // to the provider
	redis    redis.Scripter                                                // for the limiters: their rates are the fleet's
	epoch    func() int                                                    // the journal's, 0 for none
	tokens   func(merchant, operation, outcome string, n int)              // told what became of a limiter's tokens
	onChange func(merchant, operation string, change ratelimit.RateChange) // told when a rate changes direction
}

// newMerchant makes the merchant of a name. Nothing is sent yet.
func newMerchant(c config.Config, name string, p merchantParts) (*merchant, error) {
	m := &merchant{name: name, config: c.Merchants[name]}
	var err error
	if m.client, err = paypro.New(settings(name, m.config), paypro.Dial(p.dial)); err != nil {
		return nil, fmt.Errorf("%w: merchants.%s: %w", ErrSetup, name, err)
	}
	m.send = m.limiter(c, disburse.OperationSend, m.config.Send, p)
	m.query = m.limiter(c, disburse.OperationQuery, m.config.Query, p)
	return m, nil
}

// limiter makes the limiter of one operation, counted.
func (m *merchant) limiter(c config.Config, operation string, r config.Rate, p merchantParts) *ratelimit.Limiter {
	return ratelimit.New(p.redis, ratelimit.Options{
		Namespace: c.Redis.Namespace, Name: limiterName(m.name, operation), Rate: rateOf(r), MaxPause: c.Breaker.MaxOpenFor,
		Count:    func(outcome string, n int) { p.tokens(m.name, operation, outcome, n) },
		Epoch:    p.epoch,
		OnChange: func(change ratelimit.RateChange) { p.onChange(m.name, operation, change) },
	})
}

// limiterName names the schedule of a merchant's operation.
func limiterName(merchant, operation string) string { return merchant + ":" + operation }

// reload puts new rates in force and answers the new policy. The rest of a merchant's
// settings needs a restart.
func (m *merchant) reload(c config.Config) payout.Policy {
	changed := c.Merchants[m.name]
	m.send.Change(rateOf(changed.Send), c.Breaker.MaxOpenFor)
	m.query.Change(rateOf(changed.Query), c.Breaker.MaxOpenFor)
	return policy(changed)
}

// forLoop is the merchant as a shard's loop needs it.
func (m *merchant) forLoop() disburse.Merchant {
	return disburse.Merchant{Name: m.name, Policy: policy(m.config), Timeout: m.config.Timeout, Provider: m.client, Send: tickets{m.send}, Query: tickets{m.query}}
}

// account is the account of the provider from which payouts are paid.
func (m *merchant) account() payout.Account {
	return payout.AccountOf(m.config.MerchantNo, m.config.BaseURL)
}

// policy is what the state table needs of a merchant's settings.
func policy(m config.Merchant) payout.Policy {
	p := payout.Policy{Account: payout.AccountOf(m.MerchantNo, m.BaseURL)}
	p.Poll = payout.Poll(m.Poll)
	p.NoRecord.Answers, p.NoRecord.Every, p.NoRecord.Then = m.NoRecord.Answers, m.NoRecord.Every, payout.Choice(m.NoRecord.Then)
	p.UnknownStatus, p.Contradiction = payout.Choice(m.UnknownStatus), payout.Choice(m.Contradiction)
	return p
}

// rateOf is what a limiter needs of a merchant's settings.
func rateOf(r config.Rate) ratelimit.Rate { return ratelimit.Rate{PerSecond: r.Rate, Burst: r.Burst} }

// settings are what the provider's client needs of a merchant's settings.
func settings(name string, m config.Merchant) paypro.Settings {
	return paypro.Settings{
		Name: name, Country: m.Country, BaseURL: m.BaseURL, MerchantNo: m.MerchantNo, Secret: m.Secret, NotifyURL: m.NotifyURL,
		Salt: m.Salt, SignIn: m.SignIn, AcceptUnverified: m.AcceptUnverified,
		Paths:  paypro.Paths{Send: m.Paths.Send, Query: m.Paths.Query, Balance: m.Paths.Balance},
		Fields: rules.FieldsOf(m), AmountMin: m.Amount.Min, AmountMax: m.Amount.Max, AmountDecimals: m.Amount.Decimals,
		NoRecordCodes: m.NoRecord.Codes, NoRecordEmpty: m.NoRecord.EmptyData, TooFastCodes: m.TooFast.Codes, Timeout: m.Timeout,
		Extra: paypro.Extra(m.Extra),
	}
}

// checkMerchant lets the provider's package look at a merchant's settings; its errors
// begin with the key that they are about.
func checkMerchant(name string, m config.Merchant) []config.Problem {
	client, err := paypro.New(settings(name, m), nil)
	if err == nil {
		client.Close()
		return nil
	}
	return rules.ProblemsOf(err)
}
