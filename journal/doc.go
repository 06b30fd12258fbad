// Package journal promises that a tradeNo is known once, and that one worker at a time works
// on it. It is what Redis holds of payouts.
//
// Insert makes commands known. Lease hands out what is due, under a token and for a limited
// time. Apply writes what became of it, if nobody else has. Marks says how far Kafka may be
// committed. Shards does all of that over several shards.
//
// The work is done in Lua scripts (lua/*.lua), by Redis' own clock. Each works on many payouts
// at once and may be repeated by its caller. Scripts guard states and tokens; what a state
// means stands in payout/state.go.
//
// Every script but those that begin epochs or look at them first compares the epoch and the server's run id with those of its caller. A
// Redis that was wiped, restarted or replaced answers only epochs.ErrOver.
package journal
