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
	idleFor = 4 * time.Second
)

var (
	errTooLate = errors.New("too late: the last moment for this request has passed")
	errTooMuch = errors.New("the answer's header is longer than 64 KiB")
)

// outlet is where bytes leave, beneath TLS if there is any. It writes nothing from
// the last moment on, and knows whether anything has left.
type outlet struct {
	net.Conn

	mu     sync.Mutex // never held while writing: TLS may write for itself while it reads
	latest time.Time  // no byte from here on; zero = no limit
	begun  bool       // a byte may have left, since the request began
	left   bool       // at least one byte did
}

// guard begins a request.
func (o *outlet) guard(latest time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.latest, o.begun, o.left = latest, false, false
}

// release ends it, and tells whether a byte of it left.
func (o *outlet) release() (left bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.latest = time.Time{}
	return o.left
}

// begin asks leave to write.
func (o *outlet) begin() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if passed(o.latest) {
		return false
	}
	o.begun = true
	return true
}

// answerable tells whether what comes now can be an answer.
func (o *outlet) answerable() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.begun
}

// Write refuses with nothing written, or writes and takes note.
func (o *outlet) Write(p []byte) (int, error) {
	if !o.begin() {
		return 0, errTooLate
	}
	n, err := o.Conn.Write(p)
	o.mu.Lock()
	defer o.mu.Unlock()
	o.left = o.left || n != 0
	return n, err
}

// passed tells whether the moment is over by either clock: a suspended machine
// stops the monotonic one, and somebody may set the wall clock back.
func passed(latest time.Time) bool {
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
	out      *outlet
	in       *bounded
	wire     *wire
	answers  chan reply // to the call that is under way; one fits

	phase phase     // the wire's lock owns it, and the next
	until time.Time // when the call that is under way ends at the latest
}

// phase is what a connection is doing.
type phase int

const (
	free     phase = iota // for the next call, or chosen by it
	asking                // the request is being written, or was
	answered              // an answer has begun
	dead                  // used by nobody any more
)

// carry writes a request and waits for its answer. Whatever it answers, it is over:
// the writing ends before this returns, so that unsent is a proof. stale means that
// the connection had ended before the first byte.
func (c *conn) carry(ctx context.Context, request []byte, latest, deadline time.Time) (r reply, stale bool) {
	stop := context.AfterFunc(ctx, func() { _ = c.out.Close() }) // interrupts the writing and the reading
	defer func() {
		if !stop() {
			c.end()
		}
	}()
	_ = c.SetReadDeadline(deadline)
	_ = c.SetWriteDeadline(earlier(latest, deadline)) // for a write that blocks
	c.out.guard(latest)
	if !c.wire.begins(c, deadline) {
		return reply{unsent: true, problem: "the server closed the connection, or spoke, before it was asked"}, true
	}
	n, err := c.Write(request)
	left := c.out.release()
	switch {
	case err != nil:
		_ = c.out.Close() // first, or TLS would say goodbye when nothing may leave any more
		c.end()
		return reply{unsent: !left, problem: c.wire.describe(err)}, false
	case n != len(request):
		_ = c.out.Close()
		c.end()
		return reply{problem: "the request was written in part"}, false
	}
	return <-c.answers, false
}

// listen reads until the connection ends. Before an answer is handed out it is settled
// whether the connection can carry another call.
func (c *conn) listen() {
	defer c.end()
	text := bufio.NewReader(c.in)
	for {
		c.in.left = maxHeader
		_, err := text.Peek(1)
		switch c.wire.hears(c, err) {
		case again:
			continue
		case unasked:
			return
		case early:
			c.hand(reply{problem: "the answer came before the request was written"})
			return
		case broken:
			c.hand(reply{problem: c.wire.describe(err)})
			return
		case answering:
		}
		r, more := c.receive(text)
		if !more {
			c.wire.drop(c)
		}
		c.hand(r)
		if !more {
			return
		}
	}
}

// hand gives the call its answer. A call that is over takes none.
func (c *conn) hand(r reply) {
	select {
	case c.answers <- r:
	default:
	}
}

// heard is what a byte, or an error, of a connection means.
type heard int

const (
	answering heard = iota // begins
	broken                 // there will be no answer
	unasked                // nobody has asked: somebody else's answer, or the end of an idle connection
	early                  // an answer to a request of which not a byte has left
	again                  // nothing: the time was over that the connection had before this call
)

// toPost is what all answers are answers to.
var toPost = &http.Request{Method: http.MethodPost}

// receive reads an answer to its end, but no further than the limit, and tells
// whether the connection can carry another call.
func (c *conn) receive(text *bufio.Reader) (r reply, more bool) {
	var res *http.Response
	for res == nil || res.StatusCode < 200 && res.StatusCode != http.StatusSwitchingProtocols { // these were words in advance
		var err error
		if res, err = http.ReadResponse(text, toPost); err != nil { //nolint:bodyclose // its body is read to the end, or the connection closed
			return reply{problem: c.wire.describe(err)}, false
		}
	}
	r = reply{status: res.StatusCode, retryAfter: res.Header.Get("Retry-After")}
	if res.StatusCode == http.StatusSwitchingProtocols { // it has no end
		return r, false
	}
	c.in.left = math.MaxInt64
	var err error
	r.body, err = io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	switch {
	case err != nil:
		r.problem = c.wire.describe(err)
	case len(r.body) > maxAnswer:
		r.problem = tooLong
	default:
		r.body, r.problem = unpacked(r.body, res.Header.Values("Content-Encoding"))
	}
	return r, r.problem == "" && !res.Close && text.Buffered() == 0
}

// end closes the connection.
func (c *conn) end() {
	c.wire.drop(c)
	_ = c.Close()
}

// bounded reads no more than what is left.
type bounded struct {
	net.Conn
	left int64 // the reading goroutine's own
}

func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errTooMuch
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
