package embedded

import (
	"net"
	"time"
)

// tunnel is a connection whose server never waits for the client to read, like a kernel's
// buffers. Without it a pipeline comes to a halt: the client writes all of it before it reads.
// Miniredis writes an answer before it reads on. It also writes long replies while it holds its
// lock. Virtual time stands still while a goroutine waits for a lock.
type tunnel struct {
	net.Conn          // to the server
	replies  net.Conn // what came from it
	before   func()   // is called before each request
}

// queued is how many chunks of replies may wait: more than any client lets come.
const queued = 1024

func newTunnel(inner net.Conn, before func()) net.Conn {
	ours, theirs := net.Pipe()
	queue := make(chan []byte, queued)
	go func() { // ends when either end is closed
		defer close(queue)
		for {
			b := make([]byte, 4<<10)
			n, err := inner.Read(b)
			if n > 0 {
				queue <- b[:n]
			}
			if err != nil {
				return
			}
		}
	}()
	go func() { // ends with the one above
		for b := range queue {
			if _, err := theirs.Write(b); err != nil {
				_ = inner.Close()
			}
		}
		_ = theirs.Close()
	}()
	return &tunnel{inner, ours, before}
}

// Write sends a request, or several.
func (t *tunnel) Write(p []byte) (int, error) {
	t.before()
	return t.Conn.Write(p)
}

// Read reads what came.
func (t *tunnel) Read(p []byte) (int, error) { return t.replies.Read(p) }

// SetDeadline is for both directions.
func (t *tunnel) SetDeadline(at time.Time) error {
	_ = t.replies.SetReadDeadline(at) // fails on a closed connection only, and then so does the other
	return t.Conn.SetWriteDeadline(at)
}

// SetReadDeadline is for the replies.
func (t *tunnel) SetReadDeadline(at time.Time) error { return t.replies.SetReadDeadline(at) }

// Close closes both.
func (t *tunnel) Close() error {
	_ = t.replies.Close()
	return t.Conn.Close()
}
