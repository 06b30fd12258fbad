// Package actions promises that an instance knows what people's actions forbid, or knows that it doesn't know.
// It follows payout.actions from its beginning and says how fresh that is (protocol A1, A2). It also writes
// actions.
//
// What an action means is package payout/acts' business.
package actions
