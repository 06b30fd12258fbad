package payout

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
)

// FingerprintLen is the length of a Fingerprint: 96 bits in base64url. A
// fingerprint is only ever compared with another one of the same tradeNo, so 96
// bits are far beyond chance, and the journal keeps one for every remembered payout.
const FingerprintLen = 16

// Fingerprint tells one content of a tradeNo from another: merchant, amount by
// value, currency and payee. It shows no personal data in clear.
type Fingerprint string

// Fingerprint is of the command as the journal will know it, merchant and currency
// filled in. Remark, batch and times are no part of it: a repeated command may
// carry others without being another payout.
//
// A currency that only the country names is no part of it either: such commands were
// known without one before there was this default, and a repeat must stay a repeat.
func (c Command) Fingerprint() Fingerprint {
	if c.CurrencyFrom == FromCountry {
		c.Currency = ""
	}
	return c.fingerprint()
}

// OtherFingerprints are all under which the same content may be known. Whoever doesn't know
// the merchant can't tell its currency: one that isn't named may be any of those given, one
// that is named may be the merchant's own and have been left out.
func (c Command) OtherFingerprints(merchantKnown bool, currencies []string) (others []Fingerprint) {
	if merchantKnown {
		if other := c.OtherFingerprint(); other != "" {
			others = append(others, other)
		}
		return others
	}
	if c.Currency != "" {
		currencies = []string{""}
	}
	for _, c.Currency = range currencies {
		others = append(others, c.fingerprint())
	}
	return others
}

// OtherFingerprint is the one under which the same content may be known too, "" if there
// is none: a merchant's own currency may be named or left out.
func (c Command) OtherFingerprint() Fingerprint {
	switch {
	case c.Currency == "" || c.CurrencyFrom == FromCommand:
		return ""
	case c.CurrencyFrom == FromMerchant:
		c.Currency = ""
	}
	return c.fingerprint()
}

func (c Command) fingerprint() Fingerprint {
	h := sha256.New()
	part := func(text string) { _, _ = fmt.Fprintf(h, "%d:", len(text)); _, _ = io.WriteString(h, text) }
	part(c.Merchant)
	part(c.Amount.Canonical())
	part(c.Currency)
	for _, name := range c.Payee.names() {
		part(name)
		part(c.Payee.Field(name))
	}
	return Fingerprint(base64.RawURLEncoding.EncodeToString(h.Sum(nil)[:FingerprintLen*6/8]))
}
