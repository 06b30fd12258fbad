package paypro

import (
	"crypto/md5" //nolint:gosec // the provider's algorithm (pakistan/overview: SIGN_TYPE MD5)
	"encoding/hex"

	"disburser/payout/secrets"
)

// signer signs the requests of one merchant (paypro-api.md §2).
type signer struct {
	secret      secrets.Secret
	secretFirst bool // the secret goes before the canonical string, not after it
}

// sign returns the signature of the parameters: the MD5 of the canonical string and the secret,
// as lower case hex. The parameters stand in canonical order.
//
// Where the secret goes is on no page of Paypro's. Three pages of its sister site append it
// (paypro-api.md §2.2).
func (s signer) sign(p params) string {
	var room [512]byte
	text := room[:0]
	if s.secretFirst {
		text = append(text, s.secret.Reveal()...)
	}
	text = appendCanonical(text, p)
	if !s.secretFirst {
		text = append(text, s.secret.Reveal()...)
	}
	sum := md5.Sum(text) //nolint:gosec // see above
	return hex.EncodeToString(sum[:])
}

// appendCanonical appends the canonical string: key=value pairs with nothing between them. It
// leaves out empty values and sign itself, and encodes nothing as in URLs.
func appendCanonical(to []byte, p params) []byte {
	for _, each := range p {
		if each.value != "" && each.name != "sign" {
			to = append(append(append(to, each.name...), '='), each.value...)
		}
	}
	return to
}
