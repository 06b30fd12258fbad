// Package simulation promises that the whole program keeps its promises while everything around
// it fails. Several instances of app, a Kafka, a Redis and a provider run in one
// testing/synctest bubble, so hours pass in milliseconds. A seed draws the load and a schedule
// of faults. In three of four seeds people pause and resume, cancel, ask, resolve and confirm at random moments.
// When all is over and quiet, an oracle checks the promises. It goes by the provider's own ledger and answers, by
// what stands in Kafka, and by what people have said.
//
// A seed fixes the load, the faults and when they strike. It fixes neither Go's scheduler nor
// the random ids and jitter of the program. So two runs of a seed differ, and a rare failure may
// need a few runs of its seed to show again.
//
// These are not simulated:
//   - a machine whose clock is wrong
//   - a suspended process: a pause stalls an instance's connections, and its timers go on
//   - Redis Cluster and Sentinel: internal/e2e has real ones
//   - Kafka losing what it acknowledged
//   - TLS
//   - a stop between the last check before a write and the kernel
package simulation
