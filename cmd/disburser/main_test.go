package main

import (
	"bufio"
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
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

// The version of a build without a tag is the changelog's newest.
func TestTheVersionIsTheChangelogsNewest(t *testing.T) {
	text, err := os.ReadFile("../../CHANGELOG.md")
	if err != nil {
		t.Fatal(err)
	}
	newest := regexp.MustCompile(`(?m)^## \[([0-9]+\.[0-9]+\.[0-9]+)\]`).FindSubmatch(text)
	if newest == nil || string(newest[1]) != version {
		t.Errorf("the program says %s, CHANGELOG.md %s", version, newest)
	}
}
