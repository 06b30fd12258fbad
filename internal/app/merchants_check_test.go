package app

import (
	"errors"
	"strings"
	"testing"

	"disburser/config"
)

// A mistake is told once, at the key where it is.
func TestASecretFileThatIsMissingIsOneMistake(t *testing.T) {
	const file = `
kafka: {brokers: [kafka:9092]}
redis: {addresses: [redis:6379]}
merchants:
  eg-main:
    country: egypt
    base_url: https://paypro.example.com/egy-pay
    merchant_no: "0000000001"
    notify_url: https://example.com/notify
`
	for _, c := range []struct{ secret, key string }{
		{"secret_file: /nowhere/paypro-eg", "merchants.eg-main.secret_file"},
		{`secret_file: "${NOBODY_SETS_IT}"`, "merchants.eg-main.secret_file"},
		{"secret_file: [a]", "merchants.eg-main.secret_file"},
		{"currency: EGP", "merchants.eg-main.secret"},
	} {
		_, _, err := config.Parse("x.yaml", []byte(file+"    "+c.secret+"\n"), ConfigRules())
		problems, ok := errors.AsType[config.Problems](err)
		if !ok || len(problems) != 1 || problems[0].Key != c.key {
			t.Errorf("%s: %v", c.secret, strings.ReplaceAll(err.Error(), "\n", " | "))
		}
	}
}
