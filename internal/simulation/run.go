package simulation

import (
	"fmt"
	"strings"
	"time"

	"disburser/internal/trial"
	"disburser/message"
)

const (
	// patience is how long the world may take to become quiet: a stale half of Redis
	// alone waits a minute before it acts (protocol E7).
	patience = 6 * time.Minute

	// after is how long the quiet world is watched. It is longer than a lease and the evidence
	// of absence, so that a wrong second send would show.
	after = 12 * time.Second
)

// Report is what came of a seed.
type Report struct {
	Plan       Plan
	Violations []Violation
	Trace      string        // of what was violated
	Virtual    time.Duration // from the first command to the end
	Quiet      time.Duration // of it, after the last fault
	Results    map[message.EventType]int
	Placements int
	Epochs     int // opened
	Lives      int // of instances
	Carried    int // commands published again
	Lost       int // messages
	Said       int // by people
	Outcomes   map[string]int
	Resolved   int // payouts ended by a resolve
}

// String is the report in one line.
func (r Report) String() string {
	var kinds []string
	for _, f := range r.Plan.Faults {
		kinds = append(kinds, string(f.Kind))
	}
	verdict := "ok"
	if len(r.Violations) > 0 {
		verdict = "VIOLATED"
	}
	return fmt.Sprintf("%s  %v virtual, %v of it after the faults; %d sends, %d held, %d carried, %d lives, %d epochs; %d said, %d resolved; %s", verdict,
		r.Virtual.Round(time.Second), r.Quiet.Round(time.Second), r.Placements, r.Results[message.EventHeld], r.Carried, r.Lives, r.Epochs,
		r.Said, r.Resolved, strings.Join(kinds, " "))
}

// Run simulates a plan. It must be called in a synctest bubble, where a minute of virtual
// time takes a second of ours. The trace tells of what was violated, and of story, if
// that is a tradeNo.
func Run(plan Plan, story string) (Report, error) {
	time.Sleep(time.Until(epoch))
	w, err := newWorld(plan)
	if err != nil {
		return Report{}, err
	}
	defer w.close()
	for slot := range plan.Slots {
		if err := w.start(slot); err != nil {
			return Report{}, err
		}
	}
	w.watching.Go(w.publish)
	w.watching.Go(w.people)
	w.unleash()
	w.until(calm)
	o := w.settle()
	quiet := time.Since(epoch) - calm
	w.halt()
	w.look(o)
	violations := o.judge()
	for _, p := range w.problems {
		violations = append(violations, Violation{Promise: lively, Text: p})
	}
	r := Report{Plan: plan, Violations: violations, Virtual: time.Since(epoch), Quiet: quiet, Results: map[message.EventType]int{}}
	r.count(o)
	for slot, n := range w.lives {
		r.Lives += n
		r.Lost += w.at(slot).link.losses()
	}
	for _, i := range w.dead {
		r.Lost += i.link.losses()
	}
	if story != "" {
		violations = append([]Violation{{TradeNo: story}}, violations...)
	}
	if len(violations) > 0 {
		r.Trace = w.trace(o, violations)
	}
	return r, nil
}

// settle waits until all is quiet, and then longer than anything could still take.
func (w *world) settle() *oracle {
	o := w.newOracle()
	for {
		w.look(o)
		why := o.pending()
		if len(why) == 0 {
			break
		}
		if time.Since(epoch) > calm+patience {
			for _, p := range why {
				w.problem("not quiet %v after the last fault: %s", patience, p)
			}
			return o
		}
		time.Sleep(2 * time.Second)
	}
	time.Sleep(after)
	return o
}

func (w *world) newOracle() *oracle {
	var lines []string
	for _, b := range w.plan.Bursts {
		lines = append(lines, b.Lines...)
	}
	return &oracle{
		evidence: newEvidence(), expected: trial.Expect(lines), sim: w.provider.Sim, plan: w.plan, hearing: &w.hearing,
		hidden: func(at time.Time) bool {
			for _, f := range w.plan.Faults {
				if f.Lag == denial && !at.Before(epoch.Add(f.At)) && !at.After(epoch.Add(f.At+f.For)) {
					return true
				}
			}
			return false
		},
	}
}

// look brings the oracle up to date.
func (w *world) look(o *oracle) {
	o.gather(w.ctx, w.broker)
	o.ledger = w.provider.Ledger()
	w.provider.mu.Lock()
	o.calls = append(o.calls[:0], w.provider.calls...)
	w.provider.mu.Unlock()
	w.crowd.tell(o)
	w.broker.mu.Lock()
	o.commits = append(o.commits[:0], w.broker.commits...)
	w.broker.mu.Unlock()
}

func (r *Report) count(o *oracle) {
	for tradeNo := range o.expected.TradeNos {
		kind := message.EventHeld
		if f, ended := o.final(tradeNo); ended {
			kind = f.event.Type
		}
		r.Results[kind]++
	}
	for _, c := range o.calls {
		if c.placement {
			r.Placements++
		}
	}
	for _, c := range o.commands {
		if c.carried {
			r.Carried++
		}
	}
	r.Said, r.Outcomes = len(o.sayings), map[string]int{}
	for _, e := range o.outcomes {
		s, _ := o.saying(func(s saying) bool { return s.ID == e.Action })
		result := string(s.Kind) + " " + e.Result
		if !e.certain() {
			result += ", not certain"
		}
		r.Outcomes[result]++
	}
	ended := map[string]bool{}
	for _, e := range o.endsOf("") {
		if e.finding != "" {
			ended[e.tradeNo] = true
		}
	}
	r.Resolved = len(ended)
	opened := map[string]bool{}
	for _, d := range o.decisions {
		if d.Kind == message.KindOpen {
			opened[d.Epoch.ID] = true
		}
	}
	r.Epochs = len(opened)
}
