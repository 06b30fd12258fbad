package simulation

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"disburser/message"
	"disburser/payout/acts"
)

// claim is how long an instance that has died keeps an action from the others.
const claim = 30 * time.Second

// outcomeOf: an action that is carried out once has one outcome, in time, and it is true.
func (o *oracle) outcomeOf(s saying) {
	if !s.wantsOutcome() {
		return // that it has none is looked at from the outcome's side
	}
	places := o.placesOf(s)
	for _, place := range places {
		o.outcomeAbout(s, place)
	}
	for _, e := range o.outcomesOf(s.ID) {
		switch {
		case !slices.Contains(places, e.place()):
			o.violated(reported, "", "%s has an outcome about %s", s, e.place())
		case o.plan.Key != e.signed:
			o.violated(reported, "", "%s has an outcome that is signed: %v", s, e.signed)
		}
	}
}

// outcomeAbout: of a batch's action each shard has an outcome of its own.
func (o *oracle) outcomeAbout(s saying, place string) {
	all := slices.DeleteFunc(o.outcomesOf(s.ID), func(e outcome) bool { return e.place() != place })
	if len(all) == 0 {
		o.violated(reported, "", "%s has no outcome about %s", s, place)
		return
	}
	first := all[0]
	for _, e := range all {
		if e.ID != first.ID || e.Result != first.Result || e.certain() != first.certain() {
			o.violated(reported, "", "%s has two outcomes about %s: %s at %s and %s at %s", s, place, first, since(first.at), e, since(e.at))
		}
	}
	if due := o.due(s); first.at.After(due) {
		o.violated(reported, "", "%s has its outcome about %s at %s, due was %s", s, place, since(first.at), since(due))
	}
	o.truth(s, first)
}

// String tells an outcome in a violation.
func (o outcome) String() string {
	text := o.Result
	if !o.certain() {
		text += ", not certain"
	}
	return text + " (" + o.Detail + ")"
}

// placesOf are what its outcomes are about.
func (o *oracle) placesOf(s saying) (places []string) {
	if s.Scope.Kind != acts.Batch {
		return []string{"payout:" + s.Scope.Name}
	}
	for shard := range o.plan.Shards {
		if shard == 0 || s.Lasts >= 0 { // what has no time at all, shard 0 refuses
			places = append(places, fmt.Sprint("shard:", shard))
		}
	}
	return places
}

// missing lists what its outcomes are still to be about.
func (o *oracle) missing(s saying) []string {
	return slices.DeleteFunc(o.placesOf(s), func(place string) bool {
		return slices.ContainsFunc(o.outcomesOf(s.ID), func(e outcome) bool { return e.place() == place })
	})
}

// due is when its outcome must stand: its time is over, whoever died has lost it, and all that went wrong is over.
func (o *oracle) due(s saying) time.Time {
	from := s.acknowledged
	if calm := epoch.Add(calm); calm.After(from) {
		from = calm
	}
	for _, d := range o.decisions {
		if d.Kind == message.KindOpen && d.at.After(from) {
			from = d.at
		}
	}
	if over := s.acknowledged.Add(s.lasts()); over.After(from) {
		from = over
	}
	return from.Add(claim + lease)
}

// lasts is for how long it may be carried out.
func (s saying) lasts() time.Duration {
	switch {
	case s.Lasts != 0:
		return s.Lasts
	case s.needs > 1:
		return acts.LastsOfTwo
	}
	return acts.LastsAlone
}

// truth: what an outcome says is so.
func (o *oracle) truth(s saying, e outcome) {
	ended := false
	for _, end := range o.endsOf("") {
		ended = ended || end.action == s.ID
	}
	lie := ""
	switch {
	case e.Result == "done" && !s.counts(e.at):
		lie = "it doesn't count then"
	case e.Result == "done":
		lie = o.done(s, e)
	case !e.certain():
		if e.Result != "expired" || !o.begunAfter(s.began, e.at) {
			lie = "the journal was not lost meanwhile"
		}
	case ended:
		lie = "a valid decision bears the action"
	case o.bears(s):
		lie = "a result bears it"
	case e.Result == "expired" && s.Lasts >= 0 && e.at.Before(s.began.Add(s.lasts())):
		lie = "its time isn't over"
	case e.Result == "expired" && s.Lasts < 0:
		lie = "its deadline was before its time"
	}
	if lie != "" {
		o.violated(reported, s.payout(), "the outcome of %s at %s is %s, but %s", s, since(e.at), e, lie)
	}
}

// payout is the tradeNo that it is about, if any.
func (s saying) payout() string {
	if s.Scope.Kind == acts.Payout {
		return s.Scope.Name
	}
	return ""
}

// done says what is missing for an action that is said to be done.
func (o *oracle) done(s saying, e outcome) string {
	tradeNo := s.payout()
	r, ended := o.final(tradeNo)
	switch {
	case tradeNo == "": // of a batch, see silence
		return ""
	case s.Kind == acts.Resolve && (!ended || string(r.event.Type) != "payout."+string(s.As)):
		return "the result says " + string(r.event.Type)
	case ended && r.event.By == s.By && !o.decidedBy(s, tradeNo, e.at):
		return "that wasn't decided yet"
	case s.Kind == acts.Cancel:
		o.sentAfter(tradeNo, e.at, s)
		if !o.bears(s) {
			return "nothing that was announced bears it"
		}
	case s.Kind == acts.Ask && e.Evidence == nil && !strings.Contains(e.Detail, "decided before"):
		return "it names no answer"
	case s.Kind == acts.Ask && e.Evidence != nil && e.Evidence.Finding != noAnswer:
		if !o.heard(personsEnd{tradeNo: tradeNo, finding: e.Evidence.Finding, judged: e.Evidence.At}) || e.Evidence.At.Before(s.began.Add(-slack)) {
			return "the provider was not asked then"
		}
	}
	return ""
}

// bears tells that something announced says that it came of the action: an end, or a hold of what was cancelled.
func (o *oracle) bears(s saying) bool {
	for _, all := range o.results {
		for _, r := range all {
			if r.event.By == s.By || r.event.Type == message.EventHeld && s.cancelled(r) {
				return true
			}
		}
	}
	return false
}

// cancelled tells that a hold names it as the reason.
func (s saying) cancelled(r result) bool {
	why, names := strings.CutPrefix(r.event.Reason, "cancelled by "+s.By)
	return names && (strings.HasPrefix(why, ":") || strings.HasPrefix(why, ","))
}

// begunAfter: an epoch began between two moments.
func (o *oracle) begunAfter(from, to time.Time) bool {
	for _, d := range o.decisions {
		if d.Kind == message.KindFence && d.at.After(from) && d.at.Before(to) {
			return true
		}
	}
	return false
}
