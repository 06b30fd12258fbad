package payout

import (
	"crypto/sha256"
	"encoding/hex"
	"net/url"
	"strings"
)

// Account names an account at the provider. A payout notes to which one it was sent, because
// "no such order" from another account proves nothing. "" means that there is none, or that
// nobody knows it.
type Account string

// accountLen is the length of an account's name.
const accountLen = len(SeveralAccounts)

// SeveralAccounts is the account of a payout that was sent to different ones, by two parts of
// the fleet. No real account is equal to it.
const SeveralAccounts Account = "????????"

// The reasons of payouts that are held because it isn't certain that the asked account is the
// one to which they were sent.
const (
	atAnotherAccount = "it may have been sent to another account of the provider (merchant_no or base_url were other ones then): that this one has no record of it proves nothing, and it is not sent again"
	atUnknownAccount = "nobody knows to which account of the provider it was sent (by an older version, or the journal was lost): that this one has no record of it proves little, and it is not sent again"
)

// accountDoubt says why an absence at the asked account proves nothing: the payout was sent to
// another one, or nobody knows to which. It is "" if it was sent to this one. Absences are
// counted all the same, and a person decides. They take their time because a provider may deny
// every order for a while, for example for a wrong secret.
func (p Payout) accountDoubt(policy Policy) string {
	switch {
	case p.Account != "" && p.Account != policy.Account:
		return atAnotherAccount
	case p.Account == "" && policy.Account != "":
		return atUnknownAccount
	}
	return ""
}

// NotOnlyAtAccount tells that the payout was sent to another account than the given one, or to
// several. An absence at the given account then only leads to a hold, so no other payout has to
// confirm it. It doesn't say that the given account never had the payout.
func (p Payout) NotOnlyAtAccount(account Account) bool {
	return p.Sends > 0 && p.Account != "" && p.Account != account
}

// MaybeAtAnotherAccount tells that the payout may have been sent to another account than the
// given one. It was sent to a known other one, or nobody knows to which.
func (p Payout) MaybeAtAnotherAccount(account Account) bool {
	return p.Sends > 0 && p.Account != account
}

// AccountOf names the account of a merchant number at a base URL. It is a hash without any
// secret, so it may stand in the journal and in the decisions. Spellings of one address are one
// account: upper and lower case of scheme and host, the default port, a slash at the end.
func AccountOf(merchantNo, baseURL string) Account {
	sum := sha256.Sum256([]byte(merchantNo + "\x00" + strings.TrimRight(sameAddress(baseURL), "/")))
	return Account(hex.EncodeToString(sum[:])[:accountLen])
}

var defaultPorts = map[string]string{"http": ":80", "https": ":443"}

// sameAddress spells a URL's scheme and host in one way. The path stays: its case may matter.
func sameAddress(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return text
	}
	u.Scheme = strings.ToLower(u.Scheme)
	u.Host = strings.TrimSuffix(strings.ToLower(u.Host), defaultPorts[u.Scheme])
	return u.String()
}
