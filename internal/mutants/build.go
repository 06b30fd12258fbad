package mutants

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// Verdict is how a killer ended on a mutant.
type Verdict string

// The verdicts. Only the first is a proof by itself.
const (
	Killed   Verdict = "killed"
	Panicked Verdict = "panicked"
	Hung     Verdict = "hung"
	Survived Verdict = "SURVIVED"
	Broken   Verdict = "DOESN'T BUILD"
	Stale    Verdict = "STALE"    // the source has changed under it
	Unproved Verdict = "UNPROVED" // the killer doesn't pass on the code as it is
)

// bench builds and runs test binaries in a directory of its own.
type bench struct {
	root, dir string
	timeout   time.Duration // of one killer
}

// overlay writes files and the list that the go command reads, and answers its path.
func (b bench) overlay(name string, texts map[string]string) (string, error) {
	dir := filepath.Join(b.dir, name)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	replace := map[string]string{}
	for file, text := range texts {
		at := filepath.Join(dir, strings.ReplaceAll(file, "/", "_"))
		if err := os.WriteFile(at, []byte(text), 0o600); err != nil {
			return "", err
		}
		replace[filepath.Join(b.root, file)] = at
	}
	list, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	at := filepath.Join(dir, "overlay.json")
	return at, os.WriteFile(at, list, 0o600)
}

// build makes the test binary of a package; overlay is "" for the code as it is. The error
// holds what the compiler said.
func (b bench) build(ctx context.Context, name, pkg, overlay string) (string, error) {
	binary := filepath.Join(b.dir, name+".test")
	// Without symbols, as go test itself links: half the time.
	args := []string{"test", "-c", "-vet=off", "-ldflags=-s -w", "-o", binary}
	if overlay != "" {
		args = append(args, "-overlay", overlay)
	}
	said, err := b.command(ctx, b.root, "go", append(args, "./"+pkg)...)
	if err != nil {
		return "", fmt.Errorf("%w\n%s", err, bytes.TrimSpace(said))
	}
	return binary, nil
}

// run runs tests of a binary, in its package's directory as go test does. All of them together
// may take the timeout.
func (b bench) run(ctx context.Context, binary, pkg, tests string, timeout time.Duration) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout+10*time.Second)
	defer cancel()
	return b.command(ctx, filepath.Join(b.root, pkg), binary, "-test.v", "-test.count=1", "-test.run", tests, "-test.timeout", timeout.String())
}

func (b bench) command(ctx context.Context, dir, name string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) } // go ends its compilers itself
	cmd.WaitDelay = 5 * time.Second
	return cmd.CombinedOutput()
}

// outcome matches what go test says of each test that isn't a subtest.
var outcome = regexp.MustCompile(`(?m)^--- (PASS|FAIL|SKIP): (\S+) \(`)

// passed tells which tests passed.
func passed(said []byte) map[string]bool {
	tests := map[string]bool{}
	for _, m := range outcome.FindAllSubmatch(said, -1) {
		tests[string(m[2])] = string(m[1]) == "PASS"
	}
	return tests
}

// Of a test that panics go test says FAIL too, and then the panic.
var (
	timedOut = []byte("panic: test timed out after")
	anyPanic = regexp.MustCompile(`(?m)^(panic: |fatal error: )`)
)

// judge tells what a killer's run on a mutant shows.
func judge(k Killer, said []byte, err error) Verdict {
	ok, ended := passed(said)[k.Test]
	switch {
	case bytes.Contains(said, timedOut):
		return Hung
	case anyPanic.Match(said):
		return Panicked
	case ended && !ok && err != nil:
		return Killed
	case ended:
		return Survived // also where something else made the run fail
	}
	return Hung // cut short
}
