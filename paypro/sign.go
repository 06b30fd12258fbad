package paypro

import (
	"crypto/md5" //nolint:gosec // the provider's algorithm (pakistan/overview: SIGN_TYPE MD5)
	"encoding/hex"
	"maps"
	"slices"

	"disburser/payout/secrets"
)

// signer signs the requests of one merchant (paypro-api.md §2).
type signer struct {
	secret      secrets.Secret
	secretFirst bool // the secret goes before the canonical string, not after it
}

// sign returns the signature of the parameters: the MD5 of the canonical string and the secret,
// as lower case hex. names are the parameters in canonical order.
//
// Where the secret goes is on no page of Paypro's. Three pages of its sister site append it
// (paypro-api.md §2.2).
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

// sortedNames returns the names of parameters in canonical order: ascending by the whole name,
// capitals before lower case. So does Collections.sort in the Java sample (*/overview). The
// prose beside it says "by first letter" (paypro-api.md §2.1).
func sortedNames(params map[string]string) []string { return slices.Sorted(maps.Keys(params)) }

// appendCanonical appends the canonical string: key=value pairs with nothing between them. It
// leaves out empty values and sign itself, and encodes nothing as in URLs.
func appendCanonical(to []byte, names []string, params map[string]string) []byte {
	for _, name := range names {
		if value := params[name]; value != "" && name != "sign" {
			to = append(append(append(to, name...), '='), value...)
		}
	}
	return to
}
