package paypro

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http/httptrace"
	"sync"
	"sync/atomic"
	"time"
)

// Dial opens a connection, as net.Dialer.DialContext does.
type Dial func(ctx context.Context, network, addr string) (net.Conn, error)

// Two things are decided here, where the bytes leave, because anywhere above it
// they would be guesses: that nothing is written after the caller's last moment
// (protocol S5), and whether anything was written at all (the NotSent proof).
//
// Every connection is a conn. When the transport has chosen one for a request it
// tells so before it writes (httptrace.GotConn), and the conn learns which call
// it now serves. TLS stands above the conn, so bytes are counted as they go to
// the network; the handshake comes before GotConn and belongs to no call.

// call is one request on its way out. Several connections may serve it, one after
// the other; what left is counted over all of them.
type call struct {
	latest time.Time     // no byte from here on; zero = no limit
	ended  chan struct{} // closed when the writing is over, well or badly

	mu      sync.Mutex // owns the rest; never held while writing
	sealed  bool       // the verdict is spoken: nothing may leave any more
	writing int        // writes that have begun and not ended
	left    bool       // at least one byte left
	handed  bool       // the transport has handed the whole request to its buffer
	failed  bool       // a write failed, or the answer was there first
	blind   bool       // a connection was no conn: nothing is provable
}

func newCall(latest time.Time) *call {
	return &call{latest: latest, ended: make(chan struct{})}
}

var (
	errTooLate = errors.New("too late: the last moment for this request has passed")
	errSealed  = errors.New("the call is over")
)

// begin asks leave to write.
func (k *call) begin() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case k.sealed:
		return errSealed
	case passed(k.latest):
		return errTooLate
	}
	k.writing++
	return nil
}

// end says what a write that had leave did.
func (k *call) end(n int, err error) {
	k.change(func() {
		k.writing--
		k.left = k.left || n != 0
		k.failed = k.failed || err != nil
	})
}

// change changes the call under its lock and tells when the writing is over.
func (k *call) change(do func()) {
	k.mu.Lock()
	defer k.mu.Unlock()
	do()
	select {
	case <-k.ended:
	default:
		if k.failed || k.whole() {
			close(k.ended)
		}
	}
}

// whole tells that the request is written. The transport's buffer holds 4 KiB, so
// a usual request is one write, and this is exact.
func (k *call) whole() bool { return k.handed && k.left && k.writing == 0 && !k.failed }

// answerable tells that the answer can be one to this request: it is out, and no
// byte of the answer was there before the first of it went. The transport hands
// out an answer even while its writer is at work, and the writer may be a moment
// behind; so this waits for it, but not for a server that doesn't read.
func (k *call) answerable(ctx context.Context) bool {
	select {
	case <-k.ended: // nearly always, and then no timer is needed
		k.mu.Lock()
		defer k.mu.Unlock()
		return k.whole()
	default:
	}
	ctx, cancel := context.WithTimeout(ctx, writerLag)
	defer cancel()
	select {
	case <-k.ended:
	case <-ctx.Done():
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.whole()
}

// writerLag is ages for a goroutine that only has to say that it is done.
const writerLag = time.Second

// seal ends the call and tells whether it is proven that no byte of it left. From
// here on every write for it is refused, so the answer can't become wrong: the
// transport's writer may still be on its way when the caller has its error. A
// write that is under way counts as one that left.
func (k *call) seal() (unsent bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.sealed = true
	return !k.left && !k.blind && k.writing == 0
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

// traced returns a context whose request tells its connection about the call.
func (k *call) traced(ctx context.Context) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(info httptrace.GotConnInfo) { k.servedBy(info.Conn) },
		WroteRequest: func(info httptrace.WroteRequestInfo) {
			k.change(func() { k.handed = info.Err == nil })
		},
		GotFirstResponseByte: k.answered,
	})
}

// answered notes that the first byte of an answer is there.
func (k *call) answered() {
	k.change(func() { k.failed = k.failed || !k.left && k.writing == 0 })
}

// servedBy points the connection at the call. The transport gives a connection to
// a new request only after the writing for the last one has ended.
func (k *call) servedBy(nc net.Conn) {
	if secure, ok := nc.(*tls.Conn); ok {
		nc = secure.NetConn()
	}
	if own, ok := nc.(*conn); ok {
		own.serves.Store(k)
		return
	}
	k.change(func() { k.failed, k.blind = true, true })
}

// conn is a connection that writes only with the leave of the call it serves.
type conn struct {
	net.Conn
	serves atomic.Pointer[call] // nil until the first GotConn: the TLS handshake
}

// Write refuses with nothing written, or writes and reports. The write deadline
// stops a write that blocks past the last moment.
func (c *conn) Write(p []byte) (int, error) {
	k := c.serves.Load()
	if k == nil {
		return c.Conn.Write(p)
	}
	if err := k.begin(); err != nil {
		return 0, err
	}
	_ = c.SetWriteDeadline(k.latest) // a connection that has none still has the check above
	n, err := c.Conn.Write(p)
	k.end(n, err)
	return n, err
}

// dialError marks what went wrong before there was a connection: its text names
// addresses and nothing of a request.
type dialError struct{ err error }

func (e *dialError) Error() string { return e.err.Error() }
func (e *dialError) Unwrap() error { return e.err }

// watched makes every dialled connection a conn. The transport lets a dial live on
// when its request is gone, so the dial has a limit of its own.
func watched(dial Dial, timeout time.Duration) Dial {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		ctx, cancel := context.WithTimeout(ctx, timeout)
		defer cancel()
		inner, err := dial(ctx, network, addr)
		if err != nil {
			return nil, &dialError{err}
		}
		return &conn{Conn: inner}, nil
	}
}
