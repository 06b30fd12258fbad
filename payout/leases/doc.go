// Package leases says what is asked of the journal to work on payouts. That is what is due, a
// lease on some of them, and what has become of each. A lease ends by the journal's clock. Its
// methods say what that means by this process' clock, on the safe side.
package leases
