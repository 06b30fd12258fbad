// Package bench promises figures that can be compared: what the service does, measured
// as a real process on a real Kafka, a real Redis and the simulated provider, and beside
// it what a program without any of the safety needs for the same calls (cmd/floor). What
// is compared is measured in one run, by turns, because machines are noisy; only ratios
// mean anything on another machine.
//
// It is run by make bench, which starts servers of its own. Tables go to the terminal,
// numbers into docs/performance.json and plots beside docs/performance.md.
package bench
