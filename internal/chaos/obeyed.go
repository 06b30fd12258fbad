package chaos

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"disburser/internal/trial"
	"disburser/message"
	"disburser/payout/acts"
	"disburser/payout/finding"
	"disburser/paypro/paysim"
)

// obedience is what people said, and everything that shows what came of it.
type obedience struct {
	actions []acts.Action
	shards  int
	finals  map[string]message.Event // by tradeNo
	ledger  map[string]paysim.Entry
	acked   map[string]time.Time // of a batch's cancel, by id: when it was acknowledged
	batches map[string][]string  // tradeNos by batch
	holds   map[string]bool      // what a cancel has held, by tradeNo
	inHand  int                  // payouts that a killed instance may have counted and not ended
}

// told counts what came of what people said.
type told struct {
	outcomes map[string]int // by kind, as and result
	byPerson map[string]int // ends by a person, forced or not, and what the provider had said
}

// judge answers what must not be. Each action has one outcome, which doesn't lie. No end contradicts the provider's
// word, and nothing is sent after one. Nothing of a cancelled batch leaves too late.
func (o obedience) judge() (t told, problems []string) {
	t = told{map[string]int{}, map[string]int{}}
	ended := endings(o.actions)
	for _, a := range o.actions {
		if !a.IsOneShot() {
			continue
		}
		for _, why := range o.action(a, ended[a.ID], t) {
			problems = append(problems, why+" (action "+a.ID+")")
		}
	}
	return t, problems
}

// action judges one action by its outcomes.
func (o obedience) action(a acts.Action, ended []acts.Ended, t told) (problems []string) {
	about := a.Scope.Name
	places := map[string]acts.Result{}
	for _, e := range ended {
		if before, known := places[e.ID()]; known && before != e.Result {
			problems = append(problems, fmt.Sprintf("%s: the outcomes %s and %s under one id", about, before, e.Result))
			continue
		}
		places[e.ID()] = e.Result
	}
	want := 1
	if a.Scope.Kind == acts.Batch {
		want = o.shards
	}
	if len(places) != want {
		return append(problems, fmt.Sprintf("%s: %d outcomes of %s, not %d", about, len(places), a.Kind, want))
	}
	said := string(a.Kind) + " " + string(a.As)
	if a.Force {
		said += " by force"
	}
	result := string(ended[0].Result)
	if ended[0].Uncertain {
		result += " (uncertain)"
	}
	t.outcomes[strings.Join(strings.Fields(said), " ")+" "+result]++
	if a.Kind == acts.Cancel && a.Scope.Kind == acts.Batch {
		return append(problems, o.cancelled(a, ended, t)...)
	}
	if a.Scope.Kind != acts.Payout {
		return problems
	}
	if why := o.lies(a, ended[0]); why != "" {
		problems = append(problems, about+": "+why)
	}
	if o.finals[about].By == a.By {
		problems = append(problems, o.against(a, ended[0], t)...)
	}
	return problems
}

// lies says how an outcome contradicts what became of the payout, "" if it doesn't.
func (o obedience) lies(a acts.Action, e acts.Ended) string {
	final, over := o.finals[a.Scope.Name]
	mine := over && final.By == a.By
	switch {
	case e.Result == acts.Done && a.Kind == acts.Resolve && (!over || final.Type != message.EventType("payout."+string(a.As))):
		return fmt.Sprintf("resolved as %s is said to be done, and the result is %q", a.As, final.Type)
	case e.Result == acts.Done && a.Kind == acts.Resolve && final.By != "" && !mine && !strings.Contains(e.Detail, "already"):
		return fmt.Sprintf("what %s said is said to be done, and it ended by %s", a.By, final.By)
	case e.Result == acts.Refused && mine, e.Result == acts.Expired && !e.Uncertain && mine:
		return fmt.Sprintf("what %s said is said to be %s, and it ended by that", a.By, e.Result)
	case mine && a.Force && final.ConfirmedBy == "":
		return "forced, and it ended without a second person"
	}
	return ""
}

// against judges an end by a person by the provider's books.
func (o obedience) against(a acts.Action, e acts.Ended, t told) (problems []string) {
	final, entry := o.finals[a.Scope.Name], o.ledger[a.Scope.Name]
	heard := "" // by the outcome; an uncertain one has none
	if e.Evidence != nil {
		heard = e.Evidence.Finding
	}
	silent := heard == "" || heard == finding.Unclear.String()
	word := entry.Outcome
	switch {
	case len(entry.Executions) == 0:
		word = "no record"
	case word == "":
		word = "processing"
	}
	force := ""
	if a.Force {
		force = " by force"
	}
	t.byPerson[fmt.Sprintf("%s%s, the provider: %s", a.As, force, word)]++
	allowed := false
	switch word {
	case "no record":
		allowed = a.As == acts.Failed || a.Force && silent
	case "unknown":
		allowed = a.Force
	case string(a.As):
		allowed = true
	default:
		allowed = a.Force && silent && e.Evidence != nil
	}
	if !allowed {
		problems = append(problems, fmt.Sprintf("%s: ended as %s%s by %s, against the provider's word: %s (heard: %q)", a.Scope.Name, a.As, force, a.By, word, heard))
	}
	if at, err := time.Parse(time.RFC3339Nano, final.SettledAt); err == nil && entry.LastAt.After(at) {
		problems = append(problems, fmt.Sprintf("%s: sent at %s, after %s had ended it at %s", a.Scope.Name, entry.LastAt, a.By, at))
	}
	return problems
}

// cancelled judges a batch's cancel. Each payout has an end, and nothing arrives later than a send may be on its way.
// The outcome counts no more than was rejected or held by it. Payouts are counted before they end, so a killed
// instance may have counted some that others count again.
func (o obedience) cancelled(a acts.Action, ended []acts.Ended, t told) (problems []string) {
	rejected, held := 0, 0
	for _, tradeNo := range o.batches[a.Scope.Name] {
		final, over := o.finals[tradeNo]
		if o.holds[tradeNo] {
			held++
		}
		switch entry := o.ledger[tradeNo]; {
		case !over:
			problems = append(problems, tradeNo+": of a cancelled batch, without an end")
		case final.Type == message.EventRejected:
			rejected++
			if entry.Placements > 0 {
				problems = append(problems, fmt.Sprintf("%s: rejected, and the provider has seen it %d times", tradeNo, entry.Placements))
			}
		case entry.LastAt.After(o.acked[a.ID].Add(staleness + onItsWay)):
			problems = append(problems, fmt.Sprintf("%s: sent %s after its batch was cancelled", tradeNo, entry.LastAt.Sub(o.acked[a.ID])))
		}
	}
	counted := 0
	for _, e := range ended {
		counted += e.Counts["cancelled"]
		if e.Result != acts.Done {
			problems = append(problems, fmt.Sprintf("%s: its cancel is %s: %s", a.Scope.Name, e.Result, e.Detail))
		}
	}
	t.outcomes[fmt.Sprintf("cancelled, it says; %d were rejected by then or later, %d held by the cancel", rejected, held)] += counted
	if counted > rejected+held+o.inHand {
		problems = append(problems, fmt.Sprintf("%s: the outcome says %d cancelled, %d are rejected, and %d were held by it", a.Scope.Name, counted, rejected, held))
	}
	return problems
}

// obeyed judges what people said in the run, and tells it.
func (r *run) obeyed(all []acts.Action, expected trial.Expected, ledger paysim.Ledger) {
	if !slices.ContainsFunc(all, acts.Action.IsOneShot) {
		return
	}
	o := obedience{
		actions: all, shards: 1, acked: r.acked, finals: map[string]message.Event{}, ledger: map[string]paysim.Entry{}, batches: map[string][]string{},
		holds: map[string]bool{}, inHand: r.scenario.calls * r.faults["SIGKILL"],
	}
	for tradeNo, c := range expected.Commands {
		o.batches[c.BatchID] = append(o.batches[c.BatchID], tradeNo)
		for _, s := range r.watcher.Results(tradeNo) {
			if s.Event.Type == message.EventHeld && strings.HasPrefix(s.Event.Reason, "cancelled by ") {
				o.holds[tradeNo] = true
			}
			if _, final := message.FinalOf(s.Event.Type); final {
				o.finals[tradeNo] = s.Event
			}
		}
	}
	for _, e := range ledger.Entries {
		o.ledger[e.TradeNo] = e
	}
	t, problems := o.judge()
	for _, counted := range []map[string]int{t.outcomes, t.byPerson} {
		for _, what := range slices.Sorted(maps.Keys(counted)) {
			r.say("   %5d  %s", counted[what], what)
		}
	}
	for _, p := range problems {
		r.problem("%s", p)
	}
}

// endedByPeople are the tradeNos that a person has ended as paid or failed. Theirs are no words of the provider.
func (r *run) endedByPeople(expected trial.Expected) map[string]bool {
	ended := map[string]bool{}
	for tradeNo := range expected.TradeNos {
		for _, s := range r.watcher.Results(tradeNo) {
			if s.Event.By != "" && (s.Event.Type == message.EventPaid || s.Event.Type == message.EventFailed) {
				ended[tradeNo] = true
			}
		}
	}
	return ended
}
