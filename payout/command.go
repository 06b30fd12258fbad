package payout

import "time"

// Command is one ordered payout as it stands in payout.commands (contract §1),
// with what a bulk says once for all filled in.
type Command struct {
	TradeNo   string // 1–64 of A–Z a–z 0–9 _ -; the identity of the payout
	Merchant  string // a configured merchant's name; "" until the only one is filled in
	Amount    Amount
	Currency  string // "" until the merchant's is filled in
	Payee     Payee
	Remark    string
	BatchID   string
	BatchSize int
	NotBefore time.Time // zero: at once
	ExpiresAt time.Time // zero: never
}
