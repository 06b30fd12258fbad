// Package message promises that what is said on the topics is read as it was written: the
// commands that come in, and the results, dead letters and decisions that go out. It is for
// the disburser and for programs that talk to it. README, Messages, describes each of them.
//
// Decode reads a command, or a bulk of them; Encode writes one. EventOf makes the result event
// of a payout. Nothing here talks to Kafka: a value and its headers go in or come out.
package message
