// Package polling learns when to ask the provider about a payout. It promises fewer asks than the
// plain schedule needs, within the operator's bounds. Half of the payouts are seen no later than by
// the plain schedule, and on average not much later.
//
// A Learner is given every answer (Saw) and makes Intervals: the ages at which to ask. There are two
// steps.
//
//   - Estimate (settling.go): what share of payouts settles at which age. An ask only tells that a
//     payout settled between two ages, or hasn't yet: survival data that is interval-censored, and
//     left-truncated by the ask before. The estimate is Turnbull's, the most likely survival function
//     without assuming a shape. It is computed by expectation maximisation with a smoothing step (EMS).
//   - Optimise (intervals.go): which ages need the fewest asks within bounds on the median and the
//     mean delay. It is dynamic programming over a grid of ages; the bounds have prices (Lagrange
//     multipliers).
//
// Figures, bounds and arguments: docs/design.md, When to ask.
package polling
