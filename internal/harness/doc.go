// Package harness promises that programs and servers start, are waited for, and end: the
// disburser, the simulator, redis-server, and topics on a real Kafka. What it starts dies
// with the process that started it. It is for benchmarks, chaos and tests on real servers.
package harness
