// Package model promises that the rules of docs/protocol.md hold in every interleaving,
// within the bounds that its test prints: no second payment, and nothing both rejected
// and paid. It also shows what each rule is for: without it, the shortest way to disaster.
//
// It holds no code of the program, only a model of it in the test files: one payout, two
// instances, two partitions of the decisions, Redis in up to three copies (the halves of
// a split, and what a disk or a replica remembers), and a provider that pays every send.
// Every script and every Kafka call is a step of its own; between any two of them
// everything else may happen, a process may die, and Redis may be wiped, set back or split.
//
//	state_test.go    what there is, and its 40 bytes
//	worker_test.go   leases, decisions, looks, sends, asks, announcements (S, O, I)
//	epoch_test.go    joining, fencing, replaying and opening an epoch; the watermark (E)
//	fault_test.go    what may go wrong
//	guards_test.go   the rules that can be left out
//	search_test.go   breadth first, so that what it finds is as short as can be
//	wayout_test.go   that no fleet gets stuck
//	story_test.go    a trace in words
//
// `make model` runs it; docs/safety.md shows its traces.
package model
