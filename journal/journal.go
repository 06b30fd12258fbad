package journal

import (
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

// Numbers of the layout.
const (
	// chunk is how many payouts go into one call of a script. With 8 arguments each that is
	// far below 8,000 (at 9,000 Lua's unpack breaks), and a call takes milliseconds. More
	// don't pay: with 500 a payout cost an eighth more than with 200, as their data left the
	// processor's cache.
	chunk = 200

	// buckets is how many small hashes a generation of the dedup window has. A million finals
	// make 122 in each, well within what Redis stores as a listpack (512). Ten million take
	// little more memory a piece.
	buckets = 8192
)

// Options say which journal.
type Options struct {
	Namespace string
	Shard     int
	Window    time.Duration // dedup_window: how long a final is remembered at least
	MaxParked int           // so many parked payouts of a merchant don't count among the open ones of an insert

	// Shared runs the scripts that payouts cost again and again, together with those of other
	// callers; nil is the client.
	Shared redis.Scripter

	// Observe is told how long each script took, its round trip included. May be nil.
	Observe func(script string, took time.Duration)
}

// Journal is one shard. It is safe for concurrent use.
type Journal struct {
	client    redis.UniversalClient
	shared    redis.Scripter // for the scripts of sharing
	prefix    string
	window    time.Duration
	maxParked int
	observe   func(string, time.Duration)
	epoch     epochHolder
	clock     clock
	sweeps    sweeps
}

// New makes a journal on a client whose retries may be on: every script is idempotent
// for its caller. Nothing is sent before the first call.
func New(client redis.UniversalClient, o Options) *Journal {
	j := &Journal{
		client: client, shared: o.Shared, prefix: fmt.Sprintf("%s:{%d}:", o.Namespace, o.Shard), window: o.Window, maxParked: o.MaxParked,
		observe: o.Observe,
	}
	if j.shared == nil {
		j.shared = client
	}
	if j.observe == nil {
		j.observe = func(string, time.Duration) {}
	}
	return j
}
