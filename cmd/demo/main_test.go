package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"disburser/internal/cli"
	"disburser/internal/cli/clitest"
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
		{"good ones", one + "\n\nnot json\n" + one + "\n" + `{"tradeNo": "my-2", "amount": "1"}`, nil, cli.Done, "PASS"},
		{"one that must wait", later, []string{"--limit", "1s"}, cli.Failed, "not to be sent before 2099-01-01"},
		{"one that must wait is not waited for", later + "\n" + strings.Replace(one, "my-1", "my-2", 1), []string{"--limit", "10m"}, cli.Failed, "only scheduled payouts are open (1 of 2)"},
		{"a rejected one", strings.Replace(one, "300", "300.555", 1), nil, cli.Done, "rejected my-1: amount"},
		{"an empty file", "\n \n", nil, cli.Wrong, "holds no command"},
		{"a limit that is none", one, []string{"--limit", "0s"}, cli.Wrong, "--limit"},
		{"a word too many", one, []string{"mine.jsonl"}, cli.Wrong, "unexpected argument mine.jsonl"},
	} {
		t.Run(c.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "mine.jsonl")
			if err := os.WriteFile(file, []byte(c.file), 0o600); err != nil {
				t.Fatal(err)
			}
			status, printed := run(t, append([]string{"--file", file}, c.args...)...)
			if status != c.status || !strings.Contains(printed, c.want) || (status != cli.Wrong) != strings.Contains(printed, "the books") {
				t.Errorf("status %d, want %d and %q in\n%s", status, c.status, c.want, printed)
			}
		})
	}
}

// Each dead letter is told with its line.
func TestDeadLettersOfOnesOwnAreExplained(t *testing.T) {
	file := filepath.Join(t.TempDir(), "mine.jsonl")
	text := "\n" + one + "\n\nnot json\n" + strings.Replace(one, "300", "301", 1) + "\n" + `{"payouts": [{"amount": "1"}]}`
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	_, printed := run(t, "--file", file)
	for _, want := range []string{"dead letter line 4: malformed: ", "dead letter line 5: conflict: ", "dead letter line 6, index 0 of its payouts: malformed: "} {
		if !strings.Contains(printed, want) {
			t.Errorf("%q isn't in\n%s", want, printed)
		}
	}
}

// Whoever reads the lines afterwards wants to see changes.
func TestOnlyChangesArePrinted(t *testing.T) {
	file, err := os.Create(filepath.Join(t.TempDir(), "stdout"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	s, p := newScreen(file), progress{counts: []count{{merchant: "eg-main", ordered: 2}}}
	for i := range 55 {
		if p.elapsed = time.Duration(i) * time.Second; i == 30 {
			p.counts[0].sent = 1
		}
		s.printed = time.Time{} // a second ago
		s.draw(p)
	}
	text, err := os.ReadFile(file.Name())
	if err != nil || strings.Count(string(text), "\n") != 2 || !strings.Contains(string(text), " 30.0 s") {
		t.Errorf("%v\n%s", err, text)
	}
}

func TestAMissingFileIsNamed(t *testing.T) {
	if status, printed := run(t, "--file", "nowhere.jsonl"); status != cli.Wrong || !strings.Contains(printed, "nowhere.jsonl") {
		t.Errorf("status %d: %s", status, printed)
	}
}

// run runs the demo and answers its status and everything it printed.
func run(t *testing.T, args ...string) (int, string) {
	t.Helper()
	t.Setenv("TMPDIR", t.TempDir()) // for logs that a failure leaves behind
	status, out, errs := clitest.Run(t, program(), args...)
	return status, out + errs
}

func TestCommandLines(t *testing.T) {
	clitest.Check(t, program())
	clitest.Lines(t, program(), clitest.Table{
		{"-h", cli.Done, "--limit=TIME"},
		{"-help", cli.Done, "br-main (Brazil, BRL)"},
		{"--help", cli.Done, "  0  each payout has exactly one final result"},
		{"--file", cli.Wrong, "demo: --file needs a value: --file=FILE\nTry demo --help."},
		{"mine.jsonl", cli.Wrong, "demo: unexpected argument mine.jsonl\nTry demo --help."},
		{"--limit 55", cli.Wrong, "missing unit"},
		{"--sed 7", cli.Wrong, `did you mean "--seed"?`},
	})
}
