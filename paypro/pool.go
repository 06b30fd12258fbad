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

// Dial opens a connection, like net.Dialer.DialContext.
type Dial func(ctx context.Context, network, addr string) (net.Conn, error)

// connPool keeps the connections to one server. It has as many as there are calls at once.
//
// It speaks HTTP/1.1 only: with HTTP/2 many requests share a connection, and nobody can tell
// which one a byte belongs to. It uses no proxy, not even one from the environment: whether a
// byte reached the provider could not be known. It verifies TLS certificates.
type connPool struct {
	dial    Dial
	address string
	tls     *tls.Config   // nil = plain HTTP
	timeout time.Duration // of a whole call

	mu     sync.Mutex
	idle   []*conn // the one used last comes last
	closed bool    // connections are closed after their calls
}

// newConnPool makes the pool for the server of a base URL. It connects to nothing.
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

// exchange sends one request and returns the reply to it, with one attempt and one deadline. If
// an idle connection turns out to have ended before the first byte, it takes another one. That
// is no second attempt, because nothing was written.
func (p *connPool) exchange(ctx context.Context, request []byte, to limits) reply {
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
		r, stale := c.roundTrip(ctx, request, to, deadline)
		if stale && used {
			continue
		}
		if r.problem != "" && ctx.Err() != nil { // roundTrip closed the connection because ctx ended
			r.problem = p.describeError(ctx.Err())
		}
		p.putIdle(c)
		return r
	}
}

// takeIdle returns the idle connection that was used last, so that the others reach their idle
// timeout. A nil connection means that none is idle.
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

// putIdle returns a connection to the pool, unless it has ended.
func (p *connPool) putIdle(c *conn) {
	_ = c.SetReadDeadline(time.Now().Add(idleTimeout)) // the idle timeout: the read then fails and closes it
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

// remove takes a connection out of the pool for good.
func (p *connPool) remove(c *conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c.phase = phaseClosed
	if at := slices.Index(p.idle, c); at >= 0 {
		p.idle = slices.Delete(p.idle, at, at+1)
	}
}

// beginRequest notes that a request is about to be written. It returns false if the connection
// isn't idle any more; then nothing may be written.
func (p *connPool) beginRequest(c *conn, until time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if c.phase != phaseIdle {
		return false
	}
	c.phase, c.deadline = phaseRequesting, until
	return true
}

// classify says what it means for a connection that a read returned err, or no error.
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

// close closes the idle connections. One in use is closed when its call ends.
func (p *connPool) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	for _, c := range p.idle {
		_ = c.guarded.Close()
	}
	p.idle = nil
}

// open dials the server, makes the TLS handshake and starts the reading goroutine.
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

// dialError marks an error of dialling. Its text names addresses only, nothing of a request, so
// it may be printed.
type dialError struct{ err error }

func (e *dialError) Error() string { return e.err.Error() }
func (e *dialError) Unwrap() error { return e.err }

// describeError says in our own words what went wrong with a call. Only errors that name
// nothing but addresses are printed. Errors of net/http quote lines of the answer, which may
// hold payee data.
func (p *connPool) describeError(err error) string {
	var (
		dial *dialError
		op   *net.OpError
		late net.Error
		cert *tls.CertificateVerificationError
	)
	switch {
	case errors.Is(err, errTooLate), errors.Is(err, errHeaderTooLong), isStopped(err):
		return err.Error()
	case errors.As(err, &dial):
		return "no connection: " + oneLine(dial.Error(), maxText)
	case errors.As(err, &late) && late.Timeout(): // also context.DeadlineExceeded
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
