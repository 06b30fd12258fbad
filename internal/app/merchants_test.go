package app

import (
	"testing"

	"disburser/payout"
	"disburser/payout/money"
)

// Egypt pays pounds, whatever nobody configured: a command in another currency is rejected,
// unless its merchant is configured to take any.
func TestACommandInAnotherCurrencyIsRejected(t *testing.T) {
	for name, c := range map[string]struct {
		configured, named string
		want, invalid     string
		from              payout.CurrencyFrom
	}{
		"neither":              {"", "", "EGP", "", payout.FromCountry},
		"the country's":        {"", "EGP", "EGP", "", payout.FromMerchant},
		"another":              {"", "USD", "USD", "currency is not the merchant's, which is EGP", payout.FromCommand},
		"configured":           {"EGP", "", "EGP", "", payout.FromMerchant},
		"configured and named": {"EGP", "EGP", "EGP", "", payout.FromMerchant},
		"not the configured":   {"EUR", "EGP", "EGP", "currency is not the merchant's, which is EUR", payout.FromCommand},
		"any":                  {"any", "USD", "USD", "", payout.FromCommand},
		"any and none":         {"any", "", "", "", payout.FromCommand},
	} {
		t.Run(name, func(t *testing.T) {
			conf := testConfig()
			m := conf.Merchants["eg-main"]
			m.Currency = c.configured
			conf.Merchants["eg-main"] = m
			made, err := newMerchants(conf, merchantParts{})
			if err != nil {
				t.Fatal(err)
			}
			amount, _ := money.Parse("300")
			command := payout.Command{
				TradeNo: "a", Merchant: "eg-main", Amount: amount, Currency: c.named,
				Payee: payout.NewPayee(map[string]string{"customerName": "kevin", "walletId": "01123456789"}),
			}
			got, country, invalid := made.resolve()(command)
			if got.Currency != c.want || invalid != c.invalid || got.CurrencyFrom != c.from || country != "egypt" {
				t.Errorf("currency %q from %d, invalid %q", got.Currency, got.CurrencyFrom, invalid)
			}
		})
	}
}
