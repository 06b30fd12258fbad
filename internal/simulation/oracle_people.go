package simulation

import (
	"fmt"
	"slices"
	"time"

	"disburser/message"
	"disburser/payout/acts"
)

// tell brings the oracle up to date with what people have said.
func (c *crowd) tell(o *oracle) {
	c.mu.Lock()
	defer c.mu.Unlock()
	o.sayings, o.silenced, o.talking = o.sayings[:0], o.silenced[:0], !c.over
	for _, s := range c.sayings {
		o.sayings = append(o.sayings, *s)
	}
	for _, s := range c.silenced {
		o.silenced = append(o.silenced, *s)
	}
}

// String names an action in a violation.
func (s saying) String() string {
	text := fmt.Sprintf("%s (%s %s", s.ID, s.Kind, s.Scope)
	if s.As != "" {
		text += fmt.Sprintf(" as %s", s.As)
	}
	if s.Force {
		text += ", forced"
	}
	return text + ")"
}

// wantsOutcome tells whether its outcome must come. A batch's cancel never expires: it waits for ever to be confirmed.
func (s saying) wantsOutcome() bool {
	waits := s.Kind == acts.Cancel && s.Scope.Kind == acts.Batch && s.Lasts >= 0 && s.completed.IsZero()
	return s.obeyed && s.IsOneShot() && !s.acknowledged.IsZero() && !waits
}

// counts tells whether it may have been carried out by a moment: as many people as it needs had begun to say it.
func (s saying) counts(by time.Time) bool {
	return s.obeyed && s.Lasts >= 0 && !s.complete.IsZero() && !s.complete.After(by)
}

func (o *oracle) saying(match func(saying) bool) (saying, bool) {
	i := slices.IndexFunc(o.sayings, match)
	if i < 0 {
		return saying{}, false
	}
	return o.sayings[i], true
}

func (o *oracle) outcomesOf(id string) (all []outcome) {
	for _, e := range o.outcomes {
		if e.Action == id {
			all = append(all, e)
		}
	}
	return all
}

// covers tells whether a scope is about a payout.
func covers(s acts.Scope, merchant, batchID, tradeNo string) bool {
	switch s.Kind {
	case acts.Merchant:
		return s.Name == merchant
	case acts.Batch:
		return s.Name == batchID
	case acts.Payout:
		return s.Name == tradeNo
	default:
		return true
	}
}

func (o *oracle) covered(s acts.Scope, tradeNo string) bool {
	return covers(s, o.expected.TradeNos[tradeNo], o.expected.Commands[tradeNo].BatchID, tradeNo)
}

// way is how long a request may be on its way to the provider: what the link delays, and connecting.
const way = 4 * slowest

// silence: no send of what is paused begins later than the staleness after the acknowledgement. A payout's cancel
// stops it until its outcome stands, and so does that of a batch if it is refused.
func (o *oracle) silence() {
	for _, s := range o.silenced {
		until := s.to
		for _, e := range o.outcomesOf(s.id) {
			if s.cancels && (s.scope.Kind == acts.Payout || e.Result == "refused") && e.at.Before(until) {
				until = e.at
			}
		}
		for _, c := range o.calls {
			late := c.placement && c.at.After(s.from.Add(staleness+way)) && c.at.Before(until)
			if late && o.covered(s.scope, c.tradeNo) {
				o.violated(silent, c.tradeNo, "%s sent it at %s, and %s is stopped by %s since %s, until %s", c.instance, since(c.at), s.scope, s.id, since(s.from), since(until))
			}
		}
	}
}

// person: what is said to have been ended by a person was ended by what that person said of it.
func (o *oracle) person(tradeNo string) {
	r, ended := o.final(tradeNo)
	if !ended || r.event.By == "" {
		return
	}
	s, known := o.saying(func(s saying) bool { return s.By == r.event.By })
	rejects := r.event.Type == message.EventRejected
	switch {
	case !known || !o.covered(s.Scope, tradeNo):
		o.violated(theirs, tradeNo, "the result says %s by %s, who has said nothing of it", r.event.Type, r.event.By)
	case !s.counts(r.at) || s.confirmedBy != r.event.ConfirmedBy:
		o.violated(theirs, tradeNo, "the result says %s by %s, confirmed by %q, and %s doesn't count then", r.event.Type, r.event.By, r.event.ConfirmedBy, s)
	case s.Kind != acts.Cancel && s.Kind != acts.Resolve, rejects != (s.Kind == acts.Cancel), !rejects && r.event.Type != "payout."+message.EventType(s.As):
		o.violated(theirs, tradeNo, "the result says %s by %s, and that was %s", r.event.Type, r.event.By, s)
	case !o.decidedBy(s, tradeNo, r.at):
		o.violated(theirs, tradeNo, "the result says %s by %s at %s, and no valid decision has said so before", r.event.Type, r.event.By, since(r.at))
	}
}

// personsEnd is an end by a person, as a valid decision says it.
type personsEnd struct {
	tradeNo, state, action string
	finding                string // of a resolve: by what it was judged
	judged                 time.Time
	decided                time.Time
	epoch                  string // its id
}

// endsOf are the ends of a payout by people; of all payouts without a tradeNo.
func (o *oracle) endsOf(tradeNo string) (all []personsEnd) {
	for _, d := range o.decisions {
		if !d.valid || d.Kind != message.KindFinal && d.Kind != message.KindResolved {
			continue
		}
		for i, name := range d.TradeNos {
			_, _, action := d.Person(i)
			if action == "" || tradeNo != "" && name != tradeNo {
				continue
			}
			e := personsEnd{tradeNo: name, action: action, decided: d.at, epoch: d.Epoch.ID}
			if i < len(d.States) {
				e.state = d.States[i]
			}
			if i < len(d.Evidence) {
				e.finding, e.judged = d.Evidence[i].Finding, d.Evidence[i].At
			}
			all = append(all, e)
		}
	}
	return all
}

// decidedBy: a valid decision had said by a moment that an action ends a payout.
func (o *oracle) decidedBy(s saying, tradeNo string, at time.Time) bool {
	return slices.ContainsFunc(o.endsOf(tradeNo), func(e personsEnd) bool { return e.action == s.ID && !e.decided.After(at) })
}

// actions judges what became of what people have said.
func (o *oracle) actions() {
	by := map[string]personsEnd{} // the end of each payout
	for _, e := range o.endsOf("") {
		if before, known := by[e.tradeNo]; known && (before.action != e.action || before.state != e.state) {
			o.violated(theirs, e.tradeNo, "%s by %s is decided, and %s by %s too", before.state, before.action, e.state, e.action)
		}
		by[e.tradeNo] = e
		o.end(e)
	}
	for _, s := range o.sayings {
		o.outcomeOf(s)
	}
	for _, e := range o.outcomes {
		if _, known := o.saying(func(s saying) bool { return s.ID == e.Action && s.wantsOutcome() }); !known {
			o.violated(reported, "", "an outcome of %q, and nobody is to carry that out", e.Action)
		}
	}
}

// end: what a decision says that a person has ended, that person has; the provider's answer allows it; and nothing
// of it is sent afterwards.
func (o *oracle) end(e personsEnd) {
	s, known := o.saying(func(s saying) bool { return s.ID == e.action })
	if !known || !s.counts(e.decided) || !o.covered(s.Scope, e.tradeNo) {
		o.violated(theirs, e.tradeNo, "%s by the action %q is decided at %s, which doesn't count then", e.state, e.action, since(e.decided))
		return
	}
	if r, ended := o.final(e.tradeNo); !ended || string(r.event.Type) != "payout."+e.state {
		o.violated(theirs, e.tradeNo, "%s by %s is decided, and the result says %q", e.state, s, r.event.Type)
	}
	o.inItsEpoch(e, s)
	o.sentAfter(e.tradeNo, e.decided, s)
	if s.Kind == acts.Resolve {
		o.word(e, s)
	}
}

// inItsEpoch: what was recorded before an epoch began isn't carried out in it. A batch's cancel is.
func (o *oracle) inItsEpoch(e personsEnd, s saying) {
	before := func(other personsEnd) bool { return other.action == e.action && other.decided.Before(e.decided) }
	if s.Scope.Kind == acts.Batch || s.completed.IsZero() || slices.ContainsFunc(o.endsOf(e.tradeNo), before) {
		return // an end that was decided before may be decided again
	}
	if began := o.begun(e.epoch); began.After(s.completed) {
		o.violated(reported, e.tradeNo, "%s counts since %s, and was carried out in an epoch that began at %s", s, since(s.completed), since(began))
	}
}

// begun is when an epoch began: its first fence.
func (o *oracle) begun(id string) (first time.Time) {
	for _, d := range o.decisions {
		if d.Kind == message.KindFence && d.Epoch.ID == id && (first.IsZero() || d.at.Before(first)) {
			first = d.at
		}
	}
	return first
}

func (o *oracle) sentAfter(tradeNo string, at time.Time, s saying) {
	for _, c := range o.calls {
		if c.placement && c.tradeNo == tradeNo && c.at.After(at.Add(way)) {
			o.violated(theirs, tradeNo, "%s sent it at %s, and %s was carried out at %s", c.instance, since(c.at), s, since(at))
		}
	}
}

// word: the table of docs/design.md, "When a person ends a payout", against what the provider answered.
func (o *oracle) word(e personsEnd, s saying) {
	allowed := e.finding == e.state
	switch e.finding {
	case noAnswer, saysSomething:
		allowed = s.Force
	case noRecord:
		allowed = s.As == acts.Failed && (s.Force || o.absent(e))
	}
	if !allowed || e.state != string(s.As) {
		o.violated(evident, e.tradeNo, "%s by %s, and the answer was %q", e.state, s, e.finding)
	}
	if !o.heard(e) {
		o.violated(evident, e.tradeNo, "%s by %s, judged at %s by %q, and the provider gave no such answer then", e.state, s, since(e.judged), e.finding)
	}
}

// needed are the absences of the configuration, and the one that is judged by.
const needed = absences + 1

// absent: the provider has denied the payout often enough, and never shown or acknowledged it.
func (o *oracle) absent(e personsEnd) bool {
	denied := 0
	for _, c := range o.calls {
		if c.tradeNo != e.tradeNo || c.at.After(e.judged.Add(slack)) {
			continue
		}
		switch {
		case c.answered.IsZero() || c.answer == noAnswer || c.placement && (c.answer == noRecord || c.answer == saysFailed): // a refusal
		case c.answer == noRecord:
			denied++
		default:
			return o.unsettled(c.answered)
		}
	}
	return denied >= needed
}

// slack is how far the moment of a judgement may be from that of its answer.
const slack = 500 * time.Millisecond

// asking is how long before the moment of a judgement its ask was made at most. Another ask may follow it, about a payout
// that the provider knows.
const asking = 2*timeout + slack

// heard: the provider gave such an answer right before the moment of the judgement. That there was none is true
// too if it came late, or somewhere in between got lost. And "no record" is none as long as nothing shows that the
// provider serves the merchant.
func (o *oracle) heard(e personsEnd) bool {
	clear := false
	for _, c := range o.calls {
		at := e.judged.Sub(c.at)
		if c.placement || c.tradeNo != e.tradeNo || at < -slack || at > asking {
			continue
		}
		late := c.answered.IsZero() || c.answered.Sub(c.at) > timeout-slack
		if c.answer == e.finding || e.finding == noAnswer && (late || c.answer == noRecord && !o.served(e)) {
			return true
		}
		clear = true
	}
	return e.finding == noAnswer && (!clear || o.unsettled(e.judged))
}

// served: right before the moment of a judgement the provider has shown another payout of the merchant.
func (o *oracle) served(e personsEnd) bool {
	return slices.ContainsFunc(o.calls, func(c call) bool {
		at := e.judged.Sub(c.at)
		shown := !c.placement && !c.answered.IsZero() && c.answer != noAnswer && c.answer != noRecord && at >= 0 && at <= asking
		return shown && c.tradeNo != e.tradeNo && o.expected.TradeNos[c.tradeNo] == o.expected.TradeNos[e.tradeNo]
	})
}

// unsettled: something went wrong around a moment.
func (o *oracle) unsettled(at time.Time) bool { return o.disturbed(at.Add(-timeout), at.Add(timeout)) }

// mayBeCancelled: a hold says that somebody has cancelled the payout, and somebody has.
func (o *oracle) mayBeCancelled(tradeNo string, r result) bool {
	return slices.ContainsFunc(o.sayings, func(s saying) bool {
		return s.Kind == acts.Cancel && s.counts(r.at) && o.covered(s.Scope, tradeNo) && s.cancelled(r)
	})
}

// mayBeResolved: a hold says that a person had ended it, and somebody wanted to.
func (o *oracle) mayBeResolved(tradeNo string, at time.Time) bool {
	return slices.ContainsFunc(o.sayings, func(s saying) bool {
		return (s.Kind == acts.Resolve || s.Kind == acts.Cancel) && s.counts(at) && o.covered(s.Scope, tradeNo)
	})
}
