package main

import (
	"bufio"
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"disburser/internal/cli"
	"disburser/internal/cli/clitest"
)

// TestMain runs the program itself where a test asks for it.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "run" {
		main()
	}
	os.Exit(m.Run())
}

const nobody = `
kafka: {brokers: [127.0.0.1:1]}
redis: {addresses: [127.0.0.1:1]}
admin: {listen: 127.0.0.1:0}
merchants:
  eg-main: {country: egypt, base_url: http://127.0.0.1:1/egy-pay, merchant_no: "0000000001", secret: hunter2, notify_url: https://example.com/n, send: {rate: RATE, burst: 5}}
`

// SIGHUP while the start still waits for its servers is heard, and SIGTERM ends it.
func TestSIGHUP(t *testing.T) {
	file := filepath.Join(t.TempDir(), "c.yaml")
	write := func(rate string) {
		if err := os.WriteFile(file, []byte(strings.Replace(nobody, "RATE", rate, 1)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("10")
	command := exec.CommandContext(context.Background(), os.Args[0], "run", "--config", file)
	log, err := command.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = command.Process.Kill() }()
	lines := bufio.NewScanner(log)
	until := func(text string) {
		t.Helper()
		for lines.Scan() {
			if strings.Contains(lines.Text(), "hunter2") {
				t.Error("a secret shows")
			}
			if strings.Contains(lines.Text(), text) {
				return
			}
		}
		t.Fatalf("the log ended without %s", text)
	}
	until("not there yet")
	for _, step := range []struct{ rate, says string }{
		{"25", `"key":"merchants.eg-main.send.rate","old":"10","new":"25"`},
		{"-1", "send.rate must be more than 0, is -1"},
		{"25", "nothing has changed"},
	} {
		write(step.rate)
		if err := command.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		until(step.says)
	}
	if err := command.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, log)
	if err := command.Wait(); err != nil {
		t.Error(err)
	}
}

// A configuration without a mistake, and one with three.
func TestCommandLines(t *testing.T) {
	clitest.Check(t, program())
	good, bad := filepath.Join(t.TempDir(), "good.yaml"), filepath.Join(t.TempDir(), "bad.yaml")
	for file, text := range map[string]string{good: strings.Replace(nobody, "RATE", "10", 1), bad: "kafka: {brokrs: []}\n"} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	clitest.Lines(t, program(), clitest.Table{
		{"", cli.Wrong, "Usage: disburser <command>"},
		{"help", cli.Done, "Runs the service."},
		{"--help", cli.Done, "SIGHUP makes a running service read its file again"},
		{"-h", cli.Done, "Validates the configuration and prints every problem."},
		{"-help", cli.Done, "disburser version"},
		{"help check", cli.Done, "--connect"},
		{"version", cli.Done, "disburser 0.1.0, commit unknown, go1"},
		{"version now", cli.Wrong, "unexpected argument now"},
		{"chekc", cli.Wrong, `did you mean "check"?`},
		{"nonsense", cli.Wrong, "Commands: run, check, act, show, countries, version."},
		{"run", cli.Wrong, "disburser run: missing flags: --config=FILE\nTry disburser run --help."},
		{"run --config", cli.Wrong, "--config needs a value: --config=FILE"},
		{"check --config ''", cli.Wrong, "--config FILE"},
		{"check --config nowhere.yaml", cli.Wrong, "nowhere.yaml"},
		{"check --config " + bad, cli.Wrong, "brokrs"},
		{"check --config " + bad + " --connect", cli.Wrong, "brokrs"},
		{"run --config " + bad, cli.Wrong, "brokrs"},
		{"check --config " + good + " extra", cli.Wrong, "unexpected argument extra"},
		{"check --config " + good + " --conect", cli.Wrong, `did you mean "--connect"?`},
		{"countries", cli.Done, "vietnam"},
		{"countries egypt", cli.Done, "payee.walletId"},
		{"countries --markdown", cli.Done, "# What each country wants"},
		{"countries -h", cli.Done, "Usage: disburser countries"},
		{"countries Egypt", cli.Wrong, `there is no country "Egypt": known are bangladesh`},
		{"countries egypt kenya", cli.Wrong, "unexpected argument kenya"},
		{"countries --markdown egypt", cli.Wrong, "not both"},
		{"countries --what", cli.Wrong, "unknown flag --what"},
	})
	for _, args := range []string{"check --config ", "check -config ", "check --config=", "check -config="} {
		status, out, errs := clitest.Run(t, program(), clitest.Words(args+good)...)
		if status != cli.Done || out != "the configuration is good; nothing was connected to\n" {
			t.Errorf("%s: status %d, %s%s", args, status, out, errs)
		}
	}
}
