package simulation

import (
	"disburser/message"
	"fmt"
	"slices"
	"strings"
	"time"
)

// mostTraced bounds how many payouts a trace tells about: the first ones tell enough.
const mostTraced = 3

// moment is one line of a trace.
type moment struct {
	at   time.Time
	text string
}

// trace tells the faults in order, and of each payout with a broken promise all that
// anybody knew about it.
func (w *world) trace(o *oracle, violations []Violation) string {
	var s strings.Builder
	fmt.Fprintf(&s, "seed %d, no_record.then %s, %d instances, %d shards\nfaults:\n", w.plan.Seed, w.plan.Then, w.plan.Slots, w.plan.Shards)
	for _, f := range w.plan.Faults {
		fmt.Fprintf(&s, "  %v\n", f)
	}
	fmt.Fprintf(&s, "people, with a key %v, two people for %v:\n", w.plan.Key, w.plan.TwoPeople)
	for n, p := range w.plan.Words {
		fmt.Fprintf(&s, "  a%d %v\n", n, p)
	}
	var told []string
	for _, v := range violations {
		if v.TradeNo == "" || slices.Contains(told, v.TradeNo) || len(told) == mostTraced {
			continue
		}
		told = append(told, v.TradeNo)
		fmt.Fprintf(&s, "what happened to %s (expected for %s):\n", v.TradeNo, o.expected.TradeNos[v.TradeNo])
		writeMoments(&s, append(w.story(o, v.TradeNo), w.weather(o)...))
	}
	if len(told) == 0 {
		fmt.Fprintf(&s, "what happened:\n")
		writeMoments(&s, w.weather(o))
	}
	return s.String()
}

func writeMoments(s *strings.Builder, all []moment) {
	slices.SortStableFunc(all, func(a, b moment) int { return a.at.Compare(b.at) })
	for _, m := range all {
		fmt.Fprintf(s, "  %-10s %s\n", since(m.at), m.text)
	}
}

// story is what Kafka, the provider and the logs know of one payout.
func (w *world) story(o *oracle, tradeNo string) (all []moment) {
	for _, c := range o.commands {
		if slices.Contains(c.tradeNos, tradeNo) {
			all = append(all, moment{c.at, fmt.Sprintf("kafka     command at partition %d, offset %d", c.partition, c.offset)})
		}
	}
	for _, d := range o.decisions {
		if slices.Contains(d.TradeNos, tradeNo) {
			all = append(all, moment{d.at, fmt.Sprintf("kafka     decision %s by %s, epoch %d %s, partition %d, offset %d, valid %v", d.Kind, d.Instance, d.Epoch.Number, d.Epoch.ID, d.partition, d.offset, d.valid)})
		}
	}
	for _, a := range o.sayings {
		if o.covered(a.Scope, tradeNo) {
			all = append(all, moment{a.began, fmt.Sprintf("people    %s, it counts from %s, confirmed by %q", a, since(a.complete), a.confirmedBy)})
		}
	}
	for _, e := range o.outcomes {
		if e.TradeNo == tradeNo {
			all = append(all, moment{e.at, fmt.Sprintf("kafka     outcome of %s: %s", e.Action, e)})
		}
	}
	for _, r := range o.results[tradeNo] {
		all = append(all, moment{r.at, fmt.Sprintf("kafka     result %s, id %s, sends %d, asks %d: %s", r.event.Type, r.id, r.event.Sends, r.event.Asks, r.event.Reason)})
	}
	for _, c := range o.calls {
		if c.tradeNo == tradeNo {
			what := "asked by"
			if c.placement {
				what = "PLACED by"
			}
			all = append(all, moment{c.at, fmt.Sprintf("provider  %s %s", what, c.instance)})
		}
	}
	for _, x := range entry(o.ledger, o.expected.TradeNos[tradeNo], tradeNo).Executions {
		all = append(all, moment{x.At, fmt.Sprintf("provider  EXECUTED, status %s, pays %s, settles at %s", x.Status, x.PaidAmount, since(x.SettledAt))})
	}
	return append(all, w.logged(`"`+tradeNo+`"`)...)
}

// weather is what concerns all payouts: faults, epochs and lives.
func (w *world) weather(o *oracle) (all []moment) {
	for _, f := range w.plan.Faults {
		all = append(all, moment{epoch.Add(f.At), "FAULT     " + f.String()})
	}
	for _, d := range o.decisions {
		if d.Kind == message.KindFence || d.Kind == message.KindOpen {
			all = append(all, moment{d.at, fmt.Sprintf("kafka     %s of epoch %d %s by %s, partition %d, offset %d", d.Kind, d.Epoch.Number, d.Epoch.ID, d.Instance, d.partition, d.offset)})
		}
	}
	return append(all, w.logged(`poch`, `"panic"`, `"stopp`, `partitions assigned`)...)
}

// logged are the log lines that contain one of the texts.
func (w *world) logged(texts ...string) (all []moment) {
	w.log.mu.Lock()
	defer w.log.mu.Unlock()
	for _, l := range w.log.lines {
		for _, t := range texts {
			if strings.Contains(l.text, t) {
				all = append(all, moment{l.at, "log " + l.instance + "  " + l.text})
				break
			}
		}
	}
	return all
}
