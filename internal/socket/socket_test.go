package socket

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// pair is a wrapped connection, and the other end of it.
func pair(t *testing.T) (wrapped net.Conn, other *net.TCPConn) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	wrapped, err = Over(new(net.Dialer).DialContext)(t.Context(), "tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	accepted, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	other, is := accepted.(*net.TCPConn)
	if !is {
		t.Fatalf("accepted a %T", accepted)
	}
	t.Cleanup(func() { _ = wrapped.Close(); _ = other.Close() })
	return wrapped, other
}

// What is written arrives whole and in order, however much it is: the socket's buffer is full several times.
func TestWhatIsWrittenArrives(t *testing.T) {
	c, other := pair(t)
	sent := bytes.Repeat([]byte("0123456789abcdef"), 1<<20)
	for _, way := range []struct {
		from, to net.Conn
	}{{c, other}, {other, c}} {
		var writing sync.WaitGroup
		writing.Go(func() {
			if n, err := way.from.Write(sent); n != len(sent) || err != nil {
				t.Errorf("wrote %d, %v", n, err)
			}
		})
		got := make([]byte, len(sent))
		if _, err := io.ReadFull(way.to, got); err != nil || !bytes.Equal(got, sent) {
			t.Errorf("what came differs: %v", err)
		}
		writing.Wait()
	}
}

// A read ends with the other side's end, and an empty one reads nothing.
func TestTheEndIsRead(t *testing.T) {
	c, other := pair(t)
	if _, err := other.Write([]byte("last")); err != nil {
		t.Fatal(err)
	}
	_ = other.CloseWrite()
	if got, err := io.ReadAll(c); string(got) != "last" || err != nil {
		t.Errorf("read %q, %v", got, err)
	}
	if n, err := c.Read(make([]byte, 1)); n != 0 || !errors.Is(err, io.EOF) {
		t.Errorf("after the end: %d, %v", n, err)
	}
	if n, err := c.Read(nil); n != 0 || err != nil {
		t.Errorf("an empty read: %d, %v", n, err)
	}
	if n, err := c.Write(nil); n != 0 || err != nil {
		t.Errorf("an empty write: %d, %v", n, err)
	}
}

// Deadlines hold as the net package's do: a call after one makes no system call, and one that waits ends. Nothing is written
// after a deadline (protocol S5).
func TestDeadlines(t *testing.T) {
	c, other := pair(t)
	for name, call := range map[string]func() error{
		"read":  func() error { _, err := c.Read(make([]byte, 1)); return err },
		"write": func() error { _, err := c.Write([]byte("late")); return err },
	} {
		_ = c.SetDeadline(time.Now().Add(-time.Second))
		if err := call(); !errors.Is(err, os.ErrDeadlineExceeded) || !strings.HasPrefix(err.Error(), name+" tcp 127.0.0.1:") {
			t.Errorf("%s after the deadline: %v", name, err)
		}
	}
	_ = c.SetDeadline(time.Now().Add(20 * time.Millisecond))
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a read that waits: %v", err)
	}
	much := make([]byte, 64<<20) // nobody reads it
	_ = c.SetDeadline(time.Now().Add(time.Second))
	if n, err := c.Write(much); n == 0 || n == len(much) || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a write that waits: %d, %v", n, err)
	}
	_ = c.Close()
	_ = other.SetReadDeadline(time.Now().Add(10 * time.Second))
	if got, err := io.ReadAll(other); err != nil || bytes.Contains(got, []byte("late")) {
		t.Errorf("what came: %d bytes, %v", len(got), err)
	}
}

// Close ends who reads and who writes, and later calls fail.
func TestCloseEndsCalls(t *testing.T) {
	c, _ := pair(t)
	var calls sync.WaitGroup
	for _, call := range []func() error{
		func() error { _, err := c.Read(make([]byte, 1)); return err },
		func() error { _, err := c.Read(make([]byte, 1)); return err },
		func() error { _, err := c.Write(make([]byte, 64<<20)); return err },
	} {
		calls.Go(func() {
			if err := call(); !errors.Is(err, net.ErrClosed) {
				t.Errorf("ended with %v", err)
			}
		})
	}
	_ = c.Close()
	calls.Wait()
	if _, err := c.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
		t.Errorf("written to what is closed: %v", err)
	}
}

// A connection that the other side has reset says so, as the net package does.
func TestAReset(t *testing.T) {
	c, other := pair(t)
	_ = other.SetLinger(0)
	_ = other.Close()
	_, err := c.Read(make([]byte, 1))
	var op *net.OpError
	if !errors.Is(err, syscall.ECONNRESET) || !errors.As(err, &op) || op.Op != "read" || op.Addr == nil {
		t.Errorf("read %v", err)
	}
	if _, err := c.Write([]byte("x")); !errors.Is(err, syscall.EPIPE) && !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("written: %v", err)
	}
}

// go-redis looks before it uses a connection: one that is quiet is good, and what has come is found and stays.
func TestALookAtAConnection(t *testing.T) {
	c, other := pair(t)
	raw, is := c.(syscall.Conn)
	if !is {
		t.Fatal("the client can't look")
	}
	look := func() (n int, looked bool) {
		control, err := raw.SyscallConn()
		if err != nil {
			t.Fatal(err)
		}
		err = control.Read(func(fd uintptr) bool {
			n, _, err = syscall.Recvfrom(int(fd), make([]byte, 1), syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
			looked = true
			return true
		})
		if err != nil {
			t.Fatal(err)
		}
		return n, looked
	}
	if _, looked := look(); looked {
		t.Error("there is something on a quiet connection")
	}
	if _, err := other.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	for n := 0; n != 1; n, _ = look() {
		time.Sleep(time.Millisecond)
	}
	if n, err := c.Read(make([]byte, 2)); n != 1 || err != nil {
		t.Errorf("read %d, %v", n, err)
	}
	_ = other.Close()
	for looked := false; !looked; _, looked = look() {
		time.Sleep(time.Millisecond)
	}
}

// What isn't TCP stays as it is, and so does an error.
func TestWhatIsNotTCP(t *testing.T) {
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	if c, err := Over(func(context.Context, string, string) (net.Conn, error) { return a, nil })(t.Context(), "", ""); c != a || err != nil {
		t.Errorf("%v, %v", c, err)
	}
	failed := errors.New("no network")
	if c, err := Over(func(context.Context, string, string) (net.Conn, error) { return nil, failed })(t.Context(), "", ""); c != nil || !errors.Is(err, failed) {
		t.Errorf("%v, %v", c, err)
	}
}
