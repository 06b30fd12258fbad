package acts

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// keptBytes is how much of what is in force goes into one record of the decisions.
const keptBytes = 64 << 10

// Kept is an action in force, as the decisions keep it for the case that the topic is lost.
type Kept struct {
	ID     string    `json:"id"`
	Kind   Kind      `json:"kind"`
	Scope  string    `json:"scope"`
	By     string    `json:"by,omitempty"`
	Reason string    `json:"reason,omitempty"`
	Since  time.Time `json:"since"`

	ConfirmedBy string `json:"confirmedBy,omitempty"` // who else has said it
}

// Keep lists what is in force, the widest first, as far as a record has room. left is how many it leaves out.
// A single payout's cancellation isn't kept: it has an end of its own.
func (v *View) Keep() (kept []Kept, left int) {
	all := slices.DeleteFunc(v.All(), func(s Standing) bool { return s.Kind == Cancel && s.Scope.Kind == Payout })
	slices.SortStableFunc(all, func(a, b Standing) int {
		return cmp.Compare(slices.Index(ScopeKinds, a.Scope.Kind), slices.Index(ScopeKinds, b.Scope.Kind))
	})
	size := 0
	for i, s := range all {
		k := Kept{s.ID, s.Kind, s.Scope.String(), s.By, s.Reason, s.Since.UTC(), s.ConfirmedBy}
		if size += 120 + len(k.ID) + len(k.Scope) + len(k.By) + len(k.Reason); size > keptBytes {
			return kept, len(all) - i
		}
		kept = append(kept, k)
	}
	return kept, 0
}

// Again is the action that was kept, to be written into a topic that was made anew. Its id is the same, so that it
// counts once, and so that who knows the id can lift it.
func (k Kept) Again() (Action, error) {
	scope, err := ParseScope(k.Scope)
	return Action{ID: k.ID, Kind: k.Kind, Scope: scope, By: k.By, Reason: k.Reason, Time: k.Since}, err
}

// Confirms are the other people's words for it, again.
func (k Kept) Confirms(newID func() string) (all []Action) {
	for by := range strings.SplitSeq(k.ConfirmedBy, ", ") {
		if by != "" {
			all = append(all, Action{ID: newID(), Kind: Confirm, Of: k.ID, By: by, Reason: "written again: the topic was lost", Time: k.Since})
		}
	}
	return all
}
