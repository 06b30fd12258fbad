package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// Files of the report, below the repository's root. People write the page. This package
// writes only what stands between its marks.
const (
	page    = "docs/performance.md"
	numbers = "docs/performance.json"
	plots   = "docs/performance"
)

// entry is a part's result with where and when it was measured.
type entry struct {
	Date    string `json:"date"`
	Commit  string `json:"commit"`
	Machine string `json:"machine"`
	Load    string `json:"load"` // of the machine at the end, over 1, 5 and 15 minutes
	result
}

// record puts a result into the report and leaves the other parts as they were.
func (s *stage) record(ctx context.Context, name string, r result) error {
	all := map[string]json.RawMessage{}
	text, err := os.ReadFile(filepath.Join(s.Root, numbers))
	if err == nil {
		err = json.Unmarshal(text, &all)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s: %w", numbers, err)
	}
	e := entry{time.Now().UTC().Format(time.DateOnly), s.commit(ctx), s.machine(ctx), load(), r}
	if all[name], err = json.Marshal(e); err != nil {
		return err
	}
	if text, err = json.MarshalIndent(all, "", "  "); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(s.Root, numbers), append(text, '\n'), 0o644); err != nil { //nolint:gosec // a page for everybody
		return err
	}
	if err := os.MkdirAll(filepath.Join(s.Root, plots), 0o755); err != nil { //nolint:gosec // see above
		return err
	}
	for file, svg := range r.plots {
		if err := os.WriteFile(filepath.Join(s.Root, plots, file), []byte(svg), 0o644); err != nil { //nolint:gosec // see above
			return err
		}
	}
	return s.intoPage(name, e)
}

// intoPage replaces what stands between the part's marks.
func (s *stage) intoPage(name string, e entry) error {
	file := filepath.Join(s.Root, page)
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	begin, end := fmt.Sprintf("<!-- %s: make bench writes what follows -->\n", name), "<!-- until here -->"
	before, rest, found := strings.Cut(string(text), begin)
	_, after, closed := strings.Cut(rest, end)
	if err != nil || !found || !closed {
		return fmt.Errorf("%s has no marks for %s: %w", page, name, err)
	}
	own := fmt.Sprintf("\nMeasured %s at commit %s on %s. Load average: %s.\n\n%s\n", e.Date, e.Commit, e.Machine, e.Load, e.markdown())
	return os.WriteFile(file, []byte(before+begin+own+end+after), 0o644) //nolint:gosec // a page for everybody
}

func (s *stage) commit(ctx context.Context) string {
	c := exec.CommandContext(ctx, "git", "describe", "--always", "--dirty")
	c.Dir = s.Root
	out, _ := c.Output() // outside of git there is none
	return strings.TrimSpace(string(out))
}

// load tells how much else the machine had to do.
func load() string {
	text, _ := os.ReadFile("/proc/loadavg") // elsewhere nobody knows
	fields := append(strings.Fields(string(text)), "?", "?", "?")
	return strings.Join(fields[:3], " ")
}

// machine says what it was measured on.
func (s *stage) machine(ctx context.Context) string {
	model := runtime.GOARCH
	text, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(text)) {
		if name, value, found := strings.Cut(line, ":"); found && strings.TrimSpace(name) == "model name" {
			model = strings.TrimSpace(value)
			break
		}
	}
	info, _ := s.redis.InfoMap(ctx, "server").Result()
	return fmt.Sprintf("%d cores of %s, %s, %s, Redis %s", runtime.NumCPU(), model, runtime.GOOS, runtime.Version(), info["Server"]["redis_version"])
}
