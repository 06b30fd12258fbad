package simulation

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"disburser/internal/trial"
	"disburser/message"
	"disburser/payout/money"
	"disburser/paypro/paysim"
)

// Violation is a promise that was not kept.
type Violation struct {
	Promise string
	TradeNo string // "" = about no single one
	Text    string
}

// String is the violation in one line.
func (v Violation) String() string {
	if v.TradeNo == "" {
		return v.Promise + ": " + v.Text
	}
	return v.Promise + ": " + v.TradeNo + ": " + v.Text
}

// The promises.
const (
	once      = "at most one execution per tradeNo"
	ending    = "one final event or a visible hold per command"
	safeMark  = "committed offsets never pass an open payout"
	decided   = "no send without an acknowledged decision"
	forward   = "repeats share their id, states only move forward"
	inRate    = "sends within the limit in every window"
	honest    = "the results say what the ledger says"
	reasoned  = "whoever is held is held for a reason"
	silent    = "nothing is sent that a person has paused"
	theirs    = "what a person ends, a person has ended, and nothing of it is sent afterwards"
	evident   = "no person's word goes against the provider's"
	reported  = "each action has one outcome, in time, and it is true"
	lively    = "all becomes quiet, and the program behaves as a process"
	perSecond = 1.02*sendRate + sendBurst
)

// oracle judges a world by its evidence.
type oracle struct {
	*evidence
	expected trial.Expected
	calls    []call
	commits  []commit
	sayings  []saying
	silenced []silenced
	talking  bool // people still say something
	sim      *paysim.Sim
	ledger   paysim.Ledger
	plan     Plan
	hearing  *hearing
	hidden   func(time.Time) bool // whether what was accepted then is denied for ever

	violations []Violation
}

func (o *oracle) violated(promise, tradeNo, format string, args ...any) {
	o.violations = append(o.violations, Violation{promise, tradeNo, fmt.Sprintf(format, args...)})
}

func (o *oracle) judge() []Violation {
	for _, tradeNo := range slices.Sorted(maps.Keys(o.expected.TradeNos)) {
		o.endings(tradeNo)
		o.order(tradeNo)
		o.honesty(tradeNo)
		o.person(tradeNo)
		o.holds(tradeNo)
	}
	o.actions()
	o.executions()
	o.letterCount()
	o.marks()
	o.sends()
	o.silence()
	for merchant, no := range accounts {
		if n := paysim.Busiest(o.sim.Arrivals(no), time.Second); float64(n) > perSecond {
			o.violated(inRate, "", "%s was sent %d in a second, allowed are %.1f", merchant, n, perSecond)
		}
	}
	return o.violations
}

// pending lists why the world isn't quiet yet.
func (o *oracle) pending() (why []string) {
	for tradeNo, merchant := range o.expected.TradeNos {
		if _, final := o.final(tradeNo); final {
			continue
		}
		switch {
		case !o.held(tradeNo):
			why = append(why, tradeNo+" has no event")
		case o.known(entry(o.ledger, merchant, tradeNo)):
			why = append(why, tradeNo+" is held, and the provider knows how it ended")
		}
	}
	if o.talking {
		why = append(why, "people still say something")
	}
	for _, s := range o.sayings {
		if missing := o.missing(s); s.wantsOutcome() && len(missing) > 0 {
			why = append(why, fmt.Sprintf("%s has no outcome about %v", s, missing))
		}
	}
	why = append(why, o.behind()...)
	if len(o.letters) < o.expected.Letters {
		why = append(why, fmt.Sprintf("%d dead letters of %d", len(o.letters), o.expected.Letters))
	}
	slices.Sort(why)
	return why
}

// known tells that asking the provider gives an outcome.
func (o *oracle) known(e paysim.Entry) bool {
	if len(e.Executions) == 0 || o.hidden(e.Executions[len(e.Executions)-1].At) {
		return false
	}
	return e.Outcome == "paid" || e.Outcome == "partial" || e.Outcome == "failed"
}

func (o *oracle) executions() {
	for _, e := range o.ledger.Entries {
		if n := len(e.Executions); n > 1 {
			o.violated(once, e.TradeNo, "executed %d times, paid %d times", n, e.Paid())
		}
		if e.Changed > 0 {
			o.violated(once, e.TradeNo, "sent again with other content")
		}
		if _, ordered := o.expected.TradeNos[e.TradeNo]; !ordered {
			o.violated(honest, e.TradeNo, "at the provider, but nobody ordered it")
		}
	}
	for tradeNo := range o.results {
		if _, ordered := o.expected.TradeNos[tradeNo]; !ordered {
			o.violated(honest, tradeNo, "a result, but nobody ordered it")
		}
	}
}

func (o *oracle) endings(tradeNo string) {
	finals := map[string]bool{}
	for _, r := range o.results[tradeNo] {
		if r.event.Type != message.EventHeld {
			finals[r.id] = true
		}
	}
	if len(finals) > 1 {
		o.violated(ending, tradeNo, "%d different final events", len(finals))
	}
	if len(o.results[tradeNo]) == 0 {
		o.violated(ending, tradeNo, "no event at all")
	}
}

func (o *oracle) letterCount() {
	have := map[message.Code]int{}
	for _, code := range o.letters {
		have[code]++
	}
	if !maps.Equal(have, o.expected.Codes) {
		o.violated(ending, "", "dead letters %v, due are %v", have, o.expected.Codes)
	}
}

// order: what is new after a final event contradicts it; an old event may come again.
func (o *oracle) order(tradeNo string) {
	kinds, ended := map[string]message.EventType{}, false
	for _, r := range o.results[tradeNo] {
		kind, seen := kinds[r.id]
		switch {
		case r.id == "" || r.id != r.event.EventID:
			o.violated(forward, tradeNo, "ce_id %q, eventId %q", r.id, r.event.EventID)
		case seen && kind != r.event.Type:
			o.violated(forward, tradeNo, "the id of %s came again with %s", kind, r.event.Type)
		case !seen && ended:
			o.violated(forward, tradeNo, "%s came after a final event", r.event.Type)
		}
		kinds[r.id] = r.event.Type
		ended = ended || r.event.Type != message.EventHeld
	}
}

// honesty compares the first final event with the ledger.
func (o *oracle) honesty(tradeNo string) {
	r, ended := o.final(tradeNo)
	if !ended || r.event.By != "" && r.event.Type != message.EventRejected { // see word
		return
	}
	e, ordered := entry(o.ledger, o.expected.TradeNos[tradeNo], tradeNo), o.expected.Commands[tradeNo]
	switch r.event.Type {
	case message.EventPaid, message.EventPartial:
		if e.Paid() != 1 || "payout."+e.Outcome != string(r.event.Type) {
			o.violated(honest, tradeNo, "the result says %s, the provider %q, paid %d times", r.event.Type, e.Outcome, e.Paid())
		} else if !same(e.Executions[0].PaidAmount, r.event.PaidAmount) || !same(e.Amount, ordered.Amount.String()) {
			o.violated(honest, tradeNo, "ordered %v, the result says %q, the provider paid %s", ordered.Amount, r.event.PaidAmount, e.Executions[0].PaidAmount)
		}
	case message.EventFailed:
		if e.Paid() > 0 || len(e.Executions) > 0 && e.Outcome == "" {
			o.violated(honest, tradeNo, "the result says failed, the provider %q, paid %d times", e.Outcome, e.Paid())
		}
	case message.EventRejected:
		if e.Placements > 0 {
			o.violated(honest, tradeNo, "the result says rejected, it was sent %d times", e.Placements)
		}
	case message.EventHeld:
	}
}

// holds: each one costs a person's time, so something that really happened must explain it.
func (o *oracle) holds(tradeNo string) {
	e := entry(o.ledger, o.expected.TradeNos[tradeNo], tradeNo)
	for n, r := range o.results[tradeNo] {
		if r.event.Type == message.EventHeld && !o.explained(tradeNo, r, n > 0, e) {
			o.violated(reasoned, tradeNo, "held at %s, sends %d, first sent %q, placed %d times, though %s", since(r.at), r.event.Sends, r.event.SentAt, e.Placements, r.event.Reason)
		}
	}
}

func (o *oracle) explained(tradeNo string, r result, again bool, e paysim.Entry) bool {
	sent, err := time.Parse(time.RFC3339, r.event.SentAt)
	old := err == nil && r.at.Sub(sent) >= giveUp-time.Second
	switch because := func(text string) bool { return strings.HasPrefix(r.event.Reason, text) }; {
	case because("no outcome within"):
		return old
	case because("it may have been sent"):
		if o.plan.Then == "resend" { // then it is sent again, as long as it isn't too old
			return old
		}
		return !o.onlyWipes() || o.inFlight(tradeNo, r.at) || o.unheard(tradeNo)
	case because("the provider"): // has shown, had acknowledged, answers with
		return e.Placements > 0
	case because("expiresAt passed"):
		return !o.expected.Commands[tradeNo].ExpiresAt.IsZero() && (o.decidedBefore(tradeNo, r.at) || o.undecided(r))
	case because("its command is older"): // nothing is trimmed here
		return o.plan.DedupWindow == shortWindow || again
	case because("cancelled by "): // but it may have been sent before
		return o.mayBeCancelled(tradeNo, r) && (o.decidedBefore(tradeNo, r.at) || o.undecided(r))
	case because("a person had ended it"):
		return o.mayBeResolved(tradeNo, r.at)
	}
	return false
}

// unheard: a send of it was not answered, so that nobody knew whether it had come.
func (o *oracle) unheard(tradeNo string) bool {
	return slices.ContainsFunc(o.calls, func(c call) bool { return c.placement && c.tradeNo == tradeNo && c.answer == noAnswer })
}

// onlyWipes: nothing else than a lost Redis can be the cause.
func (o *oracle) onlyWipes() bool {
	for _, f := range o.plan.Faults {
		if f.Kind != Wipe {
			return false
		}
	}
	return true
}

// inFlight: it was decided, or about to be, when Redis was wiped, and had no end yet.
func (o *oracle) inFlight(tradeNo string, held time.Time) bool {
	for _, f := range o.plan.Faults {
		if wiped := epoch.Add(f.At); held.After(wiped) && o.decidedBefore(tradeNo, wiped.Add(lease)) {
			return true
		}
	}
	return false
}

// undecided: it was leased, and no decision stands in the log, as nobody who goes on with it
// can know. Either it was never given back: then whoever leased it was interrupted before the
// decision. Or it was, for want of an acknowledgement, which takes a fault as well; that
// leaves no time of a send.
func (o *oracle) undecided(r result) bool {
	if r.event.Sends > 0 {
		leased, err := time.Parse(time.RFC3339, r.event.SentAt)
		return err == nil && o.disturbed(leased, leased.Add(lease))
	}
	received, err := time.Parse(time.RFC3339, r.event.ReceivedAt)
	return err == nil && o.disturbed(received, r.at)
}

// disturbed: a fault was at work at some time between, or what it did was: that may last a lease.
func (o *oracle) disturbed(from, to time.Time) bool {
	return slices.ContainsFunc(o.plan.Faults, func(f Fault) bool {
		begins := epoch.Add(f.At)
		return begins.Before(to) && from.Before(begins.Add(f.For+lease))
	})
}

func (o *oracle) decidedBefore(tradeNo string, at time.Time) bool {
	return slices.ContainsFunc(o.decisions, func(d decision) bool {
		return d.Kind == message.KindSend && d.at.Before(at) && slices.Contains(d.TradeNos, tradeNo)
	})
}

// same compares amounts by value.
func same(a, b string) bool {
	x, errX := money.Parse(a)
	y, errY := money.Parse(b)
	return errX == nil && errY == nil && x.Compare(y) == 0
}

// sends checks that each placement of an instance has a valid decision of that instance. It had
// heard that the decision is written before it sent. Two placements need two decisions.
func (o *oracle) sends() {
	type mine struct{ instance, tradeNo string }
	times := map[mine][]time.Time{}
	for _, d := range o.decisions {
		heard, acknowledged := o.hearing.when(d.Instance, d.partition, d.offset)
		if d.Kind == message.KindSend && d.valid && acknowledged {
			for _, tradeNo := range d.TradeNos {
				times[mine{d.Instance, tradeNo}] = append(times[mine{d.Instance, tradeNo}], heard)
			}
		}
	}
	made := map[mine]int{}
	for _, c := range o.calls {
		if !c.placement {
			continue
		}
		who, before := mine{c.instance, c.tradeNo}, 0
		made[who]++
		for _, at := range times[who] {
			if !at.After(c.at) {
				before++
			}
		}
		if before < made[who] {
			o.violated(decided, c.tradeNo, "%s sent it at %s, its send number %d, with %d valid decisions acknowledged before", c.instance, since(c.at), made[who], before)
		}
	}
}

// since writes a time as the trace does.
func since(t time.Time) string { return fmt.Sprintf("+%.4fs", t.Sub(epoch).Seconds()) }
