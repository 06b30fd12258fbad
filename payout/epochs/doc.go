// Package epochs says what the journal and the log of decisions must agree on: who may write,
// and what a rebuild restores. An epoch is the journal's fencing token: writes of an older one
// are refused (docs/protocol.md, E).
package epochs
