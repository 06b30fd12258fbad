// Package payout promises that a payout means the same thing everywhere: what a
// command says, in which states a payout can be, which finding moves it where,
// and what is announced of it. It is pure: it opens nothing, reads no clock
// (now is always a parameter) and imports the standard library only.
//
// The money's way through it: Decode turns a Kafka value into Orders, Begin makes a
// Payout of one, and Payout.After (state.go, the one table) says what a
// Finding of the provider makes of it. Announcement turns what must be said into
// an Event with an id that every repeat shares.
package payout
