// Package inquiry promises to tell a person what is known of one payout, and nothing that isn't. It says how far the
// payout is, what has become of it, why it isn't sent now, and what happens next. No field of a payee is in clear.
package inquiry
