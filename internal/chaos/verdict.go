package chaos

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"disburser/internal/audit"
	"disburser/internal/trial"
	"disburser/message"
)

// row is what the summary says of a scenario.
type row struct {
	name       string
	payouts    int
	outcomes   map[message.EventType]int
	letters    int
	held       int
	repeats    int
	again      int // payouts that were placed more than once
	faults     map[string]int
	recoveries []string
	quiet      time.Duration
	took       time.Duration
	problems   []string
}

// judge compares what was ordered, announced and paid, and measures the recoveries.
func (r *run) judge(ctx context.Context, quiet, took time.Duration) (row, error) {
	catching, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	if err := r.watcher.CatchUp(catching); err != nil {
		return row{}, err
	}
	expected, err := r.ordered(ctx)
	if err != nil {
		return row{}, err
	}
	ledger, err := r.provider.ledger(ctx)
	if err != nil {
		return row{}, err
	}
	h, err := r.history(ctx)
	if err != nil {
		return row{}, err
	}
	report := r.watcher.Judge(expected, ledger, merchantNos)
	actions, err := r.spoken(ctx)
	if err != nil {
		return row{}, err
	}
	r.weigh(report, r.endedByPeople(expected))
	if r.kept == nil {
		r.obeyed(actions, expected, ledger)
	} else if err := r.judgeBooks(ctx, audit.Truth{Expected: expected, Ledger: ledger, Standings: r.watcher.Standings(), MerchantNos: merchantNos}); err != nil {
		return row{}, err
	}
	r.inspect()
	out := row{
		name: r.scenario.name, payouts: len(expected.TradeNos), outcomes: map[message.EventType]int{}, letters: report.Letters,
		held: report.Held, repeats: report.Repeats, faults: r.faults, quiet: quiet, took: took,
	}
	for _, entry := range ledger.Entries {
		if entry.Placements > 1 {
			out.again++
		}
	}
	for _, outcomes := range report.Rows {
		for kind, n := range outcomes {
			out.outcomes[kind] += n
		}
	}
	out.recoveries = r.recoveries(h)
	out.problems = r.problems
	r.conclude(out, h, ledger)
	return out, nil
}

// weigh takes over what the verdict says must not be. With then: hold a wiped Redis may
// hold what was in flight. Where the provider lies, a second payment must be found: a
// verdict that finds none there would find none anywhere.
//
// What people have ended isn't the provider's word: obeyed judges it.
func (r *run) weigh(report trial.Report, byPeople map[string]bool) {
	if r.scenario.proof {
		if !slices.ContainsFunc(report.Problems, func(p string) bool { return strings.Contains(p, "PAID ") }) {
			r.problem("the provider denied what it had executed, and the verdict found no second payment")
		}
		return
	}
	for _, p := range report.Problems {
		if tradeNo, _, _ := strings.Cut(p, ":"); byPeople[tradeNo] && strings.Contains(p, ": the result says") {
			continue
		}
		if r.scenario.then != hold || !strings.Contains(p, "held, no final result") {
			r.problem("%s", p)
		}
	}
	for _, tradeNo := range report.Open {
		r.problem("%s: no result", tradeNo)
	}
	if most := r.scenario.calls * r.scenario.instances; !r.scenario.doubtful() && report.Held > most {
		r.problem("%d payouts are held, at most %d were in flight (slots × instances)", report.Held, most)
	}
}

// inspect looks at the instances themselves: none ends by itself, none panics.
func (r *run) inspect() {
	for _, i := range r.instances {
		if !i.Running() && !i.Wanted() {
			r.problem("%s ended by itself with status %d:\n%s", i.Name, i.Status(), i.Tail())
		}
		if text, _ := os.ReadFile(i.Log); bytes.Contains(text, []byte(`"panic"`)) || bytes.Contains(text, []byte("goroutine 1 [")) {
			r.problem("%s panicked, see its log", i.Name)
		}
	}
}

// summarize prints the table and tells whether all promises held.
func (w *world) summarize(rows []row) bool {
	held := true
	fmt.Fprintf(w.Out, "\n%-12s %8s %7s %7s %6s %8s %7s %5s %7s %6s %6s %6s  %s\n", "scenario",
		"payouts", "paid", "partial", "failed", "rejected", "letters", "held", "repeats", "again", "quiet", "took", "verdict")
	total := 0
	for _, r := range rows {
		verdict := "holds"
		if len(r.problems) > 0 {
			verdict, held = fmt.Sprintf("BROKEN (%d)", len(r.problems)), false
		}
		fmt.Fprintf(w.Out, "%-12s %8d %7d %7d %6d %8d %7d %5d %7d %6d %5.0fs %5.0fs  %s\n", r.name, r.payouts,
			r.outcomes[message.EventPaid], r.outcomes[message.EventPartial], r.outcomes[message.EventFailed], r.outcomes[message.EventRejected],
			r.letters, r.held, r.repeats, r.again, r.quiet.Seconds(), r.took.Seconds(), verdict)
		total += r.payouts
	}
	fmt.Fprintf(w.Out, "\nrepeats: result events announced again under the same id. again: payouts placed more than once, which only a\n"+
		"truthful \"no such order\" allows. quiet: from the end of the faults until all was settled.\n\nfaults and recoveries\n")
	for _, r := range rows {
		fmt.Fprintf(w.Out, "%-12s %s", r.name, count(r.faults))
		if len(r.recoveries) > 0 {
			fmt.Fprintf(w.Out, "; %s", strings.Join(r.recoveries, ", "))
		}
		fmt.Fprintln(w.Out)
	}
	verdict := "every promise held"
	if !held {
		verdict = "PROMISES WERE BROKEN"
	}
	fmt.Fprintf(w.Out, "\n%d payouts in %d scenarios, %s: %s\n", total, len(rows), time.Since(w.began).Round(time.Second), verdict)
	return held
}

func count(faults map[string]int) string {
	var parts []string
	for _, kind := range slices.Sorted(maps.Keys(faults)) {
		parts = append(parts, fmt.Sprintf("%d× %s", faults[kind], kind))
	}
	return strings.Join(parts, ", ")
}
