package paypro

import (
	"bufio"
	"context"
	"errors"
	"io"
	"math"
	"net"
	"net/http"
	"sync"
	"time"
)

// This file guarantees that no byte is written after the write deadline (protocol S5), nor while a
// person's action forbids it (protocol A3). It also knows whether a byte was written at all, which is
// the proof behind NotSent and Stopped. Only the code that writes the bytes can know any of it.
//
// net/http reads the answers here, but it doesn't make the calls. Its Transport writes on a
// goroutine of its own, which may still write when the caller already has an error. It also
// repeats some requests by itself, and a call takes twice the time.

const (
	// maxAnswer limits the body of an answer, in bytes. The provider's have a few hundred.
	maxAnswer = 1 << 20
	// maxHeader limits the header of an answer, in bytes, together with interim answers (1xx).
	maxHeader = 64 << 10

	// idleTimeout is how long a connection may stay idle. It is shorter than the keep-alive of
	// usual servers: the shortest, Node's, is 5 s. A request on a connection that the server
	// closes right now is Unclear, and may need a person. A new connection only costs a round
	// trip.
	idleTimeout = 4 * time.Second
)

var (
	errTooLate       = errors.New("too late: the last moment for this request has passed")
	errHeaderTooLong = errors.New("the answer's header is longer than 64 KiB")
)

// guardedConn is the network connection below TLS. It writes no byte from the write deadline
// on, and it records whether a byte of the request left.
type guardedConn struct {
	net.Conn

	mu         sync.Mutex // not held while writing: TLS may write while it reads
	latest     time.Time  // the write deadline; zero = none
	stopped    stopped    // of the request; nil = nobody stops it
	writeBegun bool       // a byte of the request may have left
	written    bool       // at least one byte of the request left
}

// stopped says why a request may not leave after all, "" if it may (protocol A3).
type stopped func() string

// stoppedError is the error of a write that it forbids.
type stoppedError struct{ why string }

func (e *stoppedError) Error() string { return e.why }

// limits are what a request must keep to while it is written.
type limits struct {
	latest  time.Time // the write deadline; zero = none
	stopped stopped   // nil = nobody stops it
}

// beginRequest sets the limits of a request and forgets the request before.
func (g *guardedConn) beginRequest(to limits) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.latest, g.stopped, g.writeBegun, g.written = to.latest, to.stopped, false, false
}

// endRequest lifts the limits, and tells whether a byte of the request left.
func (g *guardedConn) endRequest() (left bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.latest, g.stopped = time.Time{}, nil
	return g.written
}

// mayWrite answers nil where the limits allow a write, and notes that one begins. It asks before each write: TLS
// may write by itself, so the first one needn't be the request's.
func (g *guardedConn) mayWrite() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if isPast(g.latest) {
		return errTooLate
	}
	if g.stopped != nil {
		if why := g.stopped(); why != "" {
			return &stoppedError{why}
		}
	}
	g.writeBegun = true
	return nil
}

// requestBegun tells whether a byte of the request may have left. Before that, what the server
// sends can't answer it.
func (g *guardedConn) requestBegun() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.writeBegun
}

// Write writes and records it, or says which limit forbids it and writes nothing.
func (g *guardedConn) Write(p []byte) (int, error) {
	if err := g.mayWrite(); err != nil {
		return 0, err
	}
	n, err := g.Conn.Write(p)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.written = g.written || n != 0
	return n, err
}

func isStopped(err error) bool {
	_, is := errors.AsType[*stoppedError](err)
	return is
}

// isPast tells whether a moment has passed by the monotonic or by the wall clock. A suspended
// machine stops the monotonic clock; somebody may set the wall clock back. A zero moment never
// passes.
func isPast(latest time.Time) bool {
	if latest.IsZero() {
		return false
	}
	now := time.Now()
	return !now.Before(latest) || !now.Round(0).Before(latest.Round(0))
}

// conn is a connection that carries one call after the other (keep-alive). A goroutine of its
// own reads from it all the time. So it notices at once what the server sends without a
// request, such as the late answer to an earlier call. It also notices when the server closes
// the connection, and takes it out of the pool.
type conn struct {
	net.Conn // carries HTTP: guarded, or TLS above it
	guarded  *guardedConn
	limited  *limitedConn // reads from Conn, with a limit for headers
	pool     *connPool
	replies  chan reply // to the call in flight; has room for one

	phase    connPhase // protected by the pool's mutex
	deadline time.Time // of the call in flight; protected by the pool's mutex
}

// connPhase is what a connection is used for right now.
type connPhase int

const (
	phaseIdle       connPhase = iota // in the pool, or chosen for the next call
	phaseRequesting                  // the request is being written, or has been
	phaseAnswering                   // the answer has begun
	phaseClosed                      // not usable any more
)

// roundTrip writes a request and waits for its answer. The write has ended when it returns, so
// an unsent reply is a proof. stale tells that the connection ended before the first byte.
func (c *conn) roundTrip(ctx context.Context, request []byte, to limits, deadline time.Time) (r reply, stale bool) {
	stop := context.AfterFunc(ctx, func() { _ = c.guarded.Close() }) // interrupts the write and the read
	defer func() {
		if !stop() {
			c.discard()
		}
	}()
	_ = c.SetReadDeadline(deadline)
	_ = c.SetWriteDeadline(earlier(to.latest, deadline)) // ends a write that blocks
	c.guarded.beginRequest(to)
	if !c.pool.beginRequest(c, deadline) {
		return reply{unsent: true, problem: "the server closed the connection, or spoke, before it was asked"}, true
	}
	n, err := c.Write(request)
	left := c.guarded.endRequest()
	switch {
	case err != nil:
		_ = c.guarded.Close() // first: TLS would still write its close message, possibly after the write deadline
		c.discard()
		return reply{unsent: !left, stopped: isStopped(err), problem: c.pool.describeError(err)}, false
	case n != len(request):
		_ = c.guarded.Close()
		c.discard()
		return reply{problem: "the request was written in part"}, false
	}
	return <-c.replies, false
}

// readReplies reads until the connection ends. It takes a connection that can't be reused out
// of the pool before it delivers the reply. So the next call never gets it.
func (c *conn) readReplies() {
	defer c.discard()
	text := bufio.NewReader(c.limited)
	for {
		c.limited.left = maxHeader
		_, err := text.Peek(1)
		switch c.pool.classify(c, err) {
		case eventOldDeadline:
			continue
		case eventUnrequested:
			return
		case eventTooEarly:
			c.deliver(reply{problem: "the answer came before the request was written"})
			return
		case eventFailed:
			c.deliver(reply{problem: c.pool.describeError(err)})
			return
		case eventAnswer:
		}
		r, more := c.readResponse(text)
		if !more {
			c.pool.remove(c)
		}
		c.deliver(r)
		if !more {
			return
		}
	}
}

// deliver gives the reply to the call in flight. If that has ended, the reply is dropped.
func (c *conn) deliver(r reply) {
	select {
	case c.replies <- r:
	default:
	}
}

// readEvent says what it means that a read returned.
type readEvent int

const (
	eventAnswer      readEvent = iota // the answer to our request begins
	eventFailed                       // the read failed: there will be no answer
	eventUnrequested                  // no request was made: the answer to an earlier one, or the server closed an idle connection
	eventTooEarly                     // an answer came before a byte of the request left
	eventOldDeadline                  // the read deadline of the idle time passed just when a call began: read on
)

// postRequest tells http.ReadResponse that the answer belongs to a POST.
var postRequest = &http.Request{Method: http.MethodPost}

// readResponse reads one answer within the limits, and tells whether the connection can be
// reused.
func (c *conn) readResponse(text *bufio.Reader) (r reply, more bool) {
	var res *http.Response
	for res == nil || res.StatusCode < 200 && res.StatusCode != http.StatusSwitchingProtocols { // an interim answer (1xx)
		var err error
		if res, err = http.ReadResponse(text, postRequest); err != nil { //nolint:bodyclose // its body is read to the end, or the connection closed
			return reply{problem: c.pool.describeError(err)}, false
		}
	}
	r = reply{status: res.StatusCode, retryAfter: res.Header.Get("Retry-After")}
	if res.StatusCode == http.StatusSwitchingProtocols { // the connection no longer speaks HTTP
		return r, false
	}
	c.limited.left = math.MaxInt64
	var err error
	r.body, err = io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	switch {
	case err != nil:
		r.problem = c.pool.describeError(err)
	case len(r.body) > maxAnswer:
		r.problem = problemTooLong
	default:
		r.body, r.problem = unzip(r.body, res.Header.Values("Content-Encoding"))
	}
	return r, r.problem == "" && !res.Close && text.Buffered() == 0
}

// discard closes the connection and takes it out of the pool.
func (c *conn) discard() {
	c.pool.remove(c)
	_ = c.Close()
}

// limitedConn reads at most as many bytes as its limit leaves.
type limitedConn struct {
	net.Conn
	left int64 // only used by the goroutine that reads
}

// Read returns errHeaderTooLong when the limit is used up.
func (b *limitedConn) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errHeaderTooLong
	}
	n, err := b.Conn.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	return n, err
}

// earlier returns the earlier one of two moments. A zero moment is no limit.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
