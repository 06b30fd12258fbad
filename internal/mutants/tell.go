package mutants

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

// teller prints the table as the mutants end.
type teller struct {
	mu      sync.Mutex
	out     io.Writer
	color   bool
	widths  [3]int
	all     int
	told    int
	guards  int
	last    string // the guard of the row before
	missed  []*job
	pending bool // the last line is progress
}

// What a terminal makes of them.
const (
	red, green, dim, bold, plain = "\x1b[31m", "\x1b[32m", "\x1b[2m", "\x1b[1m", "\x1b[0m"
	wipe                         = "\r\x1b[K"
	widest                       = 100 // of a progress line, so that it never wraps
)

func newTeller(o Options, jobs []*job) *teller {
	t := &teller{out: o.Out, color: o.Color, all: len(jobs), guards: len(o.Guards)}
	for _, j := range jobs {
		for i, cell := range cells(j) {
			t.widths[i] = max(t.widths[i], utf8.RuneCountInString(cell))
		}
	}
	return t
}

func cells(j *job) [3]string {
	return [3]string{j.guard.Name, j.mutant.Removes, j.mutant.Killer.String()}
}

// paint colours a text on a terminal.
func (t *teller) paint(color, text string) string {
	if !t.color {
		return text
	}
	return color + text + plain
}

// progress shows what is being done, on a terminal only.
func (t *teller) progress(what string) {
	if !t.color {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	line := []rune(fmt.Sprintf("%d of %d · %s", t.told, t.all, what))
	fmt.Fprint(t.out, wipe+t.paint(dim, string(line[:min(len(line), widest)])))
	t.pending = true
}

// clear takes the progress away.
func (t *teller) clear() {
	if t.pending {
		fmt.Fprint(t.out, wipe)
		t.pending = false
	}
}

// row prints one mutant.
func (t *teller) row(j *job) {
	if j.verdict == "" { // stopped before it ran
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.clear()
	if t.told == 0 {
		fmt.Fprintf(t.out, "%s\n", t.paint(bold, t.line("guard", "what is taken away", "killed by")+"  seconds"))
	}
	t.told++
	c := cells(j)
	guard := c[0]
	if t.color && guard == t.last { // piped, each line must stand alone
		guard = ""
	}
	t.last = c[0]
	verdict := fmt.Sprintf("  %7.1f", j.took.Seconds())
	switch {
	case !j.held():
		t.missed = append(t.missed, j)
		verdict += "  " + t.paint(red, string(j.verdict))
	case j.verdict != Killed:
		verdict += "  " + string(j.verdict)
	}
	fmt.Fprintf(t.out, "%s%s\n", t.line(guard, c[1], c[2]), verdict)
}

func (t *teller) line(texts ...string) string {
	var s strings.Builder
	for i, text := range texts {
		if i > 0 {
			s.WriteString("  ")
		}
		s.WriteString(text + strings.Repeat(" ", max(0, t.widths[i]-utf8.RuneCountInString(text))))
	}
	return s.String()
}

// sum prints how it ended, and tells whether every mutant was killed.
func (t *teller) sum(took time.Duration) bool {
	t.clear()
	for _, j := range t.missed {
		fmt.Fprintf(t.out, "\n%s  %s: %s\n", t.paint(red, string(j.verdict)), j.guard.Name, j.mutant.Removes)
		fmt.Fprintf(t.out, "  without it: %s\n", j.guard.Without)
		for _, e := range j.mutant.Edits {
			fmt.Fprintf(t.out, "  in %s\n", e.File)
		}
		fmt.Fprintf(t.out, "  go test -run '^%s$' ./%s\n", j.mutant.Killer.Test, j.mutant.Killer.Package)
		fmt.Fprintf(t.out, "    %s\n", strings.ReplaceAll(j.says, "\n", "\n    "))
	}
	if len(t.missed) > 0 {
		fmt.Fprintf(t.out, "\n%s\n", t.paint(red, fmt.Sprintf("%d of %d mutants of %d guards were not killed, after %v", len(t.missed), t.all, t.guards, took.Round(time.Second))))
		return false
	}
	fmt.Fprintf(t.out, "\n%s\n", t.paint(green, fmt.Sprintf("all %d mutants of %d guards were killed, in %v", t.all, t.guards, took.Round(time.Second))))
	return true
}
