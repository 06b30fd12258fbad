package payout

import (
	"crypto/sha256"
	"encoding/base64"
	"strconv"
)

// FingerprintLen is the length of a Fingerprint: 96 bits in base64url. A fingerprint is only
// compared with another one of the same tradeNo, so 96 bits make an equal one by chance all but
// impossible. The journal stores one for every remembered payout, so it is no longer.
const FingerprintLen = 16

// Fingerprint tells one content of a tradeNo from another: merchant, amount by
// value, currency and payee. It shows no personal data in clear.
type Fingerprint string

// Fingerprint is of the command as the journal will know it, merchant and currency filled in.
// Remark, batch and times are no part of it: a repeated command may carry others without being
// another payout.
//
// A currency that only the country names is no part of it either. Before this default existed,
// such commands were known without a currency, and a repeat must stay a repeat.
func (c Command) Fingerprint() Fingerprint {
	if c.CurrencyFrom == FromCountry {
		c.Currency = ""
	}
	return c.fingerprint()
}

// OtherFingerprints are all others under which the same content may be known. Without the
// merchant nobody can tell its currency. A currency that isn't named may be any of those given.
// One that is named may be the merchant's own, and may have been left out.
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

// OtherFingerprint is the other one under which the same content may be known, or "" if there is
// none. A merchant's own currency may be named or left out.
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
	text := make([]byte, 0, 256)
	part := func(part string) { text = append(append(strconv.AppendInt(text, int64(len(part)), 10), ':'), part...) }
	part(c.Merchant)
	part(c.Amount.Canonical())
	part(c.Currency)
	for _, name := range c.Payee.names() {
		part(name)
		part(c.Payee.Field(name))
	}
	sum := sha256.Sum256(text)
	return Fingerprint(base64.RawURLEncoding.EncodeToString(sum[:FingerprintLen*6/8]))
}
