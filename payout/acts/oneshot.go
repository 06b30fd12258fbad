package acts

import (
	"slices"
	"strings"
	"time"
)

// How long an action may be carried out if its record doesn't say.
const (
	LastsAlone = time.Minute      // one person is enough
	LastsOfTwo = 15 * time.Minute // the other person needs time
)

// OneShot is an action that is carried out once: ask, resolve, and cancel. It is pending until its outcome stands,
// a batch's until that of each shard does.
type OneShot struct {
	Action
	Place       int64  // the offset that made it complete: its own, or that of the last confirmation
	Complete    bool   // as many people as it needs have said it
	ConfirmedBy string // who, "" where one was enough
	Firm        bool   // of a batch's cancel: it can't be refused any more
	people      []string
	ended       map[int]Ended // of a batch, by shard
}

// IsOneShot tells whether an action is carried out once.
func (a Action) IsOneShot() bool { return a.Kind == Ask || a.Kind == Resolve || a.Kind == Cancel }

// Malformed tells that its deadline isn't after its time. It is never carried out, and shard 0 says so.
func (o OneShot) Malformed() bool { return o.Lasts < 0 }

// Expires tells whether it is too late for it some day. A batch's cancel stands for ever.
func (o OneShot) Expires() bool { return o.Kind != Cancel || o.Scope.Kind != Batch || o.Malformed() }

// In is what became of a batch's action in a shard; false while it is pending there.
func (o OneShot) In(shard int) (e Ended, ended bool) {
	e, ended = o.ended[shard]
	return e, ended
}

// NeedTwo lists the configuration's words for actions that need two people.
var NeedTwo = []string{"resume", "cancel", "paid", "failed"}

// Rules are what a fold goes by.
type Rules struct {
	Keys      Keys
	TwoPeople []string // of NeedTwo
	Shards    int      // of the journal: so many outcomes a batch's action has
}

// People is how many people an action needs by what stands in it, and by the rules.
func (r Rules) People(a Action) int { return r.needed(a) }

// needed is how many people an action needs: the larger of what its record says and what the rules say. What
// overrides missing evidence needs two in any case (protocol A9).
func (r Rules) needed(a Action) int {
	word := string(a.Kind)
	if a.Kind == Resolve {
		word = string(a.As)
	}
	if a.Force || slices.Contains(r.TwoPeople, word) {
		return max(2, a.Needs)
	}
	return a.Needs
}

// begin makes a pending action.
func (r Rules) begin(a Action) *OneShot {
	a.Needs = r.needed(a)
	if a.Lasts == 0 {
		a.Lasts = LastsAlone
		if a.Needs > 1 {
			a.Lasts = LastsOfTwo
		}
	}
	return &OneShot{Action: a, Place: a.Offset, Complete: a.Needs <= 1, people: []string{a.By}}
}

// confirmed is it with another person's word.
func (o OneShot) confirmed(by Action) OneShot {
	o.people = append(slices.Clone(o.people), by.By)
	if len(o.people) >= o.Needs {
		o.Complete, o.Place, o.Order, o.ConfirmedBy = true, by.Offset, by.Order, strings.Join(o.people[1:], ", ")
	}
	return o
}
