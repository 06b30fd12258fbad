package main

import (
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"

	"disburser/backoffice/api"
	"disburser/internal/cli"
)

// In the worst hour the file of the service says all that Kafka wants: TLS, a login, the topic and the key.
func TestAPauseThroughTLSAndALogin(t *testing.T) {
	https := httptest.NewTLSServer(nil) // for its certificate
	defer https.Close()
	broker, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "said"), kfake.TLS(https.TLS.Clone()), kfake.EnableSASL(), kfake.Superuser("SCRAM-SHA-256", "ops", "word"))
	if err != nil {
		t.Fatal(err)
	}
	defer broker.Close()
	dir := t.TempDir()
	roots, file := filepath.Join(dir, "ca.pem"), filepath.Join(dir, "c.yaml")
	text := fmt.Sprintf(`
kafka: {brokers: ["127.0.0.1:1"], topics: {actions: said}, tls: {enabled: true, ca_file: %q}, sasl: {mechanism: scram-sha-256, username: ops, password: "${KAFKA_WORD}"}}
actions: {key: "${ACTIONS_KEY}"}
merchants: {eg-main: {country: egypt, base_url: "${NOBODY_SETS_IT}", merchant_no: "0000000001", secret: "${NOBODY_SETS_IT}", notify_url: https://example.com/n}}
`, roots)
	for name, text := range map[string][]byte{roots: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: https.Certificate().Raw}), file: []byte(text)} {
		if err := os.WriteFile(name, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("ACTIONS_KEY", "a key of thirty-two bytes or more")
	t.Setenv("KAFKA_WORD", "word")
	status, out := run(t, "pause", "merchant:eg-mian", "--direct", broker.ListenAddrs()[0], "--config", file)
	if status != cli.Done || !strings.Contains(out, "said, offset 0, signed") || !strings.Contains(out, "warning: no merchant eg-mian is configured: did you mean eg-main?") {
		t.Errorf("%d %s", status, out)
	}
	var written api.Action
	status, out = run(t, "pause", "merchant:eg-main", "--direct", broker.ListenAddrs()[0], "--config", file, "--json")
	if err := json.Unmarshal([]byte(out), &written); status != cli.Done || err != nil || written.Scope != "merchant:eg-main" || written.Warnings != nil {
		t.Errorf("%d %s %v", status, out, err)
	}
	t.Setenv("KAFKA_WORD", "")
	if status, out := run(t, "pause", "fleet", "--config", file); status != cli.Wrong || !strings.Contains(out, "password") || strings.Contains(out, "NOBODY_SETS_IT") {
		t.Errorf("%d %s", status, out)
	}
}

// What is probably mistyped is told at once, and stands in the JSON too.
func TestWarningsOfAnAction(t *testing.T) {
	o := &said{answer: func(w api.Word) api.Action {
		return api.Action{ID: "A1", Kind: "pause", Scope: w.Scope, Status: "in force", Warnings: []string{"no merchant eg-mian is\x1b[2J configured: did you mean eg-main?"}}
	}}
	o.serve(t)
	for _, args := range [][]string{{"pause", "merchant:eg-mian", "--reason", "x"}, {"pause", "merchant:eg-mian", "--reason", "x", "--json"}} {
		if status, out := run(t, args...); status != cli.Done || !strings.Contains(out, "warning: no merchant eg-mian is [2J configured: did you mean eg-main?\n") {
			t.Errorf("%d %q", status, out)
		} else if len(args) > 4 && !strings.Contains(out, `"warnings":["no merchant eg-mian`) {
			t.Errorf("%q", out)
		}
	}
}
