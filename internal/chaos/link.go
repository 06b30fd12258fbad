package chaos

import (
	"context"
	"io"
	"net"
	"sync"
	"time"
)

// link is a way to a server that can be cut, stalled, shut, made to lose replies, and
// pointed at another server.
type link struct {
	name     string
	listener net.Listener
	conns    sync.WaitGroup

	// repliesOnly lets requests through a stall. A request that the network delivers late would
	// be executed after the provider has said "no record". What then happens is outside of what
	// is promised.
	repliesOnly bool

	mu      sync.Mutex
	target  string
	shut    bool
	lose    int           // how many replies are still to be lost
	losses  int           // how many were
	stalled chan struct{} // closed when the stall ends; nil while bytes flow
	open    map[net.Conn]bool
}

// newLink opens a way that leads nowhere yet.
func newLink(name string) (*link, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	k := &link{name: name, listener: l, open: map[net.Conn]bool{}}
	k.conns.Go(k.accept)
	return k, nil
}

func (l *link) address() string { return l.listener.Addr().String() }

// close ends the link and waits for what was in it.
func (l *link) close() {
	_ = l.listener.Close()
	l.flow()
	l.refuse(true)
	l.conns.Wait()
}

// point leads the link to another server; who was on the way is cut.
func (l *link) point(target string) {
	l.mu.Lock()
	l.target = target
	l.mu.Unlock()
	l.cut()
}

// cut ends all connections; new ones may be made at once.
func (l *link) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for c := range l.open {
		_ = c.Close()
	}
}

// refuse shuts the link, cutting who is on the way, or opens it again.
func (l *link) refuse(yes bool) {
	l.mu.Lock()
	l.shut = yes
	l.mu.Unlock()
	if yes {
		l.cut()
	}
}

// stall holds everything back until flow.
func (l *link) stall() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stalled == nil {
		l.stalled = make(chan struct{})
	}
}

// flow ends a stall: what was held back arrives now.
func (l *link) flow() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stalled != nil {
		close(l.stalled)
		l.stalled = nil
	}
}

// swallow loses the next n replies: half of them with their connection, the other half
// in silence.
func (l *link) swallow(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lose = n
}

// heal lets everything through again.
func (l *link) heal() {
	l.swallow(0)
	l.flow()
	l.refuse(false)
}

func (l *link) accept() {
	for {
		c, err := l.listener.Accept()
		if err != nil {
			return
		}
		l.conns.Go(func() { l.serve(c) })
	}
}

func (l *link) serve(client net.Conn) {
	defer client.Close()
	l.mu.Lock()
	target, shut := l.target, l.shut
	l.mu.Unlock()
	if shut || target == "" {
		return
	}
	dialer := net.Dialer{Timeout: time.Second}
	server, err := dialer.DialContext(context.Background(), "tcp", target)
	if err != nil {
		return
	}
	defer server.Close()
	if !l.enter(target, client, server) {
		return
	}
	defer l.leave(client, server)
	var up sync.WaitGroup
	up.Go(func() {
		l.pump(server, client, false)
		_ = server.Close()
	})
	l.pump(client, server, true)
	_ = client.Close()
	up.Wait()
}

// enter notes a connection, unless the link has changed meanwhile.
func (l *link) enter(target string, conns ...net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.shut || l.target != target {
		return false
	}
	for _, c := range conns {
		l.open[c] = true
	}
	return true
}

func (l *link) leave(conns ...net.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range conns {
		delete(l.open, c)
	}
}

// pump carries bytes one way until a side closes or a reply is lost.
func (l *link) pump(to, from net.Conn, replies bool) {
	buffer := make([]byte, 64<<10)
	for {
		n, err := from.Read(buffer)
		if n > 0 {
			l.wait(replies)
			switch l.fate(replies) {
			case lostAndCut:
				return
			case lostInSilence:
				_, _ = io.Copy(io.Discard, from)
				return
			case passes:
			}
			if _, err := to.Write(buffer[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// wait holds bytes back during a stall.
func (l *link) wait(replies bool) {
	l.mu.Lock()
	gate := l.stalled
	l.mu.Unlock()
	if gate != nil && (replies || !l.repliesOnly) {
		<-gate
	}
}

// fate is what becomes of a piece of bytes.
type fate int

const (
	passes fate = iota
	lostAndCut
	lostInSilence
)

func (l *link) fate(replies bool) fate {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !replies || l.lose == 0 {
		return passes
	}
	l.lose--
	l.losses++
	if l.losses%2 == 0 {
		return lostInSilence
	}
	return lostAndCut
}
