// Package chaos promises to break everything around the disburser and to count what it
// cost: it runs several processes of it on a real Kafka broker and a real redis-server
// against a simulated provider that pays again when asked again, does to them what
// production does (kills, pauses, wipes, failovers, splits, cuts), and compares what
// came out with the provider's ledger. It is for simulators only, never for real money.
//
// Every scenario has topics, a consumer group, a Redis, a provider and a steady load of
// its own. Its faults end, everything is healed, and once all is quiet the verdict must
// be: every payout has exactly one final result, none was paid twice, and no process
// ended by itself.
//
//	world     the broker, the programs, and a slot for each instance
//	slot      the links (proxies) of one instance to Kafka, Redis and the provider
//	run       one scenario being played
//	scenarios what is done to it
package chaos
