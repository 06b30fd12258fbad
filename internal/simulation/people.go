package simulation

import (
	"context"
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"
	"time"

	"disburser/actions"
	"disburser/internal/trial"
	"disburser/payout/acts"
	"disburser/payout/secrets"
)

// Stop is a pause that a person says, and lifts after a while; or the cancellation of a batch, which stands for ever.
type Stop struct {
	At, For time.Duration
	Scope   string
	Cancels bool
}

// String tells a pause as the trace does.
func (s Stop) String() string {
	if s.Cancels {
		return fmt.Sprintf("+%.3fs cancel %s", s.At.Seconds(), s.Scope)
	}
	return fmt.Sprintf("+%.3fs pause %s for %v", s.At.Seconds(), s.Scope, s.For)
}

// staleness is short, so that a pause shows within a simulation.
const staleness = 500 * time.Millisecond

var named = regexp.MustCompile(`"(tradeNo|batchId)":"([^"]+)"`)

// stops draws the pauses of a seed: none in every second one. It draws from numbers of its own, so that a seed has
// the faults that it had without them.
func stops(seed uint64, bursts []Burst) (all []Stop) {
	d := drawer{rand.New(rand.NewPCG(seed, 0xac7))}
	if d.IntN(2) == 0 {
		return nil
	}
	var names [][]string
	for _, b := range bursts {
		for _, line := range b.Lines {
			names = append(names, named.FindAllStringSubmatch(line, -1)...)
		}
	}
	for range 1 + d.IntN(3) {
		s := Stop{At: d.between(time.Second, window), For: d.between(time.Second, 9*time.Second), Scope: d.word("fleet", "fleet", "merchant:eg-main", "merchant:br-main", "")}
		if name := names[d.IntN(len(names))]; s.Scope == "" {
			s.Scope = strings.NewReplacer("tradeNo", "payout:", "batchId", "batch:").Replace(name[1]) + name[2]
		}
		all = append(all, s)
	}
	return cancels(seed, names, all)
}

// cancels has a person cancel a batch in every third of these seeds.
func cancels(seed uint64, names [][]string, all []Stop) []Stop {
	d := drawer{rand.New(rand.NewPCG(seed, 0xca7ce1))}
	var batches []string
	for _, name := range names {
		if name[1] == "batchId" {
			batches = append(batches, "batch:"+name[2])
		}
	}
	if d.IntN(3) > 0 || len(batches) == 0 {
		return all
	}
	return append(all, Stop{At: d.between(time.Second, window), Scope: batches[d.IntN(len(batches))], Cancels: true})
}

// silenced is a pause as it was heard: from its acknowledgement on, until somebody began to lift it. A cancellation
// has no end.
type silenced struct {
	scope    acts.Scope
	cancels  bool
	from, to time.Time
}

// obey has people say what the plan has for them. Their own way to Kafka never fails, but Kafka may.
func (w *world) obey(n int, s Stop) {
	scope, err := acts.ParseScope(s.Scope)
	if err != nil {
		w.problem("%v", err)
		return
	}
	w.until(s.At)
	if s.Cancels {
		w.cancel(n, scope)
		return
	}
	id := fmt.Sprintf("pause-%d", n)
	if !w.say(acts.Action{ID: id, Kind: acts.Pause, Scope: scope}) {
		return
	}
	heard := silenced{scope: scope, from: time.Now()}
	w.until(s.At + s.For)
	heard.to = time.Now()
	w.hears(heard)
	w.say(acts.Action{ID: fmt.Sprintf("resume-%d", n), Kind: acts.Resume, Scope: scope, Lifts: []string{id}})
}

// cancel cancels a batch for ever.
func (w *world) cancel(n int, scope acts.Scope) {
	if w.say(acts.Action{ID: fmt.Sprintf("cancel-%d", n), Kind: acts.Cancel, Scope: scope}) {
		w.hears(silenced{scope: scope, cancels: true, from: time.Now(), to: epoch.Add(denial)})
	}
}

func (w *world) hears(s silenced) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.silenced = append(w.silenced, s)
}

// say has an action acknowledged, unless the world ends before.
func (w *world) say(a acts.Action) bool {
	a.By, a.Reason, a.Time = "a person", "simulated", time.Now()
	r, err := acts.Write(a, secrets.Secret{})
	if err == nil {
		_, err = actions.Write(w.ctx, w.broker.client, trial.DefaultTopics.Actions, r)
	}
	if err != nil && w.ctx.Err() == nil {
		w.problem("%s %s: %v", a.Kind, a.Scope, err)
	}
	return err == nil && context.Cause(w.ctx) == nil
}

// covers tells whether a pause is about a payout.
func (s silenced) covers(merchant, batchID, tradeNo string) bool {
	switch s.scope.Kind {
	case acts.Merchant:
		return s.scope.Name == merchant
	case acts.Batch:
		return s.scope.Name == batchID
	case acts.Payout:
		return s.scope.Name == tradeNo
	default:
		return true
	}
}

// way is how long a request may be on its way to the provider: what the link delays, and connecting.
const way = 4 * slowest

// people: what a person is said to have ended, a person has cancelled.
func (o *oracle) people(tradeNo string) {
	r, ended := o.final(tradeNo)
	if !ended || r.event.By == "" {
		return
	}
	for _, s := range o.silenced {
		if s.cancels && s.covers(o.expected.TradeNos[tradeNo], o.expected.Commands[tradeNo].BatchID, tradeNo) {
			return
		}
	}
	o.violated(silent, tradeNo, "the result says %s by %s, and nobody has cancelled it", r.event.Type, r.event.By)
}

// silence: no send of what is paused begins later than the staleness after the acknowledgement.
func (o *oracle) silence() {
	for _, c := range o.calls {
		if !c.placement {
			continue
		}
		for _, s := range o.silenced {
			late := c.at.After(s.from.Add(staleness+way)) && c.at.Before(s.to)
			if late && s.covers(o.expected.TradeNos[c.tradeNo], o.expected.Commands[c.tradeNo].BatchID, c.tradeNo) {
				o.violated(silent, c.tradeNo, "%s sent it at %s, and %s is paused since %s, until %s", c.instance, since(c.at), s.scope, since(s.from), since(s.to))
			}
		}
	}
}
