package payout

import (
	"crypto/sha256"
	"encoding/hex"
	"net/url"
	"strings"
)

// Account names an account at the provider: to which one a payout was sent. What another
// account says of a payout, that it has no such order above all, proves nothing. "" stands
// for none, and for one that nobody knows (any more).
type Account string

// AccountLen is the length of an account's name.
const AccountLen = 8

// SeveralAccounts stands for a payout that two parts of the fleet have sent to different
// accounts. It is equal to none.
const SeveralAccounts Account = "????????"

// Why a payout is held whose account is not the one that is asked.
const (
	sentElsewhere = "it may have been sent to another account of the provider (merchant_no or base_url were other ones then): that this one has no record of it proves nothing, and it is not sent again"
	sentSomewhere = "nobody knows to which account of the provider it was sent (by an older version, or the journal was lost): that this one has no record of it proves little, and it is not sent again"
)

// otherAccount says why what the asked account has no record of proves nothing: it was sent
// to another one, or nobody knows to which; "" if it was sent to this one. Absences are
// counted all the same, since a provider may refuse to know anybody's order for a while
// (a wrong secret). What they would prove is left to a person.
func (p Payout) otherAccount(policy Policy) string {
	switch {
	case p.Account != "" && p.Account != policy.Account:
		return sentElsewhere
	case p.Account == "" && policy.Account != "":
		return sentSomewhere
	}
	return ""
}

// AtAnotherAccount tells that it was sent, and surely not to the given account. That this one
// has no record of it ends nothing but in a hold, so nothing needs to vouch for the answer.
func (p Payout) AtAnotherAccount(account Account) bool {
	return p.Sends > 0 && p.Account != "" && p.Account != account
}

// SentElsewhere tells that it may have been sent to another account than the given one.
func (p Payout) SentElsewhere(account Account) bool { return p.Sends > 0 && p.Account != account }

// AccountOf names the account by merchant number and base URL. It is a hash, and no secret
// goes into it, so that it may stand in the journal and in the decisions. Spellings of one
// address are one account: the case of scheme and host, the default port, a last slash.
func AccountOf(merchantNo, baseURL string) Account {
	sum := sha256.Sum256([]byte(merchantNo + "\x00" + strings.TrimRight(sameAddress(baseURL), "/")))
	return Account(hex.EncodeToString(sum[:])[:AccountLen])
}

var defaultPorts = map[string]string{"http": ":80", "https": ":443"}

// sameAddress spells a URL's scheme and host in one way; the path is the provider's affair.
func sameAddress(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return text
	}
	u.Scheme = strings.ToLower(u.Scheme)
	u.Host = strings.TrimSuffix(strings.ToLower(u.Host), defaultPorts[u.Scheme])
	return u.String()
}
