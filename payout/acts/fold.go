package acts

import (
	"maps"
	"slices"
)

// Fold gathers records, in the order of their offsets, into what is in force and what is to be done. One goroutine
// uses it.
type Fold struct {
	rules    Rules
	counted  map[counted]struct{}
	standing map[Scope][]Standing
	waiting  map[string]waiting  // resumes, by the action's id
	pending  map[string]*OneShot // by the action's id
	next     int64
	latest   Place // the last action that could be read, whatever became of it
	changed  bool  // what is in force or pending, since the last view
	view     *View // the last one
}

// counted is an id that counts. An untrusted record never takes the place of a trusted one: whoever learns of
// an id early could void the action that is to come.
type counted struct {
	id      string
	trusted bool
}

// waiting is a resume that needs more people than have spoken.
type waiting struct {
	action Action
	people []string
}

// NewFold begins at offset 0, with nothing in force.
func NewFold(rules Rules) *Fold {
	rules.Shards = max(1, rules.Shards)
	return &Fold{
		rules: rules, counted: map[counted]struct{}{}, standing: map[Scope][]Standing{},
		waiting: map[string]waiting{}, pending: map[string]*OneShot{},
	}
}

// Take adds a record, and says what became of it. A record that was taken before changes nothing. The first
// record of an id that can be obeyed counts, and copies are nothing (protocol A1). Otherwise a producer's late
// retry of a resume would lift a newer pause.
func (f *Fold) Take(r Record) (a Action, result Result, why string) {
	a, result, why = Parse(r, f.rules.Keys)
	if r.Offset < f.next {
		return a, Repeated, ""
	}
	f.next = r.Offset + 1
	if a.Kind == Renew && result == Obeyed && a.Generation > f.latest.Generation {
		f.latest.Generation = a.Generation // it is the first of its generation
	} else if a.Kind == Renew && result == Obeyed {
		return a, Void, "the topic is of this generation, or of a later one"
	}
	if result != Unreadable && result != Unknown && a.Kind != Outcome && a.Kind != Stands {
		f.latest.Offset, f.latest.ID = a.Offset, a.ID
	}
	a.Order = orderOf(f.latest.Generation, a.Offset)
	return f.take(a, result, why)
}

// take adds a record that is the next one.
func (f *Fold) take(a Action, result Result, why string) (Action, Result, string) {
	if result != Obeyed {
		return a, result, why
	}
	id := counted{a.ID, a.Trusted}
	if _, known := f.counted[id]; known {
		return a, Repeated, ""
	}
	f.counted[id] = struct{}{}
	switch {
	case a.Kind == Pause:
		f.stand(a, "")
	case a.Kind == Resume:
		if a.Needs = f.rules.needed(a); a.Needs > 1 {
			f.waiting[a.ID], f.changed = waiting{a, []string{a.By}}, true
			return a, Waits, ""
		}
		f.resume(a)
	case a.Kind == Confirm:
		return f.confirm(a)
	case a.Kind == Outcome || a.Kind == Stands:
		return f.hear(id, a)
	case a.IsOneShot():
		return f.begin(a)
	}
	return a, Obeyed, ""
}

func (f *Fold) stand(a Action, confirmedBy string) {
	f.changed = true
	f.standing[a.Scope] = append(slices.Clone(f.standing[a.Scope]), Standing{
		ID: a.ID, Kind: a.Kind, Scope: a.Scope, By: a.By, Reason: a.Reason, Offset: a.Offset, Since: a.Read, Trusted: a.Trusted, ConfirmedBy: confirmedBy,
	})
}

// resume lifts pauses of exactly its scope that stand before it: those that it names, or all. It never lifts a
// cancellation.
func (f *Fold) resume(a Action) {
	f.fall(a.Scope, func(s Standing) bool {
		return s.Kind == Pause && s.Offset < a.Offset && (a.Lifts == nil || slices.Contains(a.Lifts, s.ID))
	})
}

// fall ends what stands in a scope.
func (f *Fold) fall(scope Scope, which func(Standing) bool) {
	f.changed = true
	left := slices.DeleteFunc(slices.Clone(f.standing[scope]), which)
	if f.standing[scope] = left; len(left) == 0 {
		delete(f.standing, scope)
	}
}

// begin has an action pend until its outcome stands. What it cancels isn't sent from here on.
func (f *Fold) begin(a Action) (Action, Result, string) {
	f.changed = true
	o := f.rules.begin(a)
	f.pending[a.ID] = o
	if !o.Complete {
		return a, Waits, ""
	}
	f.complete(*o)
	return a, Obeyed, ""
}

// complete has a cancellation stand from its place on. A batch's stands for ever, a payout's until its outcome
// does (protocol A0).
func (f *Fold) complete(o OneShot) {
	if o.Kind == Cancel && !o.Malformed() {
		a := o.Action
		a.Offset = o.Place
		f.stand(a, o.ConfirmedBy)
	}
}

// confirm adds a person's word to an action that waits for it. Nobody confirms their own action.
func (f *Fold) confirm(a Action) (Action, Result, string) {
	w, resumes := f.waiting[a.Of]
	o, pends := f.pending[a.Of]
	people := w.people
	if pends {
		people = o.people
	}
	switch {
	case !resumes && (!pends || o.Complete):
		return a, Void, "no action waits for it"
	case slices.Contains(people, a.By):
		return a, Void, "the same person has spoken before"
	case pends:
		f.changed = true
		next := o.confirmed(a)
		if f.pending[a.Of] = &next; next.Complete {
			f.complete(next)
		}
		return a, Obeyed, ""
	}
	w.people = append(slices.Clone(w.people), a.By)
	if f.waiting[a.Of] = w; len(w.people) >= w.action.Needs {
		delete(f.waiting, a.Of)
		f.resume(w.action) // by its own offset: it never lifts what came before its confirmation only
	}
	return a, Obeyed, ""
}

// hear takes an instance's word. What is void takes no place: its id is free for the word that counts.
func (f *Fold) hear(id counted, a Action) (heard Action, result Result, why string) {
	if a.Kind == Stands {
		heard, result, why = f.firm(a)
	} else {
		heard, result, why = f.end(a)
	}
	if result == Void {
		delete(f.counted, id)
	}
	return heard, result, why
}

// carriedOut has a batch's cancel stand of which an instance says so. One person was enough for it then, though the
// configuration may ask for two by now. In doubt nothing is sent.
func (f *Fold) carriedOut(o *OneShot) *OneShot {
	if o.Complete || o.Kind != Cancel || o.Scope.Kind != Batch {
		return o
	}
	next := *o
	next.Complete = true
	f.complete(next)
	return &next
}

// end takes the outcome of a pending action. Its result is the outcome's, its kind the action's.
func (f *Fold) end(a Action) (Action, Result, string) {
	o, pends := f.pending[a.Of]
	switch {
	case !pends:
		return a, Void, "no action waits for it"
	case o.Scope.Kind == Payout && a.Ended.TradeNo != o.Scope.Name:
		return a, Void, "its action is about another payout"
	case o.Scope.Kind == Batch && a.Ended.TradeNo != "":
		return a, Void, "its action is about a batch"
	case o.Firm && a.Ended.Result == Refused:
		return a, Void, "payouts of the batch are known, and may have ended by it"
	}
	f.changed = true
	if a.Ended.Result == Done {
		o = f.carriedOut(o)
	}
	next := *o
	if o.Scope.Kind == Batch {
		next.ended = maps.Clone(o.ended)
		if next.ended == nil {
			next.ended = map[int]Ended{}
		}
		next.ended[a.Ended.Shard] = *a.Ended
		f.pending[o.ID] = &next
	}
	if next.over(f.rules.Shards) {
		delete(f.pending, o.ID)
	}
	if o.Kind == Cancel && (o.Scope.Kind == Payout || a.Ended.Result == Refused && a.Ended.Shard == 0) {
		f.fall(o.Scope, func(s Standing) bool { return s.ID == o.ID })
	}
	if o.Kind == Cancel && o.Scope.Kind == Batch && a.Ended.Result == Done && a.Ended.Shard == 0 {
		f.fix(o)
	}
	a.Kind, a.Scope, a.By, a.Reason = o.Kind, o.Scope, o.By, o.Reason
	return a, a.Ended.Result, ""
}

// firm takes the word that a batch's cancel can't be refused any more. If it was refused before, that word is void.
func (f *Fold) firm(a Action) (Action, Result, string) {
	o, pends := f.pending[a.Of]
	if !pends || o.Kind != Cancel || o.Scope.Kind != Batch {
		return a, Void, "no batch's cancel waits for it"
	}
	next := *f.carriedOut(o)
	next.Firm = true
	f.pending[o.ID] = &next
	f.fix(o)
	return a, Obeyed, ""
}

// fix notes of what stands that it can't be refused any more.
func (f *Fold) fix(o *OneShot) {
	all := slices.Clone(f.standing[o.Scope])
	for i := range all {
		if all[i].ID == o.ID {
			all[i].Firm, f.standing[o.Scope], f.changed = true, all, true
		}
	}
}

// over tells that nobody need do anything about it any more.
func (o *OneShot) over(shards int) bool {
	if o.Scope.Kind == Payout || o.Malformed() {
		return true
	}
	for shard := range shards {
		if _, ended := o.ended[shard]; !ended {
			return false
		}
	}
	return true
}

// Latest is where the last action stands. Its generation is the topic's, also while it is none.
func (f *Fold) Latest() Place { return f.latest }

// Skip says that there is no record at the offsets before next: it was read so far.
func (f *Fold) Skip(next int64) {
	f.next = max(f.next, next)
}

// Pending answers an action that is carried out once and whose outcome doesn't stand yet; false if there is none of this id. Unlike
// a view it costs the same however much is pending.
func (f *Fold) Pending(id string) (OneShot, bool) {
	o, pends := f.pending[id]
	if !pends {
		return OneShot{}, false
	}
	return *o, true
}

// Stands tells whether an action of this id is in force in a scope. It costs as much as stands in the scope.
func (f *Fold) Stands(scope Scope, id string) bool {
	return slices.ContainsFunc(f.standing[scope], func(s Standing) bool { return s.ID == id })
}

// View is what is in force and pending now.
func (f *Fold) View() *View {
	switch {
	case f.view == nil || f.changed:
		f.view, f.changed = &View{standing: maps.Clone(f.standing), narrow: narrowOf(f.standing), pending: f.oneShots(), waiting: f.unconfirmed(), next: f.next, latest: f.latest}, false
	case f.view.next != f.next:
		next := *f.view
		next.next, next.latest = f.next, f.latest
		f.view = &next
	}
	return f.view
}

// oneShots are those that are pending, in the order of their records.
func (f *Fold) oneShots() []OneShot {
	if len(f.pending) == 0 {
		return nil
	}
	all := make([]OneShot, 0, len(f.pending))
	for _, o := range f.pending {
		all = append(all, *o)
	}
	slices.SortFunc(all, func(a, b OneShot) int { return int(a.Offset - b.Offset) })
	return all
}

// unconfirmed are the actions that wait for another person, in the order of their records.
func (f *Fold) unconfirmed() (all []Action) {
	for _, w := range f.waiting {
		all = append(all, w.action)
	}
	for _, o := range f.pending {
		if !o.Complete && !o.Malformed() {
			all = append(all, o.Action)
		}
	}
	slices.SortFunc(all, func(a, b Action) int { return int(a.Offset - b.Offset) })
	return all
}
