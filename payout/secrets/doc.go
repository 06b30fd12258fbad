// Package secrets promises that a key or a password is never printed: a Secret prints as ***,
// whichever way it is printed. Reveal is the one way to its text.
package secrets
