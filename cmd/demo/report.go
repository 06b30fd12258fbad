package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"disburser/internal/audit"
	"disburser/internal/trial"
	"disburser/message"
	"disburser/paypro/paysim"
)

// most is how many problems, or open payouts, are printed before the rest is only counted.
const most = 20

// outcome is what the report is about.
type outcome struct {
	end         ending
	took, limit time.Duration
	expected    trial.Expected
	own         bool // the commands are the user's own
}

// report prints the verdict and answers it.
func (s *screen) report(w *world, o outcome) bool {
	ledger := w.sim.Ledger()
	r := w.watcher.Judge(o.expected, ledger, merchantNos)
	s.unnote()
	s.line("")
	s.table(r, o.expected)
	s.line("")
	s.fact("dead letters", letters(r))
	s.fact("duplicates", count2(w.counted("disburser_intake_total", "duplicate"), o.expected.Duplicates)+" ignored")
	s.fact("repeats", repeats(r))
	s.fact("mishaps", mishap(ledger))
	s.fact("its ledger", ledgerText(ledger))
	s.line("")
	if o.end != interrupted { // whoever stops it has no time
		s.note("asking the books …")
		truth := audit.Truth{Expected: o.expected, Ledger: ledger, Standings: w.watcher.Standings(), MerchantNos: merchantNos}
		a, differences := w.account(context.Background(), func(a audit.Account) []string { return a.Against(truth) })
		s.unnote()
		s.account(a)
		r.Problems = append(r.Problems, differences...)
	}
	if o.own {
		s.reasons(w, o.expected)
	}
	if o.end != interrupted { // whoever stops it knows that it isn't over
		s.problems(r.Problems)
		s.open(r.Open, o.expected, ledger)
	}
	return s.verdict(r, o)
}

// fact prints a line of the report, and goes on below where it is long.
func (s *screen) fact(name, text string) {
	const width = 64
	for len(text) > width {
		at := strings.LastIndexByte(text[:width], ' ')
		if at < 0 {
			break
		}
		s.line("  %-12s  %s", name, text[:at])
		name, text = "", text[at+1:]
	}
	s.line("  %-12s  %s", name, text)
}

// columns are the outcomes in the order in which they are shown.
var columns = []struct {
	kind   message.EventType
	name   string
	colour string
}{
	{message.EventPaid, "paid", green},
	{message.EventPartial, "partial", yellow},
	{message.EventFailed, "failed", red},
	{message.EventRejected, "rejected", red},
}

// table shows how many payouts of each merchant ended in which way.
func (s *screen) table(r trial.Report, e trial.Expected) {
	head := fmt.Sprintf("  %-10s", "")
	for _, c := range columns {
		head += fmt.Sprintf(" %8s", c.name)
	}
	s.line("%s", s.in(dim, head+fmt.Sprintf(" %8s %8s %8s", "held", "open", "total")))
	ordered, open := map[string]int{}, map[string]int{}
	for _, merchant := range e.TradeNos {
		ordered[merchant]++
	}
	for _, tradeNo := range r.Open {
		open[e.TradeNos[tradeNo]]++
	}
	for _, merchant := range byRow(ordered) {
		line := "  " + s.in(cyan, fmt.Sprintf("%-10s", name(merchant)))
		for _, c := range columns {
			line += s.number(r.Rows[merchant][c.kind], c.colour)
		}
		line += s.number(r.HeldOf[merchant], yellow) + s.number(open[merchant], yellow)
		s.line("%s", line+s.number(ordered[merchant], bold))
	}
}

func (s *screen) number(n int, colour string) string {
	text := fmt.Sprintf(" %8d", n)
	if n == 0 {
		return s.in(dim, text)
	}
	return s.in(colour, text)
}

// byRow sorts merchants: the configured ones first.
func byRow(ordered map[string]int) []string {
	names := slices.Sorted(maps.Keys(ordered))
	slices.SortStableFunc(names, func(a, b string) int { return row(a) - row(b) })
	return names
}

func name(merchant string) string {
	if merchant == "" {
		return "(none)"
	}
	return merchant
}

func letters(r trial.Report) string {
	parts := []string{}
	for _, code := range slices.Sorted(maps.Keys(r.Codes)) {
		parts = append(parts, fmt.Sprintf("%d %s", r.Codes[code], code))
	}
	if len(parts) == 0 {
		return "none"
	}
	return strings.Join(parts, ", ")
}

// repeats are allowed: an event keeps its id, a dead letter names its origin.
func repeats(r trial.Report) string {
	if r.Repeats+r.LetterRepeats == 0 {
		return "no result or dead letter came more than once"
	}
	return fmt.Sprintf("%d results and %d dead letters came again, under the same id", r.Repeats, r.LetterRepeats)
}

// count2 shows a number, and the one that it should be where they differ.
func count2(is, due int) string {
	if is == due {
		return fmt.Sprint(is)
	}
	return fmt.Sprintf("%d (%d were sent)", is, due)
}

// mishaps are what the simulator did on purpose, by how it counts them.
var mishaps = []struct{ name, request string }{
	{"replies lost", "payout reply lost"},
	{"hung", "payout hung"},
	{"garbled", "payout garbled"},
	{"times 500 but paid", "payout http 500"},
	{"times 500 and not paid", "payout http 500 early, not executed"},
	{"times 5000 but paid", "payout outer 5000"},
	{"times 5000 and not paid", "payout outer 5000, not executed"},
	{"refused", "payout refused: request failed"},
}

func mishap(l paysim.Ledger) string {
	var parts []string
	for _, m := range mishaps {
		if n := l.Requests[m.request]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, m.name))
		}
	}
	if len(parts) == 0 {
		return "none"
	}
	return strings.Join(parts, ", ")
}

// ledgerText sums up what the provider's ledger says.
func ledgerText(l paysim.Ledger) string {
	placed, once, again := 0, 0, 0
	for _, e := range l.Entries {
		placed += e.Placements
		if e.Paid() == 1 {
			once++
		}
		if e.Placements > 1 {
			again++
		}
	}
	return fmt.Sprintf("%d sends of %d payouts (%d had to be sent again), %d paid once, %d paid twice",
		placed, len(l.Entries), again, once, len(l.PaidTwice()))
}
