// Package chaos promises to break everything around the disburser and to count what it cost. It
// runs several processes of it on a real Kafka broker and a real redis-server. The simulated
// provider pays again when it is asked again. Chaos does what happens in production: kills,
// pauses, wipes, failovers, splits, cuts. Then it compares what came out with the provider's
// ledger. It is for simulators only, never for real money.
//
// Every scenario has topics, a consumer group, a Redis, a provider and a steady load of its own.
// Its faults end, and everything is repaired. Then three things must be true: every payout has
// exactly one final result, none was paid twice, and no process ended by itself.
//
// Some scenarios have a back office beside that. Then the books must be those of the provider and of the topics, and no payee
// may stand in clear in anything that was written.
//
//	world     the broker, the programs, and a slot for each instance
//	slot      the links (proxies) of one instance to Kafka, Redis and the provider
//	run       one scenario being played
//	scenarios what is done to it
//	office    the back office of a scenario, and payctl
//	sampling  what its answers and its books must be
package chaos
