package paypro

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"slices"
	"sync"
	"time"
)

// Dial opens a connection, as net.Dialer.DialContext does.
type Dial func(ctx context.Context, network, addr string) (net.Conn, error)

// wire is the connections to one server: HTTP/1.1 and nothing else. No proxy (not
// even from the environment: it would stand between us and the proof), no HTTP/2
// (many requests would share a connection, and its bytes belong to nobody), TLS
// verified. There are as many connections as calls at once.
type wire struct {
	dial    Dial
	address string
	secure  *tls.Config // nil = http
	timeout time.Duration

	mu     sync.Mutex
	idle   []*conn // the latest used last
	closed bool    // nothing is kept any more
}

// newWire makes the wire to a base URL's server. It connects to nothing.
func newWire(base *url.URL, dial Dial, timeout time.Duration) *wire {
	w := &wire{dial: dial, timeout: timeout}
	port := base.Port()
	if base.Scheme == "https" {
		w.secure = &tls.Config{MinVersion: tls.VersionTLS12, ServerName: base.Hostname()}
	}
	switch {
	case port != "":
	case w.secure != nil:
		port = "443"
	default:
		port = "80"
	}
	w.address = net.JoinHostPort(base.Hostname(), port)
	return w
}

// exchange carries one request to the server and an answer back, with one attempt and
// one deadline. Where a connection had ended unused before, another one is taken.
func (w *wire) exchange(ctx context.Context, request []byte, latest time.Time) reply {
	deadline := time.Now().Add(w.timeout)
	if end, ok := ctx.Deadline(); ok {
		deadline = earlier(deadline, end)
	}
	for {
		if ctx.Err() != nil {
			return reply{unsent: true, problem: w.describe(ctx.Err())}
		}
		c, used := w.take()
		if c == nil {
			var err error
			if c, err = w.open(ctx, deadline); err != nil {
				return reply{unsent: true, problem: w.describe(cmp.Or(ctx.Err(), err))}
			}
		}
		r, stale := c.carry(ctx, request, latest, deadline)
		if stale && used {
			continue
		}
		if r.problem != "" && ctx.Err() != nil { // which is why the connection was closed
			r.problem = w.describe(ctx.Err())
		}
		w.keep(c)
		return r
	}
}

// take answers the idle connection that was used last: the others may end.
func (w *wire) take() (c *conn, used bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	last := len(w.idle) - 1
	if last < 0 {
		return nil, false
	}
	c = w.idle[last]
	w.idle = w.idle[:last]
	return c, true
}

// keep has a connection carry another call, unless it has ended.
func (w *wire) keep(c *conn) {
	_ = c.SetReadDeadline(time.Now().Add(idleFor)) // then it ends by itself
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case c.phase == dead:
	case w.closed:
		_ = c.out.Close()
	default:
		c.phase = free
		w.idle = append(w.idle, c)
	}
}

// drop forgets a connection.
func (w *wire) drop(c *conn) {
	w.mu.Lock()
	defer w.mu.Unlock()
	c.phase = dead
	if at := slices.Index(w.idle, c); at >= 0 {
		w.idle = slices.Delete(w.idle, at, at+1)
	}
}

// begins notes that a request's first byte is about to be written, and tells whether
// it may be.
func (w *wire) begins(c *conn, until time.Time) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if c.phase != free {
		return false
	}
	c.phase, c.until = asking, until
	return true
}

// hears tells what it means that something has come from the server, or nothing will.
func (w *wire) hears(c *conn, err error) heard {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case c.phase != asking:
		c.phase = dead
		return unasked
	case err == nil && !c.out.answerable():
		c.phase = dead
		return early
	case err == nil:
		c.phase = answered
		return answering
	case errors.Is(err, os.ErrDeadlineExceeded) && time.Now().Before(c.until):
		return again
	}
	c.phase = dead
	return broken
}

// close ends the idle connections; those in use end with their calls.
func (w *wire) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
	for _, c := range w.idle {
		_ = c.out.Close()
	}
	w.idle = nil
}

// open makes a connection.
func (w *wire) open(ctx context.Context, deadline time.Time) (*conn, error) {
	ctx, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	raw, err := w.dial(ctx, "tcp", w.address)
	if err != nil {
		return nil, &dialError{err}
	}
	c := &conn{out: &outlet{Conn: raw}, wire: w, answers: make(chan reply, 1)}
	c.Conn = c.out
	if w.secure != nil {
		over := tls.Client(c.out, w.secure)
		if err := over.HandshakeContext(ctx); err != nil {
			_ = raw.Close()
			return nil, err
		}
		c.Conn = over
	}
	c.in = &bounded{Conn: c.Conn}
	go c.listen()
	return c, nil
}

// dialError marks what went wrong before there was a connection: its text names
// addresses and nothing of a request.
type dialError struct{ err error }

func (e *dialError) Error() string { return e.err.Error() }
func (e *dialError) Unwrap() error { return e.err }

// describe says what went wrong on the way, in words of our own: errors of
// net/http quote lines of the answer, which may hold people's data. Only errors
// that name nothing but addresses are printed.
func (w *wire) describe(err error) string {
	var (
		dial *dialError
		op   *net.OpError
		late net.Error
		cert *tls.CertificateVerificationError
	)
	switch {
	case errors.Is(err, errTooLate), errors.Is(err, errTooMuch):
		return err.Error()
	case errors.As(err, &dial):
		return "no connection: " + oneLine(dial.Error(), maxText)
	case errors.As(err, &late) && late.Timeout(): // context.DeadlineExceeded is one too
		return fmt.Sprintf("no whole answer before the deadline (timeout %v)", w.timeout)
	case errors.Is(err, context.Canceled):
		return "the caller stopped waiting"
	case errors.As(err, &cert):
		return "no connection: the server's certificate is not accepted: " + oneLine(cert.Err.Error(), maxText)
	case errors.As(err, &op):
		return "the connection failed: " + oneLine(op.Error(), maxText)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "the server closed the connection before the whole answer"
	}
	return "the connection broke, or what came back is no HTTP answer"
}
