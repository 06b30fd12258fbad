package bench

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

// result is what came of a part.
type result struct {
	Head  []string   `json:"head"`
	Rows  [][]string `json:"rows"`
	Goals []goal     `json:"goals"`
	Raw   any        `json:"raw"` // the numbers behind the rows

	plots map[string]string // SVG by file name
}

// goal is what a figure should be.
type goal struct {
	Figure string  `json:"figure"`
	Value  float64 `json:"value"`
	Wanted string  `json:"wanted"`
	Holds  bool    `json:"holds"`
}

func atLeast(figure string, value, least float64) goal {
	return goal{figure, value, fmt.Sprintf("≥ %s", number(least)), value >= least}
}

func atMost(figure string, value, most float64) goal {
	return goal{figure, value, fmt.Sprintf("≤ %s", number(most)), value <= most}
}

func (r result) reached() bool {
	for _, g := range r.Goals {
		if !g.Holds {
			return false
		}
	}
	return true
}

// row adds a row of texts and numbers.
func (r *result) row(cells ...any) {
	texts := make([]string, len(cells))
	for i, c := range cells {
		switch c := c.(type) {
		case float64:
			texts[i] = number(c)
		case time.Duration:
			texts[i] = c.Round(c / 1000 * 10).String() // two digits are all that is true
			if c >= time.Millisecond {
				texts[i] = c.Round(10 * time.Microsecond).String()
			}
		default:
			texts[i] = fmt.Sprint(c)
		}
	}
	r.Rows = append(r.Rows, texts)
}

// number writes three digits that matter, and thousands with a space.
func number(f float64) string {
	switch {
	case f != f:
		return "–"
	case f >= 1000 || f <= -1000:
		text := fmt.Sprintf("%.0f", f)
		for at := len(text) - 3; at > 0 && text[at-1] != '-'; at -= 3 {
			text = text[:at] + " " + text[at:]
		}
		return text
	case f == float64(int(f)):
		return fmt.Sprint(int(f))
	}
	return fmt.Sprintf("%.3g", f)
}

const (
	bold  = "\x1b[1m"
	green = "\x1b[32m"
	red   = "\x1b[31m"
	faint = "\x1b[2m"
	plain = "\x1b[0m"
)

// print writes the table for a person.
func (r result) print(w io.Writer, title string, colour bool) {
	paint := func(code, text string) string {
		if colour {
			return code + text + plain
		}
		return text
	}
	fmt.Fprintf(w, "\n%s\n", paint(bold, title))
	widths := make([]int, len(r.Head))
	for _, row := range append([][]string{r.Head}, r.Rows...) {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	for n, row := range append([][]string{r.Head}, r.Rows...) {
		line := ""
		for i, cell := range row {
			fill := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
			if i == 0 {
				line += "  " + cell + fill
			} else {
				line += "  " + fill + cell
			}
		}
		if n == 0 {
			line = paint(faint, line)
		}
		fmt.Fprintln(w, strings.TrimRight(line, " "))
	}
	for _, g := range r.Goals {
		mark := paint(green, "reached")
		if !g.Holds {
			mark = paint(red, "MISSED ")
		}
		fmt.Fprintf(w, "  %s  %s: %s (wanted %s)\n", mark, g.Figure, number(g.Value), g.Wanted)
	}
}

// markdown is the same for the page.
func (r result) markdown() string {
	var s strings.Builder
	line := func(cells []string) { fmt.Fprintf(&s, "| %s |\n", strings.Join(cells, " | ")) }
	line(r.Head)
	fmt.Fprintf(&s, "|---%s|\n", strings.Repeat("|--:", len(r.Head)-1))
	for _, row := range r.Rows {
		line(row)
	}
	for i, g := range r.Goals {
		if i == 0 {
			s.WriteString("\n| Goal | Measured | Wanted | |\n|---|--:|--:|---|\n")
		}
		mark := "reached"
		if !g.Holds {
			mark = "**missed**"
		}
		line([]string{g.Figure, number(g.Value), g.Wanted, mark})
	}
	return s.String()
}

// progress says what is going on: in one line of a terminal, in lines elsewhere.
type progress struct {
	out      io.Writer
	terminal bool
	began    time.Time

	mu    sync.Mutex
	stage string
}

func newProgress(out io.Writer, terminal bool) *progress {
	return &progress{out: out, terminal: terminal, began: time.Now()}
}

func (p *progress) begin(stage string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stage = stage
}

// say tells of a step; on a terminal it replaces the last one.
func (p *progress) say(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	text := strings.TrimSpace(p.stage + " " + fmt.Sprintf(format, args...))
	at := time.Since(p.began).Round(time.Second)
	if p.terminal {
		fmt.Fprintf(p.out, "\r\x1b[K%s%6s  %s%s", faint, at, text, plain)
	} else {
		fmt.Fprintf(p.out, "%6s  %s\n", at, text)
	}
}

func (p *progress) clear() {
	if p.terminal {
		fmt.Fprint(p.out, "\r\x1b[K")
	}
}
