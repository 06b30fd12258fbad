package main

import (
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"disburser/backoffice/api"
	"disburser/backoffice/books/bookstest"
	"disburser/backoffice/service/servicetest"
	"disburser/internal/cli"
	"disburser/internal/cli/clitest"
)

// says are command lines, and what must stand in their output.
type says = []struct {
	args   []string
	status int
	has    []string
}

func run(t *testing.T, args ...string) (int, string) {
	t.Helper()
	status, out, errs := clitest.Run(t, program(), args...)
	return status, out + errs
}

// The commands that read, on a back office that runs.
func TestCommandsThatRead(t *testing.T) {
	const payouts = 30
	rng := rand.New(rand.NewPCG(3, 3))
	k, c, token := servicetest.World(t, bookstest.NewRun(rng, payouts, servicetest.Partitions, true))
	o := servicetest.Start(t, k, c, token)
	t.Setenv("PAYCTL_URL", o.URL)
	t.Setenv("PAYCTL_TOKEN", o.Token)
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		var overview api.Overview
		client := api.Client{URL: o.URL, Token: o.Token}
		overview, err := api.Get[api.Overview](t.Context(), client, "/overview", nil)
		behind := len(overview.Books) == 0
		for _, l := range overview.Books {
			behind = behind || l.Lag != 0
		}
		if err == nil && !behind {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%+v %v", overview, err)
		}
	}
	file := filepath.Join(t.TempDir(), "f.csv")
	if err := os.WriteFile(file, []byte("tradeNo,amount\n20261125-0000001,1\nT-missing,2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	whole := filepath.Join(t.TempDir(), "whole.csv")
	if err := os.WriteFile(whole, []byte("tradeNo,amount\n20261125-0000001,1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range (says{
		{[]string{"batches"}, cli.Done, []string{"batch-0\t", "batch-1\t", "batch-2\t"}},
		{[]string{"batch", "batch-1"}, cli.Done, []string{"batch\tbatch-1\n", "ordered\t", " EGP\n"}},
		{[]string{"batch", "batch-1", "--file", file}, cli.Failed, []string{"missing\tT-missing\n"}},
		{[]string{"batch", "batch-1", "--file", whole}, cli.Done, []string{"missing\tnothing of " + whole + "\n"}},
		{[]string{"batch", "batch-1", "--file", "nowhere.csv"}, cli.Wrong, []string{"nowhere.csv"}},
		{[]string{"batch", "nobody's"}, cli.Failed, []string{"the books know no batch of this name"}},
		{[]string{"show", "20261125-0000004"}, cli.Done, []string{"payout\t20261125-0000004\n", "why\t", "payee.walletId\t***0004\n", "payout.commands/"}},
		{[]string{"why", "20261125-0000004"}, cli.Done, []string{".\n"}},
		{[]string{"why", "nobody"}, cli.Failed, []string{"the books know no payout"}},
		{[]string{"show", "a b"}, cli.Wrong, []string{"a tradeNo is 1 to 64"}},
		{[]string{"find", "--payee", "Kevin  4"}, cli.Done, []string{"20261125-0000004\t"}},
		{[]string{"find", "--payee", "nobody"}, cli.Failed, []string{"the books know no payout to this payee"}},
		{[]string{"held"}, cli.Done, []string{"\theld\t"}},
		{[]string{"actions"}, cli.Done, []string{""}},
		{[]string{"show", "20261125-0000004", "--token-file", "nowhere"}, cli.Wrong, []string{"the token"}},
		{[]string{"batches", "--url", "http://127.0.0.1:1"}, cli.Failed, []string{"the back office doesn't answer"}},
		{[]string{"batches", "--url", "here"}, cli.Wrong, []string{"is no address"}},
	}) {
		status, out := run(t, test.args...)
		for _, has := range test.has {
			if status != test.status || !strings.Contains(out, has) {
				t.Errorf("payctl %s: status %d, want %d and %q:\n%s", strings.Join(test.args, " "), status, test.status, has, out)
			}
		}
	}
	var d api.PayoutDetail
	if status, out := run(t, "show", "20261125-0000004", "--json"); status != cli.Done || json.Unmarshal([]byte(out), &d) != nil || d.TradeNo != "20261125-0000004" {
		t.Error(status, out)
	}
	_, out := run(t, "held", "--json")
	for line := range strings.Lines(out) {
		var p api.Payout
		if json.Unmarshal([]byte(line), &p) != nil || p.State != "held" {
			t.Error(line)
		}
	}
	t.Setenv("PAYCTL_TOKEN", "wrong")
	if status, out := run(t, "held"); status != cli.Wrong || !strings.Contains(out, "nobody here has this token") {
		t.Error(status, out)
	}
}

// A context names the back office and the file of the token; flags and variables go before it.
func TestContexts(t *testing.T) {
	var asked []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.Header.Get("Authorization"))
		_, _ = w.Write([]byte(`{"actions":[{"id":"A1","kind":"pause","scope":"fleet","by":"eve\u001b[2J","reason":"two\nlines"}]}`))
	}))
	defer server.Close()
	dir := t.TempDir()
	t.Setenv("XDG_CONFIG_HOME", dir)
	t.Setenv("PAYCTL_URL", "")
	t.Setenv("PAYCTL_TOKEN", "")
	write := func(name, text string) string {
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	if status, out := run(t, "actions"); status != cli.Wrong || !strings.Contains(out, "nobody says where the back office is") {
		t.Error(status, out)
	}
	one, two := write("one", "token-one\n"), write("two", "token-two")
	write("payctl/config.yaml", "context: a\ncontexts:\n  a: {url: '"+server.URL+"', token_file: '"+one+"'}\n  b: {url: '"+server.URL+"', token_file: '"+two+"'}\n")
	for _, test := range []struct{ args, variable, want string }{
		{"actions", "", "Bearer token-one"},
		{"actions --context b", "", "Bearer token-two"},
		{"actions", "token-three", "Bearer token-three"},
		{"actions --context b", "token-three", "Bearer token-two"},
		{"actions --token-file " + two, "token-three", "Bearer token-two"},
	} {
		t.Setenv("PAYCTL_TOKEN", test.variable)
		status, out := run(t, strings.Fields(test.args)...)
		if status != cli.Done || asked[len(asked)-1] != test.want {
			t.Errorf("%s: %d %s %s", test.args, status, out, asked)
		}
		if strings.ContainsAny(out, "\x1b") || strings.Count(out, "\n") != 1 {
			t.Errorf("what comes from outside reaches the terminal: %q", out)
		}
	}
	if err := os.Chmod(one, 0o640); err != nil { //nolint:gosec // that is the fault
		t.Fatal(err)
	}
	t.Setenv("PAYCTL_TOKEN", "")
	var warned strings.Builder
	warnings = &warned
	defer func() { warnings = os.Stderr }()
	if status, out := run(t, "actions"); status != cli.Done || !strings.Contains(warned.String(), "may be read by others (mode 0640): chmod 600") {
		t.Error(status, out, warned.String())
	}
	if status, out := run(t, "actions", "--context", "nobody"); status != cli.Wrong || !strings.Contains(out, "has none of the name nobody") {
		t.Error(status, out)
	}
}
