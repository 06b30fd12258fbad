// Package decisions promises that nothing is done with money before it stands,
// acknowledged by all replicas, in payout.decisions: sends, and ends by our own word.
//
// The order of that log is also the fence between epochs. After each own record Log
// looks at what stands before it: if a foreign fence does, the record is void, the
// epoch is over for this instance, and nothing of the batch is sent (protocol S3, S4).
// Keeper begins epochs and joins them.
package decisions
