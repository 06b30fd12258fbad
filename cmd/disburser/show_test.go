package main

import (
	"encoding/json"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"disburser/internal/cli"
	"disburser/internal/cli/clitest"
	"disburser/internal/embedded"
	"disburser/payout/inquiry"
)

// onNetwork makes an empty Redis that programs can reach. end takes it away.
func onNetwork(t *testing.T) (address string, end func()) {
	t.Helper()
	r, err := embedded.NewRedis()
	if err != nil {
		t.Fatal(err)
	}
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			server, err := r.Dial(t.Context(), "", "")
			if err != nil {
				client.Close()
				continue
			}
			go func() { _, _ = io.Copy(server, client); server.Close() }()
			go func() { _, _ = io.Copy(client, server); client.Close() }()
		}
	}()
	end = func() { listener.Close(); r.Close() }
	t.Cleanup(end)
	return listener.Addr().String(), end
}

func TestShow(t *testing.T) {
	address, end := onNetwork(t)
	text := strings.NewReplacer("redis: {addresses: [127.0.0.1:1]}", "redis: {addresses: ["+address+"]}", "RATE", "10").Replace(nobody)
	file := filepath.Join(t.TempDir(), "c.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	status, out, errs := clitest.Run(t, program(), "show", "20261125-000001", "--config", file)
	if status != cli.Failed || !strings.Contains(out, "state\tunknown\n") || !strings.Contains(out, "no epoch is open") || !strings.Contains(errs, "payout.actions was not read to its end") {
		t.Errorf("status %d\n%s%s", status, out, errs)
	}
	status, out, _ = clitest.Run(t, program(), "show", "20261125-000001", "--config", file, "--json")
	var answer inquiry.Answer
	if err := json.Unmarshal([]byte(out), &answer); err != nil || status != cli.Failed || answer.State != "unknown" || answer.Doubt == "" {
		t.Errorf("status %d, %v\n%s", status, err, out)
	}
	end()
	if status, out, errs := clitest.Run(t, program(), "show", "20261125-000001", "--config", file); status != cli.Failed || out != "" || !strings.Contains(errs, address) {
		t.Errorf("status %d\n%s%s", status, out, errs)
	}
	clitest.Lines(t, program(), clitest.Table{
		{"show 'a b' --config " + file, cli.Wrong, "that is no tradeNo"},
		{"show --config " + file, cli.Wrong, "tradeNo"},
	})
}

// What comes from outside breaks no line, and tells no terminal what to do.
func TestALineIsALine(t *testing.T) {
	var b strings.Builder
	table := newTable(&b)
	table.row("reason", "wrong\n\x1b[2Jfile\u202e")
	table.row("nothing", "", "")
	if err := table.flush(); err != nil || b.String() != "reason\twrong [2Jfile\n" {
		t.Errorf("%q, %v", b.String(), err)
	}
}
