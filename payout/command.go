package payout

import (
	"errors"
	"time"

	"disburser/payout/money"
)

// Command is one ordered payout as it stands in payout.commands (README, Messages),
// with what a bulk says once for all filled in.
type Command struct {
	TradeNo   string // 1–64 of A–Z a–z 0–9 _ -; the identity of the payout
	Merchant  string // a configured merchant's name; "" until the only one is filled in
	Amount    money.Amount
	Currency  string // "" until the merchant's is filled in
	Payee     Payee
	Remark    string
	BatchID   string
	BatchSize int
	NotBefore time.Time // zero: at once
	ExpiresAt time.Time // zero: never

	// CurrencyFrom says where Currency comes from. It matters for the fingerprint only.
	CurrencyFrom CurrencyFrom
}

// CurrencyFrom says where a command's currency comes from.
type CurrencyFrom byte

// The origins of a currency.
const (
	FromCommand  CurrencyFrom = iota // the command alone: its merchant takes any
	FromMerchant                     // it is the merchant's, whether the command names it or not
	FromCountry                      // neither command nor configuration names it: it is the country's
)

// errNotByJSON keeps a command out of whatever writes JSON by reflection: a log would get
// people's data, or a topic a command without them.
var errNotByJSON = errors.New("payout: a command is written by message.Encode and read by message.Decode only")

// MarshalJSON fails: see message.Encode.
func (c Command) MarshalJSON() ([]byte, error) { return nil, errNotByJSON }

// UnmarshalJSON fails: see message.Decode.
func (c *Command) UnmarshalJSON([]byte) error { return errNotByJSON }
