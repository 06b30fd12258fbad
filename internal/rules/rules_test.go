package rules

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"disburser/message"
	"disburser/payout"
)

func load(t *testing.T, text string) (Merchants, error) {
	t.Helper()
	name := filepath.Join(t.TempDir(), "c.yaml")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return Load(name)
}

// The service waits for a merchant that nobody knows yet. It knows it by this reason.
func TestAnUnknownMerchantHasItsReason(t *testing.T) {
	if message.Reason([]message.Problem{NotConfigured}) != payout.NotConfigured {
		t.Errorf("%q is not %q", NotConfigured, payout.NotConfigured)
	}
}

func TestTheMerchantOfACommand(t *testing.T) {
	one, err := load(t, "merchants: {a: {country: egypt, fields: {customerName: drop}, amount: {min: 5}}}")
	if err != nil {
		t.Fatal(err)
	}
	two, err := load(t, "merchants: {a: {country: egypt}, b: {country: kenya, currency: any}}")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		all              Merchants
		command          string
		merchant, reason string
	}{
		{one, `{"tradeNo":"x","amount":"5","payee":{"walletId":"1"}}`, "a", ""},
		{one, `{"tradeNo":"x","amount":"4","payee":{}}`, "a", "amount must be at least 5; payee.walletId is required"},
		{one, `{"tradeNo":"x","merchant":"b","amount":"5","payee":{"walletId":"1"}}`, "b", "merchant is not configured"},
		{two, `{"tradeNo":"x","amount":"500","payee":{"walletId":"1"}}`, "", "merchant is missing, and several are configured"},
		{two, `{"tradeNo":"x","merchant":"b","currency":"XXX","amount":"5","payee":{"mobile":"254712345678"}}`, "b", ""},
		{two, `{"tradeNo":"x","merchant":"a","currency":"XXX","amount":"5","payee":{}}`, "a", "currency is not the merchant's, which is EGP"},
	} {
		orders, err := message.Decode([]byte(c.command))
		if err != nil {
			t.Fatal(err)
		}
		got, _, problems := c.all.Resolve(orders[0].Command)
		if got.Merchant != c.merchant || message.Reason(problems) != c.reason {
			t.Errorf("%s: merchant %q, %q", c.command, got.Merchant, message.Reason(problems))
		}
	}
}

// The provider's own rules for fields and amounts are looked at too.
func TestMistakesOfTheRulesAreTold(t *testing.T) {
	for text, want := range map[string]string{
		"merchants: {a: {country: egypt, fields: {tradeNo: required}}}": "merchants.a.fields.tradeNo is filled in by the disburser",
		"merchants: {a: {country: egpt}}":                               "did you mean egypt?",
		"merchants: {a: {country: egypt, amount: {min: 20000}}}":        "merchants.a.amount.min is above amount.max",
	} {
		if _, err := load(t, text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
}
