package main

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"disburser/backoffice/api"
	"disburser/backoffice/books"
	"disburser/internal/cli"
)

// widest is how long a line of the picture may be, barWidth how long the bar: terminals have 80 columns or more.
const (
	widest   = 79
	barWidth = 40
)

// watchView shows what is watched. On a terminal that is a picture that changes in place. A line above it tells each thing that
// happens. Else it is a line for each change, or JSON.
type watchView struct {
	s        cli.Streams
	json     bool
	terminal bool
	lines    []string // of the picture
	standing int      // how many of them stand there
	before   string   // what was told last of the batch or of the whole
}

func newWatchView(s cli.Streams, json bool) *watchView {
	return &watchView{s: s, json: json, terminal: cli.Terminal(s.Out)}
}

// watched is a line of --json.
type watched struct {
	Event    string        `json:"event"`
	Batch    *api.Batch    `json:"batch,omitempty"`
	Overview *api.Overview `json:"overview,omitempty"`
	Payout   *api.Payout   `json:"payout,omitempty"`
	Action   *api.Action   `json:"action,omitempty"`
	Detail   string        `json:"detail,omitempty"`
}

func (v *watchView) batch(b api.Batch) {
	ended := b.States["paid"] + b.States["partial"] + b.States["failed"] + b.States["rejected"]
	lines := []string{b.BatchID + ": " + stateOf(b), bar(ended, max(b.Size, b.Seen)) + fmt.Sprintf(" %d of %s ended", ended, sizeText(max(b.Size, b.Seen))), statesText(b.States)}
	lines = append(lines, amountLines(b.Amounts)...)
	for _, p := range b.Pauses {
		lines = append(lines, "stopped: "+saysOf(p)+" by "+p.By+": "+p.Reason)
	}
	v.show("batch", watched{Event: "batch", Batch: &b}, lines, append(slices.Delete(slices.Clone(lines), 1, 2), fmt.Sprintf("%d of %s ended", ended, sizeText(max(b.Size, b.Seen)))))
}

func (v *watchView) overview(o api.Overview) {
	lag := int64(0)
	for _, l := range o.Books {
		lag += max(0, l.Lag)
	}
	lines := []string{statesText(o.States), fmt.Sprintf("last minute: %d came, %d ended", o.LastMinute.Received, o.LastMinute.Settled)}
	lines = append(lines, amountLines(o.Amounts)...)
	if o.Oldest != nil {
		lines = append(lines, "oldest open: "+o.Oldest.TradeNo+", since "+o.Oldest.ReceivedAt)
	}
	if lag > 0 {
		lines = append(lines, fmt.Sprintf("the books have %d records yet to read", lag))
	}
	for _, p := range o.Pauses {
		lines = append(lines, "stopped: "+saysOf(p)+" by "+p.By+": "+p.Reason)
	}
	v.show("overview", watched{Event: "overview", Overview: &o}, append([]string{"now, " + o.Time}, lines...), lines)
}

// show shows how things are. Where nobody watches a picture it is told if it has changed.
func (v *watchView) show(kind string, value watched, picture, plain []string) {
	text := strings.Join(plain, "; ")
	switch {
	case v.json || !v.terminal:
		if text != v.before {
			v.tell(kind, text, value)
		}
	default:
		v.erase()
		v.lines = picture
		v.draw()
	}
	v.before = text
}

func (v *watchView) held(p api.Payout) {
	v.tell("held", fmt.Sprintf("%s, %s %s, %s: %s", p.TradeNo, p.Amount, p.Currency, p.Merchant, p.Reason), watched{Event: "held", Payout: &p})
}

func (v *watchView) action(a api.Action, text string) {
	v.tell("action", text, watched{Event: "action", Action: &a})
}

// outage tells that the back office is away, or is back.
func (v *watchView) outage(kind, text string) {
	v.tell(kind, text, watched{Event: kind, Detail: cli.OneLine(text)})
}

// tell tells one thing that has happened.
func (v *watchView) tell(kind, text string, value watched) {
	switch {
	case v.json:
		_ = printed(v.s.Out, value) // nobody reads any more
	case v.terminal:
		v.erase()
		fmt.Fprintln(v.s.Out, time.Now().Format(time.TimeOnly), kind, cli.OneLine(text))
		v.draw()
	default:
		newTable(v.s.Out).row(time.Now().UTC().Format(time.RFC3339), kind, text)
	}
}

// erase takes the picture away, draw draws it.
func (v *watchView) erase() {
	if v.standing > 0 {
		fmt.Fprintf(v.s.Out, "\x1b[%dA\x1b[J", v.standing)
	}
	v.standing = 0
}

func (v *watchView) draw() {
	for _, line := range v.lines {
		fmt.Fprintln(v.s.Out, cut(cli.OneLine(line)))
	}
	v.standing = len(v.lines)
}

// close leaves the last picture where it is.
func (v *watchView) close() { v.standing = 0 }

// cut shortens a line, so that it stays one.
func cut(line string) string {
	if all := []rune(line); len(all) > widest {
		return string(all[:widest-1]) + "…"
	}
	return line
}

func bar(n, of int) string {
	full := 0
	if of > 0 {
		full = barWidth * n / of
	}
	return "[" + strings.Repeat("#", full) + strings.Repeat("-", barWidth-full) + "]"
}

func statesText(states map[string]int) string {
	var parts []string
	for _, state := range []string{"received", "sending", "processing", "held", "paid", "partial", "failed", "rejected"} {
		if n := states[state]; n > 0 {
			parts = append(parts, state+" "+strconv.Itoa(n))
		}
	}
	if parts == nil {
		return "no payouts"
	}
	return strings.Join(parts, ", ")
}

func amountLines(amounts map[string]books.Amounts) (lines []string) {
	for _, currency := range slices.Sorted(maps.Keys(amounts)) {
		a := amounts[currency]
		text := currency + ": " + a.Ordered + " ordered"
		for _, part := range [][2]string{{"open", a.Open}, {"paid", a.Paid}, {"partial", a.Partial}, {"failed", a.Failed}, {"rejected", a.Rejected}} {
			if part[1] != "0" {
				text += ", " + part[1] + " " + part[0]
			}
		}
		lines = append(lines, text)
	}
	return lines
}
