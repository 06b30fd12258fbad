package payout

import (
	"crypto/sha256"
	"encoding/hex"
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

// elsewhere tells that it was sent to another account than the one that is asked: no
// absence counts. accountUnknown tells that nobody knows: absences are counted, but what
// they would prove is left to a person, since the account may have been another one.
func (p Payout) elsewhere(policy Policy) bool {
	return p.Account != "" && p.Account != policy.Account
}

// SentElsewhere tells that it may have been sent to another account than the given one.
func (p Payout) SentElsewhere(account Account) bool { return p.Sends > 0 && p.Account != account }

func (p Payout) accountUnknown(policy Policy) bool {
	return p.Account == "" && policy.Account != ""
}

// AccountOf names the account by merchant number and base URL. It is a hash, and no secret
// goes into it, so that it may stand in the journal and in the decisions.
func AccountOf(merchantNo, baseURL string) Account {
	sum := sha256.Sum256([]byte(merchantNo + "\x00" + strings.TrimRight(baseURL, "/")))
	return Account(hex.EncodeToString(sum[:])[:AccountLen])
}
