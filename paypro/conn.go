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

// Two things are decided here, where the bytes leave, because anywhere above it
// they would be guesses: that nothing is written after the caller's last moment
// (protocol S5), and whether anything was written at all (the NotSent proof).
//
// net/http is used for reading answers, not for making calls: its transport writes
// on a goroutine of its own, which may still be on its way when the caller has its
// error, repeats some requests by itself, and takes twice the time.

const (
	// maxAnswer bounds a body; the provider's are a few hundred bytes.
	maxAnswer = 1 << 20
	// maxHeader bounds an answer's header, with all that is said before it (1xx).
	maxHeader = 64 << 10

	// idleFor is shorter than the shortest keep-alive among usual servers (Node:
	// 5s). A request written to a connection that the server is just closing is
	// Unclear, and may end up before a person; a new connection costs a round trip.
	idleTimeout = 4 * time.Second
)

var (
	errTooLate       = errors.New("too late: the last moment for this request has passed")
	errHeaderTooLong = errors.New("the answer's header is longer than 64 KiB")
)

// outlet is where bytes leave, beneath TLS if there is any. It writes nothing from
// the last moment on, and knows whether anything has left.
type guardedConn struct {
	net.Conn

	mu         sync.Mutex // never held while writing: TLS may write for itself while it reads
	latest     time.Time  // no byte from here on; zero = no limit
	writeBegun bool       // a byte may have left, since the request began
	written    bool       // at least one byte did
}

// guard begins a request.
func (g *guardedConn) beginRequest(latest time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.latest, g.writeBegun, g.written = latest, false, false
}

// release ends it, and tells whether a byte of it left.
func (g *guardedConn) endRequest() (left bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.latest = time.Time{}
	return g.written
}

// begin asks leave to write.
func (g *guardedConn) mayWrite() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if isPast(g.latest) {
		return false
	}
	g.writeBegun = true
	return true
}

// answerable tells whether what comes now can be an answer.
func (g *guardedConn) requestBegun() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.writeBegun
}

// Write refuses with nothing written, or writes and takes note.
func (g *guardedConn) Write(p []byte) (int, error) {
	if !g.mayWrite() {
		return 0, errTooLate
	}
	n, err := g.Conn.Write(p)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.written = g.written || n != 0
	return n, err
}

// passed tells whether the moment is over by either clock: a suspended machine
// stops the monotonic one, and somebody may set the wall clock back.
func isPast(latest time.Time) bool {
	if latest.IsZero() {
		return false
	}
	now := time.Now()
	return !now.Before(latest) || !now.Round(0).Before(latest.Round(0))
}

// conn is a connection that carries one call after the other. Its own goroutine
// reads: so an answer that nobody has asked for is noticed when it comes, which may
// be the late one of an earlier call, and a connection that the server closes is
// used by nobody.
type conn struct {
	net.Conn // what HTTP is spoken over: the outlet, or TLS above it
	guarded  *guardedConn
	limited  *limitedConn
	pool     *connPool
	replies  chan reply // to the call that is under way; one fits

	phase    connPhase // the wire's lock owns it, and the next
	deadline time.Time // when the call that is under way ends at the latest
}

// phase is what a connection is doing.
type connPhase int

const (
	phaseIdle       connPhase = iota // for the next call, or chosen by it
	phaseRequesting                  // the request is being written, or was
	phaseAnswering                   // an answer has begun
	phaseClosed                      // used by nobody any more
)

// carry writes a request and waits for its answer. Whatever it answers, it is over:
// the writing ends before this returns, so that unsent is a proof. stale means that
// the connection had ended before the first byte.
func (c *conn) roundTrip(ctx context.Context, request []byte, latest, deadline time.Time) (r reply, stale bool) {
	stop := context.AfterFunc(ctx, func() { _ = c.guarded.Close() }) // interrupts the writing and the reading
	defer func() {
		if !stop() {
			c.discard()
		}
	}()
	_ = c.SetReadDeadline(deadline)
	_ = c.SetWriteDeadline(earlier(latest, deadline)) // for a write that blocks
	c.guarded.beginRequest(latest)
	if !c.pool.beginRequest(c, deadline) {
		return reply{unsent: true, problem: "the server closed the connection, or spoke, before it was asked"}, true
	}
	n, err := c.Write(request)
	left := c.guarded.endRequest()
	switch {
	case err != nil:
		_ = c.guarded.Close() // first, or TLS would say goodbye when nothing may leave any more
		c.discard()
		return reply{unsent: !left, problem: c.pool.describeError(err)}, false
	case n != len(request):
		_ = c.guarded.Close()
		c.discard()
		return reply{problem: "the request was written in part"}, false
	}
	return <-c.replies, false
}

// listen reads until the connection ends. Before an answer is handed out it is settled
// whether the connection can carry another call.
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

// hand gives the call its answer. A call that is over takes none.
func (c *conn) deliver(r reply) {
	select {
	case c.replies <- r:
	default:
	}
}

// heard is what a byte, or an error, of a connection means.
type readEvent int

const (
	eventAnswer      readEvent = iota // begins
	eventFailed                       // there will be no answer
	eventUnrequested                  // nobody has asked: somebody else's answer, or the end of an idle connection
	eventTooEarly                     // an answer to a request of which not a byte has left
	eventOldDeadline                  // nothing: the time was over that the connection had before this call
)

// toPost is what all answers are answers to.
var postRequest = &http.Request{Method: http.MethodPost}

// receive reads an answer to its end, but no further than the limit, and tells
// whether the connection can carry another call.
func (c *conn) readResponse(text *bufio.Reader) (r reply, more bool) {
	var res *http.Response
	for res == nil || res.StatusCode < 200 && res.StatusCode != http.StatusSwitchingProtocols { // these were words in advance
		var err error
		if res, err = http.ReadResponse(text, postRequest); err != nil { //nolint:bodyclose // its body is read to the end, or the connection closed
			return reply{problem: c.pool.describeError(err)}, false
		}
	}
	r = reply{status: res.StatusCode, retryAfter: res.Header.Get("Retry-After")}
	if res.StatusCode == http.StatusSwitchingProtocols { // it has no end
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

// end closes the connection.
func (c *conn) discard() {
	c.pool.remove(c)
	_ = c.Close()
}

// bounded reads no more than what is left.
type limitedConn struct {
	net.Conn
	left int64 // the reading goroutine's own
}

func (b *limitedConn) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errHeaderTooLong
	}
	n, err := b.Conn.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	return n, err
}

// earlier is the first of two moments; zero is no limit.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
