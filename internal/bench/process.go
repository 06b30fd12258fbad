package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// stopLimit is how long a program may take to stop: more than the configured drain.
const stopLimit = 10 * time.Second

// process is a program that runs for us, and dies with us.
type process struct {
	name, log string // the log is the file with all it prints
	command   *exec.Cmd
	began     time.Time
	exited    chan struct{} // closed after it ended
}

// start runs a program out of reach of the terminal's Ctrl-C; the kernel kills it should
// this process die without a word.
func start(name, log string, argv ...string) (*process, error) {
	out, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	p := &process{name: name, log: log, command: exec.Command(argv[0], argv[1:]...), exited: make(chan struct{})} //nolint:noctx // stopped by signals
	p.command.Stdout, p.command.Stderr = out, out
	p.command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	p.began = time.Now()
	if err := p.command.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	go func() {
		defer close(p.exited)
		_ = p.command.Wait() // how it ended is asked of its state
	}()
	return p, nil
}

func (p *process) running() bool {
	select {
	case <-p.exited:
		return false
	default:
		return true
	}
}

// kill ends it at once and waits for its end.
func (p *process) kill() {
	if p == nil {
		return
	}
	_ = p.command.Process.Signal(syscall.SIGKILL)
	<-p.exited
}

// stop ends it as production does.
func (p *process) stop() error {
	_ = p.command.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.exited:
	case <-time.After(stopLimit):
		p.kill()
		return fmt.Errorf("%s still ran %s after SIGTERM", p.name, stopLimit)
	}
	if code := p.command.ProcessState.ExitCode(); code != 0 {
		return fmt.Errorf("%s: exit status %d:\n%s", p.name, code, p.tail())
	}
	return nil
}

// cpu is what it has used so far, user and system.
func (p *process) cpu() time.Duration {
	if p.running() {
		return cpuOf(p.command.Process.Pid)
	}
	return p.command.ProcessState.UserTime() + p.command.ProcessState.SystemTime()
}

// rss is its resident memory in bytes.
func (p *process) rss() int64 { return p.status("VmRSS:") }

// status reads an amount of memory that the kernel knows of it.
func (p *process) status(name string) int64 {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.command.Process.Pid))
	for line := range strings.Lines(string(text)) {
		if value, found := strings.CutPrefix(line, name); found {
			kib, _ := strconv.ParseInt(strings.Fields(value)[0], 10, 64)
			return kib << 10
		}
	}
	return 0
}

// tail is the end of what it printed.
func (p *process) tail() string {
	text, _ := os.ReadFile(p.log) // there is nothing to show then
	return string(text[max(0, len(text)-2000):])
}

// cpuOf reads what a process has used. The kernel counts in ticks of 10 ms.
func cpuOf(pid int) time.Duration {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, rest, _ := strings.Cut(string(text), ") ") // a program's name may hold anything
	fields := strings.Fields(rest)
	if len(fields) < 13 {
		return 0
	}
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	return time.Duration(user+system) * 10 * time.Millisecond
}

var errNotInTime = errors.New("not in time")

// until polls for a condition.
func until(ctx context.Context, limit time.Duration, what string, condition func() bool) error {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, errNotInTime)
	defer cancel()
	for !condition() {
		if !pause(ctx, 10*time.Millisecond) {
			return fmt.Errorf("%s (limit %s): %w", what, limit, context.Cause(ctx))
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
