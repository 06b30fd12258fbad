// Package disburse promises that each payout gets its next step when it is due, and
// never more of them at once than there are slots, tokens and an unbroken provider for.
//
// The loop asks the journal what is due and starts lanes: one for sends and one for
// asks of each merchant, one for announcements, one for what expires. A lane leases a
// batch, does what must be done before any of it moves (for a send: the decision,
// acknowledged), and hands each payout to a worker. Workers call the provider, the
// table in payout/state.go says what the answer means, and the writer puts it into the
// journal. Polling, retry, crash recovery and unpublished results are all the same
// thing: a payout that comes due.
package disburse
