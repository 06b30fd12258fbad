//go:build linux && (amd64 || arm64)

package socket

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"unsafe"
)

// conn is a TCP connection whose reads and writes don't tell the scheduler. All else is the net package's: waiting
// for the other side, deadlines, and the end by Close.
type conn struct {
	*net.TCPConn
	raw     syscall.RawConn
	in, out half
}

// half is one direction. Its mutex is held by who reads, or writes.
type half struct {
	mu    sync.Mutex
	bytes []byte        // to be read into, or to be written
	n     int           // bytes that were read, or written, by this call
	errno syscall.Errno // of the system call; 0 = none
	step  func(fd uintptr) (done bool)
}

func wrap(c net.Conn) net.Conn {
	tcp, is := c.(*net.TCPConn)
	if !is {
		return c
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return c
	}
	w := &conn{TCPConn: tcp, raw: raw}
	w.in.step, w.out.step = w.in.receive, w.out.send
	return w
}

// Read is net.Conn's.
func (c *conn) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return c.TCPConn.Read(p)
	}
	c.in.mu.Lock()
	defer c.in.mu.Unlock()
	n, errno, err := c.in.do(c.raw.Read, p)
	if err == nil && errno == 0 && n == 0 {
		return 0, io.EOF
	}
	return n, c.described("read", errno, err)
}

// Write is net.Conn's.
func (c *conn) Write(p []byte) (int, error) {
	if len(p) == 0 {
		return c.TCPConn.Write(p)
	}
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	n, errno, err := c.out.do(c.raw.Write, p)
	return n, c.described("write", errno, err)
}

// SyscallConn is the connection for who makes system calls of his own. go-redis looks with one whether a connection
// has anything to read before it uses it.
func (c *conn) SyscallConn() (syscall.RawConn, error) { return &control{c.raw}, nil }

// control is the net package's own, but for one thing. While nothing has come, and the connection is good, Read
// doesn't call f.
type control struct{ syscall.RawConn }

// Read is syscall.RawConn's.
func (c *control) Read(f func(fd uintptr) (done bool)) error {
	quiet := false
	err := c.RawConn.Control(func(fd uintptr) {
		var one [1]byte
		_, errno := call(syscall.SYS_RECVFROM, fd, one[:], syscall.MSG_PEEK)
		quiet = errno == syscall.EAGAIN
	})
	if err != nil || quiet {
		return err
	}
	return c.RawConn.Read(f)
}

// do makes steps until one is the last, and waits between them for the other side. The mutex is held.
func (h *half) do(waiting func(func(uintptr) bool) error, p []byte) (n int, errno syscall.Errno, err error) {
	h.bytes, h.n, h.errno = p, 0, 0
	err = waiting(h.step)
	h.bytes = nil
	return h.n, h.errno, err
}

// receive reads what has come, and says false if nothing has.
func (h *half) receive(fd uintptr) (done bool) {
	h.n, h.errno = call(syscall.SYS_RECVFROM, fd, h.bytes, 0)
	return h.errno != syscall.EAGAIN
}

// send writes what there is room for, and says false if there is more.
func (h *half) send(fd uintptr) (done bool) {
	for h.n < len(h.bytes) {
		n, errno := call(syscall.SYS_SENDTO, fd, h.bytes[h.n:], syscall.MSG_NOSIGNAL)
		if h.errno = errno; errno != 0 {
			return errno != syscall.EAGAIN
		}
		h.n += n
	}
	return true
}

// call makes a system call that never blocks, whatever the socket's mode.
func call(number, fd uintptr, p []byte, flags uintptr) (n int, errno syscall.Errno) {
	for {
		r, _, errno := syscall.RawSyscall6(number, fd, uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)), flags|syscall.MSG_DONTWAIT, 0, 0)
		switch errno {
		case 0:
			return int(r), 0
		case syscall.EINTR:
		default:
			return 0, errno
		}
	}
}

// described is the error as the net package's own call describes it.
func (c *conn) described(op string, errno syscall.Errno, err error) error {
	var wrapped *net.OpError
	switch {
	case errors.As(err, &wrapped):
		err = wrapped.Err
	case err == nil && errno == 0:
		return nil
	case err == nil:
		call := "recvfrom"
		if op == "write" {
			call = "sendto"
		}
		err = os.NewSyscallError(call, errno)
	}
	return &net.OpError{Op: op, Net: "tcp", Source: c.LocalAddr(), Addr: c.RemoteAddr(), Err: err}
}
