// Package model promises that the rules of docs/protocol.md hold in every interleaving, within
// the bounds below. No payout is paid twice, and none is both rejected and paid. It also shows
// what each rule is for: without it, the shortest way to a disaster.
//
// It holds no code of the program, only a model of it, in its tests. The model has:
//   - one payout
//   - two instances, each a keeper and a worker that run beside each other
//   - two partitions of the decisions
//   - up to three copies of Redis: the halves of a split, and what a disk or a replica holds
//   - a provider that pays every send and never lies
//
// Every script and every Kafka call is a step. Between any two steps everything else may happen.
// Processes may die at any step, any number of times. Redis may be wiped, set back and split as
// often as -faults says.
//
// The bounds, besides -faults and -epochs:
//   - one record and one watermark are on their way at a time
//   - an instance builds only while it holds no lease, but in one run
//   - each thing that makes the others large has a run of its own: expiry, late records,
//     watermarks. One run with all of them (-full) takes much more than a minute and a large
//     machine.
//
// Left out as harmless:
//   - `processing` and `held`, which are never sent again
//   - `open` records and claims, which are for peace and not for safety
//   - a stop between the last check and the kernel's write, as in the protocol
//   - the intake but for the insert, which may come at any time
//   - retention
//
// The files:
//
//	state_test.go    what there is
//	worker_test.go   leases, decisions, looks, sends, asks, announcements (S, O)
//	epoch_test.go    fencing, replaying, opening and joining an epoch; the watermark (E)
//	fault_test.go    what may go wrong
//	guards_test.go   the rules, and the runs in which they are left out
//	search_test.go   breadth first, so that what it finds is as short as can be; table_test.go: a set of states
//	normal_test.go   which states are the same; pack_test.go: a state in 40 bytes
//	wayout_test.go   that no fleet gets stuck
//	story_test.go    a trace in words
//
// What people say has models of its own, each as small as its promise allows. They share the search:
// explore_test.go.
//
// Pauses (pause_state_test.go, pause_test.go) are about rules A0 to A3, A9, A11 and A12. No send begins
// later than staleness after a pause or a cancellation was acknowledged. Payouts and leases are left out:
// any instance may begin a send at any time, which is more than any loss of Redis allows. Its bounds:
//   - up to six records of two pauses, a resume, its copy and its confirmation, a cancellation, forged ones
//   - an instance doesn't change what another one does, so most runs have one of them
//   - a resume lifts all that stands before it, and names nothing
//   - one leader of the topic's partition dies, or the topic is made anew once and Redis forgets once
//
// Ends (end_state_test.go, end_test.go, end_work_test.go, end_epoch_test.go) are about A5 to A9. What a person has
// ended isn't sent afterwards. One action has one outcome, which is true. Its bounds:
//   - one payout, two instances that do one thing at a time each, one partition of the decisions
//   - two copies of Redis, one fault, three epochs; fence and replay are one step each
//   - one action of the payout, and where Redis loses nothing also a cancel and then an end as failed
//   - watermarks only in two runs of their own; no record that arrives late: the first model has them
//   - the provider shows an order late only until enough absences are counted
//   - nothing is parked here
//
// Parking (park_test.go) is about A4 and A10. Nothing stays parked without a reason in force, and a batch's cancel
// leaves nothing behind. Its bounds:
//   - one payout, two instances, one Redis, one fault
//   - a pass has one page; how many payouts may be parked isn't counted
//
// Standing (stand_test.go, stand_work_test.go) is about A10 too: a batch's cancel is refused, or it stands, and both words
// may land late. Whoever hasn't read it inserts nothing behind its pass. Its bounds:
//   - one payout of the batch; with two shards it is the second one's, and nobody dies
//   - There are two instances, one cancel, one wipe. There is no split: the first word in the topic counts for both halves alike.
//   - What is published is never taken back by a wipe, so a refusal may land in any later epoch.
//   - An end is decided where it is written (A6 is about the rest); how fresh a view is doesn't matter.
//
// `make model` runs them; docs/safety.md shows traces.
package model
