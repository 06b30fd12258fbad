// Package embedded promises a Kafka and a Redis inside this process, for the demo and for tests.
// They are kfake and miniredis, and the package adds what these lack. They answer on in-memory
// connections, so that everything also runs in testing/synctest. Never use them for real money:
// nothing in them outlives the process.
package embedded

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/alicebob/miniredis/v2/server"
	"github.com/twmb/franz-go/pkg/kfake"
)

// Dial opens a connection; it has the shape that all clients' options take.
type Dial = func(ctx context.Context, network, address string) (net.Conn, error)

// Redis is a miniredis that knows a run id and an eviction policy, as the journal and
// the start-up check ask for.
type Redis struct {
	*miniredis.Miniredis
	runID   atomic.Pointer[string]
	fails   atomic.Pointer[string]
	refused atomic.Pointer[refused]
	dead    atomic.Bool
	infos   atomic.Int64 // calls of INFO: they are answered here, and miniredis doesn't count them
	expiry  expiry
}

// expiry is how far the keys' TTLs have come.
type expiry struct {
	mutex   sync.Mutex
	stopped bool
	set     time.Time // by SetTime; zero: the process' clock counts
	reached time.Time
}

func (e *expiry) now() time.Time {
	if e.set.IsZero() {
		return time.Now()
	}
	return e.set
}

// refused is a command that fails always.
type refused struct{ command, says string }

// NewRedis makes an empty one. Its clock is the process' clock.
func NewRedis() (*Redis, error) {
	r := &Redis{Miniredis: miniredis.NewMiniRedis()}
	r.expiry.reached = r.expiry.now()
	r.Restarted()
	conn, err := r.Miniredis.Dial() // starts it without a listener
	if err != nil {
		return nil, fmt.Errorf("embedded: start a Redis: %w", err)
	}
	r.Server().SetPreHook(r.answer)
	return r, conn.Close()
}

// Restarted gives the server another run id, as a restart or a failover does.
func (r *Redis) Restarted() {
	raw := make([]byte, 20)
	_, _ = rand.Read(raw)
	id := hex.EncodeToString(raw)
	r.runID.Store(&id)
}

// SetTime sets its clock, and with it what TIME answers; the zero time is the process' clock again.
// Keys expire by it. A clock that goes back makes none live longer than its TTL from then on.
func (r *Redis) SetTime(t time.Time) {
	r.expiry.mutex.Lock()
	defer r.expiry.mutex.Unlock()
	r.Miniredis.SetTime(t)
	r.expiry.set = t
	if now := r.expiry.now(); now.Before(r.expiry.reached) {
		r.expiry.reached = now
	}
}

// ClockTTL says whether keys expire as time passes; they do at first.
func (r *Redis) ClockTTL(on bool) {
	r.expiry.mutex.Lock()
	defer r.expiry.mutex.Unlock()
	r.expiry.stopped, r.expiry.reached = !on, r.expiry.now()
}

// expire brings the TTLs up to now, to the millisecond, as Redis counts them. It comes before each
// request, so that time stands still inside of a script, as in Redis. (miniredis' own ClockTTL sorts
// all keys at each command, those inside of scripts too: that was most of what many tests did.)
func (r *Redis) expire() {
	r.expiry.mutex.Lock()
	defer r.expiry.mutex.Unlock()
	now := r.expiry.now()
	if passed := now.Sub(r.expiry.reached); !r.expiry.stopped && passed >= time.Millisecond {
		r.FastForward(passed)
		r.expiry.reached = now
	}
}

// SetError makes every command fail so, until it is "". (miniredis' own would take the
// hook's place, and with it what it lacks.)
func (r *Redis) SetError(text string) { r.fails.Store(&text) }

// SetDead makes it hang up on whoever asks for anything, and on whoever comes.
func (r *Redis) SetDead(dead bool) { r.dead.Store(dead) }

// Refuse makes one command fail so, inside of scripts too, as one does that was renamed or
// that the user may not use.
func (r *Redis) Refuse(command, says string) { r.refused.Store(&refused{command, says}) }

// answer fills in what miniredis lacks: INFO and CONFIG GET.
func (r *Redis) answer(peer *server.Peer, command string, args ...string) bool {
	fails, refused := r.fails.Load(), r.refused.Load()
	switch {
	case r.dead.Load():
		peer.Close()
		return true
	case refused != nil && strings.EqualFold(command, refused.command):
		peer.WriteError(refused.says)
		return true
	case fails != nil && *fails != "":
		peer.WriteError(*fails)
		return true
	case strings.EqualFold(command, "INFO"):
		r.infos.Add(1)
		id := *r.runID.Load() // INFO replication is asked for too
		peer.WriteBulk("# Server\r\nredis_version:7.0.15\r\nrun_id:" + id + "\r\n# Replication\r\nrole:master\r\nmaster_replid:" + id + "\r\n")
		return true
	case strings.EqualFold(command, "CONFIG") && len(args) == 2 && strings.EqualFold(args[0], "GET"):
		peer.WriteMapLen(1)
		peer.WriteBulk(args[1])
		peer.WriteBulk("noeviction")
		return true
	}
	return false
}

// CommandCount is how many commands it has run, those inside of scripts too, as Redis'
// total_commands_processed counts them.
func (r *Redis) CommandCount() int { return r.Miniredis.CommandCount() + int(r.infos.Load()) }

// Dial connects to the Redis, whatever address is asked for.
func (r *Redis) Dial(context.Context, string, string) (net.Conn, error) {
	if r.dead.Load() {
		return nil, io.EOF // a proxy in front of it: it takes the connection and hangs up
	}
	conn, err := r.Miniredis.Dial()
	if err != nil {
		return nil, err
	}
	return newTunnel(conn, r.expire), nil
}

// Kafka is a kfake cluster on in-memory connections.
type Kafka struct {
	*kfake.Cluster
	network kfake.VirtualNetwork
}

// NewKafka starts a cluster with the given topics and partitions each.
func NewKafka(topics map[string]int, options ...kfake.Opt) (*Kafka, error) {
	k := &Kafka{}
	options = append(options, kfake.ListenFn(k.network.Listen), kfake.NumBrokers(1))
	for topic, partitions := range topics {
		options = append(options, kfake.SeedTopics(int32(partitions), topic))
	}
	cluster, err := kfake.NewCluster(options...)
	if err != nil {
		return nil, fmt.Errorf("embedded: start a Kafka: %w", err)
	}
	k.Cluster = cluster
	return k, nil
}

// Dial connects to a broker.
func (k *Kafka) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	return k.network.DialContext(ctx, network, address)
}

// Web serves HTTP on in-memory connections.
type Web struct {
	server   *http.Server
	listener *memoryListener
}

// NewWeb serves a handler, the simulator's for instance.
func NewWeb(h http.Handler) *Web {
	w := &Web{server: &http.Server{Handler: h}, listener: &memoryListener{conns: make(chan net.Conn), closed: make(chan struct{})}}
	go func() { _ = w.server.Serve(w.listener) }() // ends with Close
	return w
}

// Dial connects to the server, whatever address is asked for.
func (w *Web) Dial(ctx context.Context, _, _ string) (net.Conn, error) { return w.listener.dial(ctx) }

// Close ends the server and its connections.
func (w *Web) Close() { _ = w.server.Close() }

type memoryListener struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (l *memoryListener) dial(ctx context.Context) (net.Conn, error) {
	ours, theirs := net.Pipe()
	select {
	case l.conns <- theirs:
		return ours, nil
	case <-l.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Accept waits for a connection.
func (l *memoryListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// Close ends Accept and every dial.
func (l *memoryListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

// Addr has nothing to tell.
func (l *memoryListener) Addr() net.Addr { return &net.TCPAddr{} }
