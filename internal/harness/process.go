package harness

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// Process is a program that runs for us, and dies with us.
type Process struct {
	Name  string
	Log   string // the file with all it prints
	Began time.Time

	command *exec.Cmd
	exited  chan struct{} // closed after it ended
	status  int           // read after exited; -1 for a signal
	wanted  atomic.Bool   // that it ends is somebody's will
}

// Start runs a program in a process group of its own, so that the terminal's Ctrl-C doesn't
// reach it. If this process dies without stopping it, the kernel kills it.
func Start(name, log string, argv ...string) (*Process, error) {
	out, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	p := &Process{Name: name, Log: log, command: exec.Command(argv[0], argv[1:]...), exited: make(chan struct{})} //nolint:noctx // ended by Stop or Kill, not by a context
	p.command.Stdout, p.command.Stderr = out, out
	p.command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	p.Began = time.Now()
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

// Exited is closed after the process ended.
func (p *Process) Exited() <-chan struct{} { return p.exited }

// Status is the exit status of a process that ended, -1 for a signal.
func (p *Process) Status() int { return p.status }

// Wanted tells whether somebody here ended it.
func (p *Process) Wanted() bool { return p.wanted.Load() }

// Running tells whether it has not ended yet.
func (p *Process) Running() bool {
	select {
	case <-p.exited:
		return false
	default:
		return true
	}
}

// Signal sends a signal; one that ended gets none.
func (p *Process) Signal(s syscall.Signal) { _ = p.command.Process.Signal(s) }

// Kill ends it at once, also a stopped one, and waits for its end. It may be nil.
func (p *Process) Kill() {
	if p == nil {
		return
	}
	p.wanted.Store(true)
	p.Signal(syscall.SIGKILL)
	<-p.exited
}

// Stop ends it as production does: SIGTERM, and exit status 0 within a limit.
func (p *Process) Stop(limit time.Duration) error {
	p.wanted.Store(true)
	p.Signal(syscall.SIGTERM)
	select {
	case <-p.exited:
	case <-time.After(limit):
		p.Kill()
		return fmt.Errorf("%s: still running %s after SIGTERM", p.Name, limit)
	}
	if p.status != 0 {
		return fmt.Errorf("%s: exit status %d after SIGTERM:\n%s", p.Name, p.status, p.Tail())
	}
	return nil
}

// Printed is all that it has printed so far.
func (p *Process) Printed() []byte {
	text, _ := os.ReadFile(p.Log) // there is nothing to show then
	return text
}

// Tail is the end of what it printed.
func (p *Process) Tail() string {
	text := p.Printed()
	return string(text[max(0, len(text)-6000):])
}

// CPU is what it has used so far, user and system.
func (p *Process) CPU() time.Duration {
	if p.Running() {
		return CPUOf(p.command.Process.Pid)
	}
	return p.command.ProcessState.UserTime() + p.command.ProcessState.SystemTime()
}

// Memory reads an amount of memory, in bytes, that the kernel knows of it: VmRSS, VmHWM.
func (p *Process) Memory(name string) int64 {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.command.Process.Pid))
	for line := range strings.Lines(string(text)) {
		if value, found := strings.CutPrefix(line, name+":"); found {
			kib, _ := strconv.ParseInt(strings.Fields(value)[0], 10, 64)
			return kib << 10
		}
	}
	return 0
}

// CPUOf reads what a process has used, 0 if there is none. The kernel counts in ticks of
// 10 ms.
func CPUOf(pid int) time.Duration {
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
