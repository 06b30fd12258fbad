package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"disburser/internal/cli"
	"disburser/internal/trial"
)

// every is how often a line is printed at most where nobody can watch a block being
// redrawn, and only if something has changed.
const every = time.Second

// bar is the width of the progress bars.
const bar = 24

// screen shows everything: a block that is redrawn on a terminal, lines elsewhere.
type screen struct {
	out         io.Writer
	live        bool // a terminal that can move its cursor
	colour      bool
	full, empty string // of a bar

	drawn   int // lines of the block that are on the screen
	printed time.Time
	said    string // the line that was printed last, but for its time
}

func newScreen(out io.Writer) *screen {
	s := &screen{out: out, full: "=", empty: ".", live: cli.Terminal(out), colour: cli.Colour(out)}
	if s.live && utf8() {
		s.full, s.empty = "━", "╌"
	}
	return s
}

// utf8 tells whether the terminal's user reads UTF-8.
func utf8() bool {
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if v := os.Getenv(name); v != "" {
			v = strings.ToLower(v)
			return strings.Contains(v, "utf-8") || strings.Contains(v, "utf8")
		}
	}
	return false
}

func (s *screen) line(format string, args ...any) { fmt.Fprintf(s.out, format+"\n", args...) }

// Colours, as terminals number them.
const (
	bold   = "1"
	dim    = "2"
	red    = "31"
	green  = "32"
	yellow = "33"
	cyan   = "36"
)

// in colours a text that is already as wide as it shall be.
func (s *screen) in(colour, text string) string {
	if !s.colour || strings.TrimSpace(text) == "" {
		return text
	}
	return "\x1b[" + colour + "m" + text + "\x1b[0m"
}

// title says what is about to happen.
func (s *screen) title(o options, messages int, e trial.Expected) {
	from := "the sample payroll"
	if o.File != "" {
		from = o.File
	}
	s.line("%s  %s, %d messages: %d payouts, %d duplicates, %d dead letters due",
		s.in(bold, "disburser demo"), from, messages, len(e.TradeNos), e.Duplicates, e.Letters)
	s.line("%s", s.in(dim, fmt.Sprintf("%d instances, embedded Kafka and Redis, a simulated Paypro on a bad day (seed %d)", instances, o.Seed)))
	s.line("")
}

// draw shows the progress.
func (s *screen) draw(p progress) {
	if !s.live {
		if now := s.plain(p); now != s.said && (time.Since(s.printed) >= every || p.complete() || p.scheduled()) {
			s.printed, s.said = time.Now(), now
			s.line("%5.1f s  %s", p.elapsed.Seconds(), now)
		}
		return
	}
	lines := s.block(p)
	var text strings.Builder
	text.WriteString("\x1b[?25l\x1b[?7l") // no cursor, no wrapping: a wrapped line would tear the block
	if s.drawn > 0 {
		fmt.Fprintf(&text, "\x1b[%dA", s.drawn)
	}
	for _, l := range lines {
		text.WriteString("\r" + l + "\x1b[K\n")
	}
	text.WriteString("\x1b[?7h\x1b[?25h")
	s.drawn = len(lines)
	_, _ = io.WriteString(s.out, text.String()) // a terminal that went away: nobody is left to be shown
}

// block is the progress as a table.
func (s *screen) block(p progress) []string {
	lines := []string{s.in(dim, fmt.Sprintf("  %-10s %8s %8s %8s %6s", "", "ordered", "sent", "settled", "held"))}
	for _, c := range p.counts {
		held := fmt.Sprintf("%6d", c.held)
		if c.held > 0 {
			held = s.in(yellow, held)
		}
		lines = append(lines, fmt.Sprintf("  %s %8d %8d %8d %s  %s",
			s.in(cyan, fmt.Sprintf("%-10s", c.merchant)), c.ordered, c.sent, c.settled, held, s.bar(c.settled, c.ordered)))
	}
	return append(lines,
		fmt.Sprintf("  %s %s", s.in(cyan, fmt.Sprintf("%-16s", "dead letters")), fmt.Sprintf("%d of %d", p.letters, p.due)),
		s.in(dim, fmt.Sprintf("  %.1f s", p.elapsed.Seconds())))
}

func (s *screen) bar(part, whole int) string {
	if whole == 0 {
		return ""
	}
	n := bar * part / whole
	colour := cyan
	if part >= whole {
		colour = green
	}
	return s.in(colour, strings.Repeat(s.full, n)) + s.in(dim, strings.Repeat(s.empty, bar-n)) + fmt.Sprintf(" %3d %%", 100*part/whole)
}

// plain is the progress as a line, without its time.
func (s *screen) plain(p progress) string {
	all, parts := p.total(), []string{}
	for _, c := range p.counts {
		parts = append(parts, fmt.Sprintf("%s %d/%d", c.merchant, c.settled, c.ordered))
	}
	return fmt.Sprintf("%d/%d settled (%s), %d sent, %d held, %d/%d dead letters",
		all.settled, all.ordered, strings.Join(parts, ", "), all.sent, all.held, p.letters, p.due)
}

// settle leaves the block behind; what follows stands below it.
func (s *screen) settle() {
	s.drawn = 0
	s.printed = time.Time{}
}

// note shows a passing remark on a terminal.
func (s *screen) note(text string) {
	if s.live {
		fmt.Fprintf(s.out, "%s\r", s.in(dim, "  "+text))
	}
}

// unnote takes it away.
func (s *screen) unnote() {
	if s.live {
		fmt.Fprint(s.out, "\x1b[K")
	}
}
