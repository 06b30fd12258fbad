package chaos

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"
)

// process is a program that runs for us, and dies with us.
type process struct {
	name     string
	log      string // the file with all it prints
	command  *exec.Cmd
	exited   chan struct{} // closed after it ended
	status   int           // read after exited; -1 for a signal
	expected atomic.Bool   // that it ends is somebody's will
}

// start runs a program in a process group of its own, out of reach of the terminal's
// Ctrl-C; the kernel kills it should this process die without a word.
func start(name, log string, argv ...string) (*process, error) {
	out, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	p := &process{name: name, log: log, command: exec.Command(argv[0], argv[1:]...), exited: make(chan struct{})} //nolint:noctx // a fault ends it, not a context
	p.command.Stdout, p.command.Stderr = out, out
	p.command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := p.command.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	go func() {
		defer close(p.exited)
		err := p.command.Wait()
		if exit, ok := errors.AsType[*exec.ExitError](err); err != nil && ok {
			p.status = exit.ExitCode()
		}
	}()
	return p, nil
}

func (p *process) signal(s syscall.Signal) { _ = p.command.Process.Signal(s) }

// kill ends it at once, also a stopped one, and waits for its end.
func (p *process) kill() {
	if p == nil {
		return
	}
	p.expected.Store(true)
	p.signal(syscall.SIGKILL)
	<-p.exited
}

// terminate sends SIGTERM and wants exit status 0 within a limit.
func (p *process) terminate(limit time.Duration) error {
	p.expected.Store(true)
	p.signal(syscall.SIGTERM)
	select {
	case <-p.exited:
	case <-time.After(limit):
		p.kill()
		return fmt.Errorf("%s: still running %s after SIGTERM", p.name, limit)
	}
	if p.status != 0 {
		return fmt.Errorf("%s: exit status %d after SIGTERM", p.name, p.status)
	}
	return nil
}

func (p *process) running() bool {
	select {
	case <-p.exited:
		return false
	default:
		return true
	}
}

// tail is the end of what it printed.
func (p *process) tail() string {
	text, _ := os.ReadFile(p.log) // there is nothing to show then
	return string(text[max(0, len(text)-2000):])
}

// until polls for a condition.
func until(ctx context.Context, limit time.Duration, what string, condition func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for !condition() {
		if !pause(ctx, 25*time.Millisecond) {
			return fmt.Errorf("not within %s: %s", limit, what)
		}
	}
	return nil
}

// pause waits and tells whether ctx let it.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// freePort looks below the range of outgoing connections, where none can take the port
// while its server is away.
func freePort() (string, error) {
	for range 200 {
		port := strconv.Itoa(20000 + rand.IntN(12000))
		l, err := net.Listen("tcp", "127.0.0.1:"+port)
		if err == nil {
			_ = l.Close()
			return port, nil
		}
	}
	return "", errors.New("no free port between 20000 and 32000")
}
