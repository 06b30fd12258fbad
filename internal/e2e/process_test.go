//go:build real

package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os/exec"
	"regexp"
	"sync"
	"syscall"
	"testing"
	"time"
)

// process is a running disburser.
type process struct {
	t       *testing.T
	command *exec.Cmd
	output  output // stdout and stderr
	drain   time.Duration

	exited chan struct{} // closed after the process ended
	state  int           // the exit status, -1 for a signal; read after exited
}

// output gathers what a process prints.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write takes a piece of it.
func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(b)
}

func (o *output) bytes() []byte {
	o.mu.Lock()
	defer o.mu.Unlock()
	return bytes.Clone(o.text.Bytes())
}

// start runs an instance; the test's end kills one that is still there.
func (s *site) start() *process {
	s.t.Helper()
	return s.startWith(s.writeConfig())
}

func (s *site) startWith(config string) *process {
	s.t.Helper()
	p := &process{t: s.t, drain: s.params.Drain, exited: make(chan struct{})}
	p.command = exec.Command(program, "run", "--config", config)
	p.command.Stdout, p.command.Stderr = &p.output, &p.output
	if err := p.command.Start(); err != nil {
		s.t.Fatal(err)
	}
	go func() {
		defer close(p.exited)
		err := p.command.Wait()
		if exit, ok := errors.AsType[*exec.ExitError](err); err != nil && ok {
			p.state = exit.ExitCode()
		}
	}()
	s.t.Cleanup(func() {
		_ = p.command.Process.Kill()
		<-p.exited
		if s.t.Failed() {
			s.t.Logf("the end of what an instance printed:\n%s", p.tail())
		}
	})
	return p
}

func (p *process) tail() []byte {
	text := p.output.bytes()
	return text[max(0, len(text)-6000):]
}

// wait answers the exit status.
func (p *process) wait(limit time.Duration) int {
	p.t.Helper()
	select {
	case <-p.exited:
		return p.state
	case <-time.After(limit):
		p.t.Errorf("still running after %s", limit)
		_ = p.command.Process.Kill()
		<-p.exited
		return -1
	}
}

// terminate sends SIGTERM and wants exit status 0 within drain + 2 s.
func (p *process) terminate() {
	p.t.Helper()
	began := time.Now()
	_ = p.command.Process.Signal(syscall.SIGTERM)
	if status := p.wait(p.drain + 2*time.Second); status != 0 {
		p.t.Errorf("exit status %d after SIGTERM, want 0", status)
	}
	p.t.Logf("stopped in %s", time.Since(began).Round(time.Millisecond))
}

var adminLine = regexp.MustCompile(`"address":"([^"]+)"[^\n]*"admin HTTP"`)

// admin waits for the address of the admin HTTP, which the log tells.
func (p *process) admin() string {
	p.t.Helper()
	var found [][]byte
	until(p.t, 10*time.Second, "the log tells the admin address", func() bool {
		found = adminLine.FindSubmatch(p.output.bytes())
		return found != nil
	})
	return "http://" + string(found[1])
}

// get asks the admin HTTP.
func (p *process) get(path string) (status int, body []byte) {
	p.t.Helper()
	return fetch(p.t, p.admin()+path)
}

func fetch(t *testing.T, url string) (status int, body []byte) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, nil
	}
	defer res.Body.Close()
	body, _ = io.ReadAll(res.Body) // half an answer fails whoever looks at it
	return res.StatusCode, body
}

// slow is a start that deserves a look.
const slow = 5 * time.Second

// ready waits until /readyz says so.
func (p *process) ready(limit time.Duration) {
	p.t.Helper()
	began := time.Now()
	until(p.t, limit, "/readyz answers 200", func() bool {
		status, _ := p.get("/readyz")
		return status == http.StatusOK
	})
	took := time.Since(began)
	p.t.Logf("ready in %s", took.Round(time.Millisecond))
	if took > slow {
		p.t.Logf("that is slow; it printed:\n%s", p.tail())
	}
}

// unready waits until /readyz answers 503, and answers its reason.
func (p *process) unready(limit time.Duration) (reason string) {
	p.t.Helper()
	var answer struct{ Reason string }
	until(p.t, limit, "/readyz answers 503", func() bool {
		status, body := p.get("/readyz")
		return status == http.StatusServiceUnavailable && json.Unmarshal(body, &answer) == nil
	})
	return answer.Reason
}
