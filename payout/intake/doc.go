// Package intake says what is asked of the journal when commands are read. That is which range
// of a partition was read, and what became of each payout in it.
package intake
