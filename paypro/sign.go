package paypro

import (
	"crypto/md5" //nolint:gosec // the provider's algorithm (pakistan/overview: SIGN_TYPE MD5)
	"encoding/hex"
	"maps"
	"slices"

	"disburser/payout/secrets"
)

// signer signs one merchant's requests.
type signer struct {
	secret      secrets.Secret
	secretFirst bool // the secret goes before the text instead of after it
}

// sign is the provider's digest of the parameters: lower case hex of the MD5 of
// key=value pairs joined without anything between them, and the secret.
//
// The keys are in full-key order with capitals first, as the Java sample's
// Collections.sort has them, not "by first letter" as the prose says
// (indonesia, pakistan, mexico and brazil overview). No Paypro page shows where
// the secret goes; three pages of its sister site append it.
func (s signer) sign(names []string, params map[string]string) string {
	text := make([]byte, 0, 512)
	if s.secretFirst {
		text = append(text, s.secret.Reveal()...)
	}
	text = appendCanonical(text, names, params)
	if !s.secretFirst {
		text = append(text, s.secret.Reveal()...)
	}
	sum := md5.Sum(text) //nolint:gosec // see above
	return hex.EncodeToString(sum[:])
}

// sorted are the names of parameters in the order in which they are signed.
func sortedNames(params map[string]string) []string { return slices.Sorted(maps.Keys(params)) }

// signText appends the parameters in the order of their names. Empty values and sign
// itself are left out, and nothing is URL-encoded.
func appendCanonical(to []byte, names []string, params map[string]string) []byte {
	for _, name := range names {
		if value := params[name]; value != "" && name != "sign" {
			to = append(append(append(to, name...), '='), value...)
		}
	}
	return to
}
