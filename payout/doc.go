// Package payout promises that a payout means the same thing everywhere: what was ordered, in
// which states it can be, and which finding of the provider moves it where. It is pure: it opens
// nothing, reads no clock (now is always a parameter), and imports only the standard library and
// its own subpackages.
//
// Begin makes a Payout of a command. Payout.After is the one table of states (state.go): what a
// finding makes of the payout. The subpackages hold the words that this and other packages share:
// money, finding, leases, epochs, intake, secrets.
package payout
