//go:build real

package e2e

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"disburser/internal/harness"
)

// process is a running disburser.
type process struct {
	*harness.Instance
	t     *testing.T
	drain time.Duration
}

// start runs an instance; the test's end kills one that is still there.
func (s *site) start() *process {
	s.t.Helper()
	return s.startWith(s.writeConfig())
}

func (s *site) startWith(config string) *process {
	s.t.Helper()
	i, err := harness.StartInstance("disburser", filepath.Join(s.t.TempDir(), "log"), program, config)
	if err != nil {
		s.t.Fatal(err)
	}
	p := &process{Instance: i, t: s.t, drain: s.params.Drain}
	s.t.Cleanup(func() {
		p.Kill()
		if s.t.Failed() {
			s.t.Logf("the end of what an instance printed:\n%s", p.Tail())
		}
	})
	return p
}

// wait answers the exit status.
func (p *process) wait(limit time.Duration) int {
	p.t.Helper()
	select {
	case <-p.Exited():
		return p.Status()
	case <-time.After(limit):
		p.t.Errorf("still running after %s", limit)
		p.Kill()
		return -1
	}
}

// terminate sends SIGTERM and wants exit status 0 within drain + 2 s.
func (p *process) terminate() {
	p.t.Helper()
	began := time.Now()
	p.Signal(syscall.SIGTERM)
	if status := p.wait(p.drain + 2*time.Second); status != 0 {
		p.t.Errorf("exit status %d after SIGTERM, want 0", status)
	}
	p.t.Logf("stopped in %s", time.Since(began).Round(time.Millisecond))
}

// admin waits for the address of the admin HTTP, which the log tells.
func (p *process) admin() string {
	p.t.Helper()
	until(p.t, 10*time.Second, "the log tells the admin address", func() bool { return p.Admin() != "" })
	return "http://" + p.Admin()
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
		p.t.Logf("that is slow; it printed:\n%s", p.Tail())
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
