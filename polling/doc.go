// Package polling learns when to ask the provider about a payout. A Learner counts how long
// payouts of a merchant took to settle. From that it makes Intervals: when to ask next, at each
// age of a payout.
//
// It promises fewer asks than the plain schedule needs, within the operator's bounds. Half of
// the payouts are seen no later than by the plain schedule, and on average not much later.
package polling
