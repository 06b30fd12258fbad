package acts

import (
	"maps"
	"slices"
)

// Fold gathers records, in the order of their offsets, into what is in force. One goroutine uses it.
type Fold struct {
	keys     Keys
	counted  map[counted]struct{}
	standing map[Scope][]Standing
	waiting  map[string]waiting // by the action's id
	next     int64
	changed  bool  // what is in force, since the last view
	view     *View // the last one
}

// counted is an id that counts. An untrusted record never takes the place of a trusted one: whoever learns of
// an id early could void the action that is to come.
type counted struct {
	id      string
	trusted bool
}

// waiting is an action that needs more people than have spoken.
type waiting struct {
	action Action
	people []string
}

// NewFold begins at offset 0, with nothing in force.
func NewFold(keys Keys) *Fold {
	return &Fold{keys: keys, counted: map[counted]struct{}{}, standing: map[Scope][]Standing{}, waiting: map[string]waiting{}}
}

// Take adds a record, and says what became of it. A record that was taken before changes nothing. The first
// record of an id that can be obeyed counts, and copies are nothing (protocol A1). Otherwise a producer's late
// retry of a resume would lift a newer pause.
func (f *Fold) Take(r Record) (a Action, result Result, why string) {
	a, result, why = Parse(r, f.keys)
	if r.Offset < f.next {
		return a, Repeated, ""
	}
	f.next = r.Offset + 1
	if result != Obeyed {
		return a, result, why
	}
	id := counted{a.ID, a.Trusted}
	if _, known := f.counted[id]; known {
		return a, Repeated, ""
	}
	f.counted[id] = struct{}{}
	switch a.Kind {
	case Pause, Cancel:
		f.stand(a)
	case Resume:
		if a.Needs > 1 {
			f.waiting[a.ID] = waiting{a, []string{a.By}}
			return a, Waits, ""
		}
		f.resume(a)
	case Confirm:
		return f.confirm(a)
	default: // Parse obeys no other kind
	}
	return a, Obeyed, ""
}

func (f *Fold) stand(a Action) {
	f.changed = true
	f.standing[a.Scope] = append(f.standing[a.Scope], Standing{
		ID: a.ID, Kind: a.Kind, Scope: a.Scope, By: a.By, Reason: a.Reason, Offset: a.Offset, Since: a.Read, Trusted: a.Trusted,
	})
}

// resume lifts pauses of exactly its scope that stand before it: those that it names, or all. It never lifts a
// cancellation.
func (f *Fold) resume(a Action) {
	f.changed = true
	left := slices.DeleteFunc(slices.Clone(f.standing[a.Scope]), func(s Standing) bool {
		return s.Kind == Pause && s.Offset < a.Offset && (a.Lifts == nil || slices.Contains(a.Lifts, s.ID))
	})
	if f.standing[a.Scope] = left; len(left) == 0 {
		delete(f.standing, a.Scope)
	}
}

// confirm adds a person's word to an action that waits for it. Nobody confirms their own action.
func (f *Fold) confirm(a Action) (Action, Result, string) {
	w, found := f.waiting[a.Of]
	switch {
	case !found:
		return a, Void, "no action waits for it"
	case slices.Contains(w.people, a.By):
		return a, Void, "the same person has spoken before"
	}
	w.people = append(slices.Clone(w.people), a.By)
	f.waiting[a.Of] = w
	if len(w.people) >= w.action.Needs {
		delete(f.waiting, a.Of)
		f.resume(w.action)
	}
	return a, Obeyed, ""
}

// Skip says that there is no record at the offsets before next: it was read so far.
func (f *Fold) Skip(next int64) {
	f.next = max(f.next, next)
}

// View is what is in force now.
func (f *Fold) View() *View {
	switch {
	case f.view == nil || f.changed:
		f.view, f.changed = &View{standing: maps.Clone(f.standing), next: f.next}, false
	case f.view.next != f.next:
		f.view = &View{standing: f.view.standing, next: f.next}
	}
	return f.view
}
