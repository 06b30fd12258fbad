// Package finding names what one call to the provider can tell about one payout. Package
// paypro makes a Finding of each answer; the table of states (package payout) says what it does.
// Everything doubtful is Unclear.
package finding
