// Package payout promises that a payout means the same thing everywhere. It says what was
// ordered, in which states a payout can be, and which finding of the provider moves it where. It
// is pure: it opens nothing and reads no clock (now is always a parameter). It imports only the
// standard library and its own subpackages.
//
// Begin makes a Payout of a command. Payout.After is the one table of states (state.go): what a
// finding makes of the payout. The subpackages hold the words that this and other packages share:
// money, finding, leases, epochs, intake, secrets.
package payout
