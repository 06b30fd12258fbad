package simulation

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"runtime"
	"strings"
	"sync"
	"time"
)

// party is whom an instance talks to.
type party string

// The parties.
const (
	toKafka    party = "kafka"
	toRedis    party = "redis"
	toProvider party = "provider"
)

var parties = []party{toKafka, toRedis, toProvider}

// slowest is how long a message takes at most; most take less. It spreads over time
// what would otherwise happen in one instant of virtual time.
const slowest = 2 * time.Millisecond

var (
	errCut  = errors.New("simulation: the connection was cut")
	errLost = errors.New("simulation: the message was lost, and the connection with it")
)

// dial opens a connection.
type dial = func(ctx context.Context, network, address string) (net.Conn, error)

// link is all that connects one instance with the world.
type link struct {
	ear    func() *ear // listens to a connection to Kafka; nil: nobody does
	mu     sync.Mutex
	random *rand.Rand
	conns  map[*conn]bool
	dead   bool
	gate   chan struct{} // not nil: nothing passes before it is closed
	loss   map[party]float64

	lost      int    // messages
	countdown int    // messages until struck is called; 0 = none
	struck    func() // under no lock
}

func newLink(seed, stream uint64) *link {
	return &link{random: rand.New(rand.NewPCG(seed, stream)), conns: map[*conn]bool{}, loss: map[party]float64{}}
}

// dialer makes every connection of an instance to a party one of the link's.
func (l *link) dialer(to party, open dial) dial {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		if _, err := l.wait(ctx.Done()); err != nil {
			return nil, err
		}
		inner, err := open(ctx, network, address)
		if err != nil {
			return nil, err
		}
		c := &conn{Conn: inner, link: l, to: to, closed: make(chan struct{}), touchy: to == toKafka && ofGroup()}
		if to == toKafka && l.ear != nil {
			c.ear = l.ear()
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.dead {
			_ = inner.Close()
			return nil, errCut
		}
		l.conns[c] = true
		return c, nil
	}
}

// wait waits while the gate is shut, or until given up.
func (l *link) wait(givenUp <-chan struct{}) (waited bool, err error) {
	for ; ; waited = true {
		l.mu.Lock()
		gate, dead := l.gate, l.dead
		l.mu.Unlock()
		if dead {
			return waited, errCut
		}
		if gate == nil {
			return waited, nil
		}
		select {
		case <-gate:
		case <-givenUp:
			return waited, errCut
		}
	}
}

// pass lets a message through, late, or not at all. Messages of a paused instance wait, and
// deadlines don't end that, as in a stopped process. Messages to the provider are lost instead:
// a request that the network delivers much later is outside of what is promised.
func (l *link) pass(c *conn, request bool) error {
	l.mu.Lock()
	shut, lost := l.gate != nil, l.random.Float64() < l.loss[c.to]
	delay := time.Duration(l.random.Int64N(int64(slowest)))
	if lost = lost || shut && c.touchy; lost {
		l.lost++
	}
	var strike func()
	if l.countdown > 0 {
		if l.countdown--; l.countdown == 0 {
			strike = l.struck
		}
	}
	l.mu.Unlock()
	if strike != nil {
		strike()
	}
	if lost {
		return errLost
	}
	if c.touchy {
		return nil
	}
	time.Sleep(delay)
	waited, err := l.wait(c.closed)
	if waited && request && c.to == toProvider {
		return errLost
	}
	return err
}

// cut ends all connections to a party ("" = all); new ones may be opened.
func (l *link) cut(to party) {
	l.mu.Lock()
	var conns []*conn
	for c := range l.conns {
		if to == "" || c.to == to {
			conns = append(conns, c)
		}
	}
	l.mu.Unlock()
	for _, c := range conns {
		_ = c.Close()
	}
}

// kill ends all connections for ever.
func (l *link) kill() {
	l.mu.Lock()
	l.dead = true
	l.mu.Unlock()
	l.cut("")
}

// pause shuts the gate; resume opens it.
func (l *link) pause() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.gate == nil {
		l.gate = make(chan struct{})
	}
}

func (l *link) resume() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.gate != nil {
		close(l.gate)
		l.gate = nil
	}
}

// lose makes a share of the messages from and to a party get lost.
func (l *link) lose(to party, share float64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.loss[to] = share
}

func (l *link) losses() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lost
}

// after has f called before the n-th message from now passes.
func (l *link) after(n int, f func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.countdown, l.struck = n, f
}

// conn is a connection whose messages the link lets pass.
type conn struct {
	net.Conn
	link   *link
	to     party
	once   sync.Once
	closed chan struct{}
	ear    *ear // nil: nobody listens

	// touchy connections are the consumer group's. Several goroutines share one and wait for
	// each other's replies on a mutex. Virtual time stands still while a goroutine waits for a
	// mutex. So nothing is ever late on these connections, and a pause cuts them instead.
	touchy bool
}

// ofGroup tells that the caller is the library's Dialer. An instance dials its group and its
// topics through the same function, and only the group uses the Dialer.
func ofGroup() bool {
	var callers [32]uintptr
	frames := runtime.CallersFrames(callers[:runtime.Callers(2, callers[:])])
	for {
		f, more := frames.Next()
		if strings.Contains(f.Function, "kafka-go.(*Dialer)") {
			return true
		}
		if !more {
			return false
		}
	}
}

// Write sends a message if the link lets it pass.
func (c *conn) Write(p []byte) (int, error) {
	if err := c.link.pass(c, true); err != nil {
		_ = c.Close()
		return 0, err
	}
	if c.ear != nil {
		c.ear.sending(p)
	}
	return c.Conn.Write(p)
}

// Read receives a message if the link lets it pass; otherwise it was sent and is gone.
func (c *conn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n == 0 {
		return n, err
	}
	if lost := c.link.pass(c, false); lost != nil {
		_ = c.Close()
		return 0, lost
	}
	if c.ear != nil {
		c.ear.receiving(p[:n])
	}
	return n, err
}

// Close closes it at both ends.
func (c *conn) Close() error {
	c.once.Do(func() { close(c.closed) })
	c.link.mu.Lock()
	delete(c.link.conns, c)
	c.link.mu.Unlock()
	return c.Conn.Close()
}
