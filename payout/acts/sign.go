package acts

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"

	"disburser/payout/secrets"
)

// Keys are those that vouch for actions. Without a current one nobody checks, and everything is obeyed.
// Old ones still verify: what was signed with them stands for ever.
type Keys struct {
	Current secrets.Secret
	Old     []secrets.Secret
}

// Sign is the header sig of a record (protocol A11), in hex. It is the HMAC-SHA256 over the record's key, its
// value and its header needs ("" where it has none). A zero byte stands between them: neither a key nor JSON
// holds one.
func Sign(key secrets.Secret, r Record) string { return hex.EncodeToString(sum(key, r)) }

func sum(key secrets.Secret, r Record) []byte {
	needs, _ := r.header(HeaderNeeds)
	h := hmac.New(sha256.New, []byte(key.Reveal()))
	_, _ = h.Write(r.Key) // none of them ever fails
	_, _ = h.Write([]byte{0})
	_, _ = h.Write(r.Value)
	_, _ = h.Write([]byte{0})
	_, _ = h.Write([]byte(needs))
	return h.Sum(nil)
}

// vouch tells whether a record may let payouts go on: one of the keys has signed it, or there are none.
func (k Keys) vouch(r Record) bool {
	if k.Current.IsEmpty() {
		return true
	}
	text, once := r.header(HeaderSig)
	sig, err := hex.DecodeString(text)
	if !once || err != nil {
		return false
	}
	good := hmac.Equal(sig, sum(k.Current, r))
	for _, old := range k.Old {
		good = good || !old.IsEmpty() && hmac.Equal(sig, sum(old, r))
	}
	return good
}
