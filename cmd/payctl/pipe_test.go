package main

import (
	"bufio"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"disburser/backoffice/api"
	"disburser/backoffice/books"
)

// endless is a back office whose list of batches has no end.
func endless(t *testing.T) string {
	t.Helper()
	page := api.Batches{Next: "more"}
	for range 100 {
		page.Batches = append(page.Batches, api.Batch{BatchValue: books.BatchValue{BatchID: "b"}})
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _ = json.NewEncoder(w).Encode(page) }))
	t.Cleanup(server.Close)
	return server.URL
}

// payctl batches | head -1 ends payctl, and says nothing about it. What comes is plain text, whatever the terminal's variables are.
func TestAPipeThatCloses(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("pipes end otherwise there")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"batches", "--last", "1000000000"}, {"batches", "--last", "1000000000", "--json"}} {
		payctl := exec.CommandContext(t.Context(), self, args...)
		payctl.Env = append(os.Environ(), asItself+"=1", "PAYCTL_URL="+endless(t), "PAYCTL_TOKEN=token", "TERM=xterm-256color", "COLUMNS=20")
		var errs strings.Builder
		payctl.Stderr = &errs
		out, err := payctl.StdoutPipe()
		if err == nil {
			err = payctl.Start()
		}
		if err != nil {
			t.Fatal(err)
		}
		line, err := bufio.NewReader(out).ReadString('\n')
		if err != nil || strings.Contains(line, "\x1b") || len(args) == 3 && !strings.HasPrefix(line, "b\t0\t?\t0\t") {
			t.Errorf("%q %v", line, err)
		}
		out.Close() // as head does
		_ = payctl.Wait()
		if state := payctl.ProcessState.String(); errs.String() != "" || state != "signal: broken pipe" {
			t.Errorf("%v: %s, %q", args, state, errs.String())
		}
	}
}
