// Package bench promises figures that can be compared. It measures the service as a real process
// on a real Kafka, a real Redis and the simulated provider. Beside it, it measures a program
// that makes the same calls without any of the safety (cmd/floor). Both are measured in one run
// and by turns, because machines are noisy. On another machine only the ratios mean anything.
//
// It is run by make bench, which starts servers of its own. Tables go to the terminal,
// numbers into docs/performance.json and plots beside docs/performance.md.
package bench
