// Package mutants promises that the tests notice when a guard of the protocol is gone. For each
// guard it names at least one mutant: a small edit of the source that takes the guard away. For
// each mutant it names the killer, the one test that must fail on it.
//
// A run first has every killer pass on the code as it is, because a test that always fails
// proves nothing. Then it builds each mutant in an overlay and has the killer run on it. The
// overlay (go build -overlay) also reaches the scripts that are embedded, so the source tree is
// never touched. Only a test that fails has killed. A mutant that doesn't build, a panic and a
// hang prove nothing, unless the mutant says that this is how it ends.
//
// The guards, in the order of docs/protocol.md; each file can be read as a document:
//
//	sending.go   S1 to S6: who sends, and what must stand before
//	outcomes.go  O1 to O4: what is believed, and what is announced
//	actions.go   A0 to A3, A11: what a person has stopped isn't sent
//	parking.go   A4, A12: what is stopped costs the others nothing, and none of it is lost
//	intake.go    I1 to I6: what becomes known, and what is committed
//	replays.go   I7: which dead letters are published again
//	epochs.go    E1, E2, E5 to E8: who may write, and who lives in an epoch
//	rebuild.go   E4: how an epoch begins, and what a replay may write
//	provider.go  S5, S6 and O1 on the wire; the rate
//
// Some guards are protected twice, and no test can show one protection alone. Then one mutant
// takes both away, and says so. `go test` only checks that the list fits the source: old texts
// occur exactly once, and killers exist. `make mutants` runs it.
package mutants
