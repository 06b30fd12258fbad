// Package acts says what people's actions mean for a payout that is about to be sent (protocol A0 to A3).
// It reads the records of payout.actions, checks their signatures, and folds them by their offsets into
// what is in force. It is pure: it opens nothing and reads no clock.
//
// In doubt a payout isn't sent. So a pause is obeyed from anybody. What lets payouts go on is obeyed only
// where a key vouches for it, or where no key is set.
package acts
