package main

import (
	"context"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"disburser/backoffice/api"
	"disburser/internal/cli"
	"disburser/internal/cli/clitest"
	"disburser/reconcile/statements"
)

// printed is what a program prints while it runs.
type printed struct {
	mu   sync.Mutex
	text strings.Builder
}

func (p *printed) Write(text []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text.Write(text)
}

// found is what a pattern's brackets match, "" until it is printed.
func (p *printed) found(pattern string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if m := regexp.MustCompile(pattern).FindStringSubmatch(p.text.String()); m != nil {
		return m[1]
	}
	return ""
}

// The playground goes on until it is stopped. What it prints opens its back office, and its statement can be read.
func TestPlayground(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	out, status := &printed{}, make(chan int, 1)
	go func() { status <- program().Run(ctx, []string{"--playground"}, cli.Streams{Out: out, Err: out}) }()
	until := func(what string, done func() bool) {
		t.Helper()
		for deadline := time.Now().Add(time.Minute); !done(); time.Sleep(20 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("no %s after a minute:\n%s", what, out.found("(?s)(.*)"))
			}
		}
	}
	until("invitation", func() bool { return out.found(`--statement (\S+) --columns`) == "$STATEMENT" })
	for _, variable := range []string{"PAYCTL_TOKEN", "BOB"} {
		c := api.Client{URL: out.found(`PAYCTL_URL=(\S+)`), Token: out.found(variable + `=(\S+)`)}
		until("batch", func() bool {
			b, err := api.Get[api.Batch](t.Context(), c, "/batches/"+batchID(1), nil)
			return err == nil && b.Seen == perBatch && b.States["paid"] > 0
		})
	}
	until("pair of dead letters", func() bool {
		c := api.Client{URL: out.found(`PAYCTL_URL=(\S+)`), Token: out.found(`PAYCTL_TOKEN=(\S+)`)}
		l, err := api.Get[api.Letters](t.Context(), c, "/dead-letters", nil)
		return err == nil && l.Codes["conflict"] > 0 && l.Codes["malformed"] > 0
	})
	until("statement", func() bool {
		file, err := os.Open(out.found(`STATEMENT=(\S+)`))
		if err != nil {
			return false
		}
		defer file.Close()
		columns, err := statements.ParseColumns(out.found(`--columns (\S+)`))
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for _, err := range statements.Table(file, columns) {
			if err != nil {
				t.Fatal(err)
			}
			n++
		}
		return n > 0
	})
	pauses(t, api.Client{URL: out.found(`PAYCTL_URL=(\S+)`), Token: out.found(`PAYCTL_TOKEN=(\S+)`)}, until)
	stop()
	if got := <-status; got != cli.Done || out.found(`(0 paid twice)`) == "" {
		t.Errorf("status %d:\n%s", got, out.found("(?s)(.*)"))
	}
	if left, _ := os.ReadDir(os.Getenv("TMPDIR")); len(left) > 0 {
		t.Errorf("it leaves %v behind", left)
	}
}

// pauses has alice pause everything by the API: it is in force, for the books and for the service.
func pauses(t *testing.T, c api.Client, until func(what string, done func() bool)) {
	t.Helper()
	if _, err := api.Post[api.Action](t.Context(), c, "/actions", nil, api.Word{Kind: "pause", Scope: "fleet", Reason: "wrong file"}); err != nil {
		t.Fatal(err)
	}
	until("pause", func() bool {
		o, err := api.Get[api.Overview](t.Context(), c, "/overview", nil)
		return err == nil && len(o.Pauses) == 1 && o.Pauses[0].By == "alice"
	})
}

func TestAPlaygroundHasItsOwnPayrolls(t *testing.T) {
	clitest.Lines(t, program(), clitest.Table{{"--playground --file mine.jsonl", cli.Wrong, "leave --file out"}})
}
