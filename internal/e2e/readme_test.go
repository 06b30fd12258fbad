//go:build real

package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// The lines of README that send a payout work as they stand. Only the broker's address and the
// topics are replaced by this test's own.
func TestTheReadmesLinesSendAPayout(t *testing.T) {
	page, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	block := func(language, with string) string {
		for part := range strings.SplitSeq(string(page), "\n```"+language+"\n") {
			code, _, _ := strings.Cut(part, "\n```")
			if strings.Contains(code, with) && !strings.HasPrefix(code, "# disburser\n") {
				return code
			}
		}
		t.Fatalf("README has no lines of %s with %s", language, with)
		return ""
	}
	s := newSite(t, perfect, perfect)
	s.createTopics()
	w := s.watch()
	s.start().ready(30 * time.Second)
	here := strings.NewReplacer("127.0.0.1:9092", brokers, "payout.commands", s.id+".commands", "payout.results", s.id+".results")
	sent := 0
	try := func(name, needs, program, file string, args ...string) {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if out, err := exec.CommandContext(t.Context(), "sh", "-c", needs).CombinedOutput(); err != nil {
				t.Skipf("%s can't be tried here: %s: %s", name, needs, out)
			}
			if err := os.WriteFile(filepath.Join(dir, file), []byte(here.Replace(program)), 0o600); err != nil {
				t.Fatal(err)
			}
			for _, line := range args {
				c := exec.CommandContext(t.Context(), "sh", "-ec", line)
				c.Dir = dir
				if out, err := c.CombinedOutput(); err != nil {
					t.Fatalf("%s: %v\n%s", line, err, out)
				}
			}
			sent++
			until(t, 30*time.Second, "the payout of "+name+" is settled", func() bool { n, _ := w.Progress(); return n == sent })
		})
	}
	try("kcat", "command -v kcat", block("sh", "kcat -P"), "lines.sh", "sh -e lines.sh")
	try("Python", "python3 -c 'import confluent_kafka'", block("python", "confluent_kafka"), "pay.py", "python3 pay.py")
	try("Go", "go version", block("go", "kafka.Writer"), "main.go",
		"go mod init pay", "go get github.com/segmentio/kafka-go@v0.4.51 && go run .")
}
