package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const one = `{"tradeNo": "my-1", "merchant": "eg-main", "amount": "300", "payee": {"customerName": "kevin", "walletId": "01123456789"}}`

// A small file of one's own goes through as the sample does; the sample itself takes too
// long for every test run.
func TestCommandsOfOnesOwn(t *testing.T) {
	later := strings.Replace(one, `"merchant"`, `"notBefore": "2099-01-01T00:00:00Z", "merchant"`, 1)
	for _, c := range []struct {
		name, file string
		args       []string
		status     int
		want       string // in what is printed
	}{
		{"good ones", one + "\n\nnot json\n" + one + "\n" + `{"tradeNo": "my-2", "amount": "1"}`, nil, done, "PASS"},
		{"one that must wait", later, []string{"--limit", "1s"}, failed, "not to be sent before 2099-01-01"},
		{"an empty file", "\n \n", nil, wrong, "holds no command"},
		{"a limit that is none", one, []string{"--limit", "0s"}, wrong, "--limit"},
		{"a word too many", one, []string{"mine.jsonl"}, wrong, "goes after --file"},
	} {
		t.Run(c.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "mine.jsonl")
			if err := os.WriteFile(file, []byte(c.file), 0o600); err != nil {
				t.Fatal(err)
			}
			status, printed := run(t, append([]string{"--file", file}, c.args...)...)
			if status != c.status || !strings.Contains(printed, c.want) {
				t.Errorf("status %d, want %d and %q in\n%s", status, c.status, c.want, printed)
			}
		})
	}
}

func TestAMissingFileIsNamed(t *testing.T) {
	if status, printed := run(t, "--file", "nowhere.jsonl"); status != wrong || !strings.Contains(printed, "nowhere.jsonl") {
		t.Errorf("status %d: %s", status, printed)
	}
}

// run runs the demo and answers its status and everything it printed.
func run(t *testing.T, args ...string) (int, string) {
	t.Helper()
	t.Setenv("TMPDIR", t.TempDir()) // for logs that a failure leaves behind
	stdout, err := os.Create(filepath.Join(t.TempDir(), "stdout"))
	if err != nil {
		t.Fatal(err)
	}
	defer stdout.Close()
	var stderr bytes.Buffer
	status := command(t.Context(), args, stdout, &stderr)
	text, err := os.ReadFile(stdout.Name())
	if err != nil {
		t.Fatal(err)
	}
	return status, string(text) + stderr.String()
}
