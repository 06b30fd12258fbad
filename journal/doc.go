// Package journal promises that a tradeNo is known once and that one worker at a time
// works on it: it is the memory in Redis. Insert makes commands known, Lease hands out
// what is due under a token and a deadline, Apply writes what became of it if nobody
// else did, Marks says how far Kafka may be committed.
//
// All of it happens in Lua scripts (lua/*.lua) by Redis' own clock, each for many
// payouts at once, each idempotent for a caller that repeats it. The scripts guard
// states and tokens; what a state means stands in payout/state.go.
//
// Every script first compares the epoch and the server's run id with those that the
// caller believes in: a Redis that was wiped, restarted or replaced answers nothing
// but epochs.ErrOver.
package journal
