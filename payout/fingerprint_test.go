package payout

import (
	"strings"
	"testing"
	"time"

	"disburser/payout/money"
)

func TestFingerprintIsOfTheContentAlone(t *testing.T) {
	base := command(t).Fingerprint()
	for name, change := range map[string]func(*Command){
		"nothing":        func(*Command) {},
		"remark":         func(c *Command) { c.Remark = "bonus" },
		"batch":          func(c *Command) { c.BatchID, c.BatchSize = "other", 1 },
		"times":          func(c *Command) { c.NotBefore, c.ExpiresAt = t0, t0.Add(time.Hour) },
		"amount's text":  func(c *Command) { c.Amount = amountOf(t, "0300.00") },
		"empty field":    func(c *Command) { c.Payee = payee("customerName", personName, "email", "", "walletId", personWallet) },
		"order of names": func(c *Command) { c.Payee = payee("walletId", personWallet, "customerName", personName) },
	} {
		c := command(t)
		change(&c)
		if c.Fingerprint() != base {
			t.Errorf("%s makes another payout of it", name)
		}
	}
}

func payee(pairs ...string) Payee {
	fields := map[string]string{}
	for i := 0; i < len(pairs); i += 2 {
		fields[pairs[i]] = pairs[i+1]
	}
	return NewPayee(fields)
}

func TestFingerprintTellsEveryFieldApart(t *testing.T) {
	c := func(merchant, amount, currency string, pairs ...string) Command {
		var a money.Amount
		if amount != "" {
			a = amountOf(t, amount)
		}
		return Command{TradeNo: "same", Merchant: merchant, Amount: a, Currency: currency, Payee: payee(pairs...)}
	}
	seen := map[Fingerprint]int{}
	for i, command := range []Command{
		c("m", "300", "EGP", "a", "1", "b", "2"),
		c("n", "300", "EGP", "a", "1", "b", "2"),
		c("m", "301", "EGP", "a", "1", "b", "2"),
		c("m", "300.5", "EGP", "a", "1", "b", "2"),
		c("m", "300", "USD", "a", "1", "b", "2"),
		c("m", "300", "EGP", "a", "2", "b", "1"),
		c("m", "300", "EGP", "a", "1"),
		c("m", "300", "EGP", "a", "1", "b", "2", "c", "3"),
		c("m", "300", "EGP", "A", "1", "b", "2"),
		c("m", "300", "EGP", "a", "1 ", "b", "2"),
		c("m", "300", "EGP"),
		// What would be the same text if the fields stood side by side.
		c("m3", "10", "EGP"), c("m", "310", "EGP"), c("m", "3", "10EGP"),
		c("m", "300", "EGP", "a1", "b2"), c("m", "300", "EGP", "a", "1b2"), c("m", "300", "EGP", "a1b", "2"),
		c("m", "300", "EGP", "a", "1:b1:2"), c("m", "300", "EGP", "a", "11:b", "b", "2"), c("1:m", "300", "EGP"), c("", "300", "mEGP"), c("m", "", "300EGP"),
	} {
		f := command.Fingerprint()
		if j, twice := seen[f]; twice {
			t.Errorf("commands %d and %d have the same fingerprint", j, i)
		}
		seen[f] = i
		if len(f) != FingerprintLen || strings.Trim(string(f), "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			t.Errorf("fingerprint %q: want %d characters of base64url", f, FingerprintLen)
		}
	}
}

// A fingerprint is compared with those written months ago: whoever changes how it is made makes a conflict
// of every repeated command.
func TestFingerprintNeverChanges(t *testing.T) {
	const written = "468DWSdh5cz6ZSF5"
	if got := command(t).Fingerprint(); got != written {
		t.Errorf("%q, written before as %q", got, written)
	}
}

// Where neither command nor configuration named a currency, fingerprints were made without one
// before the country's became the default. They must stay what they were.
func TestAFingerprintKnowsNoCurrencyThatOnlyTheCountryNames(t *testing.T) {
	bare := command(t)
	bare.Currency = ""
	named := command(t)
	for _, c := range []struct {
		from        CurrencyFrom
		same, other Fingerprint
	}{
		{FromCommand, named.Fingerprint(), ""},
		{FromMerchant, named.Fingerprint(), bare.Fingerprint()},
		{FromCountry, bare.Fingerprint(), named.Fingerprint()},
	} {
		one := command(t)
		one.CurrencyFrom = c.from
		if one.Fingerprint() != c.same || one.OtherFingerprint() != c.other {
			t.Errorf("from %d: %s and %s, want %s and %s", c.from, one.Fingerprint(), one.OtherFingerprint(), c.same, c.other)
		}
	}
	if other := bare.OtherFingerprint(); other != "" {
		t.Errorf("a command without a currency is also known as %s", other)
	}
}
