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
type connPool struct {
	dial    Dial
	address string
	tls     *tls.Config // nil = http
	timeout time.Duration

	mu     sync.Mutex
	idle   []*conn // the latest used last
	closed bool    // nothing is kept any more
}

// newWire makes the wire to a base URL's server. It connects to nothing.
func newConnPool(base *url.URL, dial Dial, timeout time.Duration) *connPool {
	p := &connPool{dial: dial, timeout: timeout}
	port := base.Port()
	if base.Scheme == "https" {
		p.tls = &tls.Config{MinVersion: tls.VersionTLS12, ServerName: base.Hostname()}
	}
	switch {
	case port != "":
	case p.tls != nil:
		port = "443"
	default:
		port = "80"
	}
	p.address = net.JoinHostPort(base.Hostname(), port)
	return p
}

// exchange carries one request to the server and an answer back, with one attempt and
// one deadline. Where a connection had ended unused before, another one is taken.
func (p *connPool) exchange(ctx context.Context, request []byte, latest time.Time) reply {
	deadline := time.Now().Add(p.timeout)
	if end, ok := ctx.Deadline(); ok {
		deadline = earlier(deadline, end)
	}
	for {
		if ctx.Err() != nil {
			return reply{unsent: true, problem: p.describeError(ctx.Err())}
		}
		c, used := p.takeIdle()
		if c == nil {
			var err error
			if c, err = p.open(ctx, deadline); err != nil {
				return reply{unsent: true, problem: p.describeError(cmp.Or(ctx.Err(), err))}
			}
		}
		r, stale := c.roundTrip(ctx, request, latest, deadline)
		if stale && used {
			continue
		}
		if r.problem != "" && ctx.Err() != nil { // which is why the connection was closed
			r.problem = p.describeError(ctx.Err())
		}
		p.putIdle(c)
		return r
	}
}

// take answers the idle connection that was used last: the others may end.
func (p *connPool) takeIdle() (c *conn, used bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	last := len(p.idle) - 1
	if last < 0 {
		return nil, false
	}
	c = p.idle[last]
	p.idle = p.idle[:last]
	return c, true
}

// keep has a connection carry another call, unless it has ended.
func (p *connPool) putIdle(c *conn) {
	_ = c.SetReadDeadline(time.Now().Add(idleTimeout)) // then it ends by itself
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case c.phase == phaseClosed:
	case p.closed:
		_ = c.guarded.Close()
	default:
		c.phase = phaseIdle
		p.idle = append(p.idle, c)
	}
}

// drop forgets a connection.
func (p *connPool) remove(c *conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c.phase = phaseClosed
	if at := slices.Index(p.idle, c); at >= 0 {
		p.idle = slices.Delete(p.idle, at, at+1)
	}
}

// begins notes that a request's first byte is about to be written, and tells whether
// it may be.
func (p *connPool) beginRequest(c *conn, until time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if c.phase != phaseIdle {
		return false
	}
	c.phase, c.deadline = phaseRequesting, until
	return true
}

// hears tells what it means that something has come from the server, or nothing will.
func (p *connPool) classify(c *conn, err error) readEvent {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case c.phase != phaseRequesting:
		c.phase = phaseClosed
		return eventUnrequested
	case err == nil && !c.guarded.requestBegun():
		c.phase = phaseClosed
		return eventTooEarly
	case err == nil:
		c.phase = phaseAnswering
		return eventAnswer
	case errors.Is(err, os.ErrDeadlineExceeded) && time.Now().Before(c.deadline):
		return eventOldDeadline
	}
	c.phase = phaseClosed
	return eventFailed
}

// close ends the idle connections; those in use end with their calls.
func (p *connPool) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	for _, c := range p.idle {
		_ = c.guarded.Close()
	}
	p.idle = nil
}

// open makes a connection.
func (p *connPool) open(ctx context.Context, deadline time.Time) (*conn, error) {
	ctx, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	raw, err := p.dial(ctx, "tcp", p.address)
	if err != nil {
		return nil, &dialError{err}
	}
	c := &conn{guarded: &guardedConn{Conn: raw}, pool: p, replies: make(chan reply, 1)}
	c.Conn = c.guarded
	if p.tls != nil {
		over := tls.Client(c.guarded, p.tls)
		if err := over.HandshakeContext(ctx); err != nil {
			_ = raw.Close()
			return nil, err
		}
		c.Conn = over
	}
	c.limited = &limitedConn{Conn: c.Conn}
	go c.readReplies()
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
func (p *connPool) describeError(err error) string {
	var (
		dial *dialError
		op   *net.OpError
		late net.Error
		cert *tls.CertificateVerificationError
	)
	switch {
	case errors.Is(err, errTooLate), errors.Is(err, errHeaderTooLong):
		return err.Error()
	case errors.As(err, &dial):
		return "no connection: " + oneLine(dial.Error(), maxText)
	case errors.As(err, &late) && late.Timeout(): // context.DeadlineExceeded is one too
		return fmt.Sprintf("no whole answer before the deadline (timeout %v)", p.timeout)
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
