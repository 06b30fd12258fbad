package paypro

import (
	"crypto/md5" //nolint:gosec // the provider's algorithm (pakistan/overview: SIGN_TYPE MD5)
	"encoding/hex"
	"maps"
	"slices"
	"strings"

	"disburser/payout"
)

// signer signs one merchant's requests.
type signer struct {
	secret payout.Secret
	prefix bool // the secret goes before the text instead of after it
}

// sign is the provider's digest of the parameters: lower case hex of the MD5 of
// key=value pairs joined without anything between them, and the secret.
//
// The keys are in full-key order with capitals first, as the Java sample's
// Collections.sort has them, not "by first letter" as the prose says
// (indonesia, pakistan, mexico and brazil overview). No Paypro page shows where
// the secret goes; three pages of its sister site append it.
func (s signer) sign(params map[string]string) string {
	text := signText(params)
	if s.prefix {
		text = s.secret.Reveal() + text
	} else {
		text += s.secret.Reveal()
	}
	sum := md5.Sum([]byte(text)) //nolint:gosec // see above
	return hex.EncodeToString(sum[:])
}

// signText joins the parameters. Empty values and sign itself are left out, and
// nothing is URL-encoded.
func signText(params map[string]string) string {
	var text strings.Builder
	for _, name := range slices.Sorted(maps.Keys(params)) {
		if value := params[name]; value != "" && name != "sign" {
			text.WriteString(name + "=" + value)
		}
	}
	return text.String()
}
