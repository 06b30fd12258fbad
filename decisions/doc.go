// Package decisions promises that nothing is done with money before it stands, acknowledged by
// all replicas, in payout.decisions: sends, and ends by our own word.
//
// Log writes decisions and then looks at what stands before them. Where a foreign fence does,
// they are void: nothing of the group is sent, and the epoch is over for this instance
// (protocol S3, S4).
//
// Keeper joins the open epoch of a shard, or begins the next one when Redis can't be believed
// any more (protocol E).
package decisions
