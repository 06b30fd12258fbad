package acts

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Why is the reason for which a payout may not be sent now.
type Why string

// The reasons; the empty one says that it may be sent.
const (
	Cancelled Why = "cancelled"
	Paused    Why = "paused"
	NotFresh  Why = "not fresh" // nobody knows whether it is paused
)

// Standing is an action that is in force.
type Standing struct {
	ID         string
	Kind       Kind // Pause or Cancel
	Scope      Scope
	By, Reason string
	Offset     int64
	Since      time.Time // Kafka's time of its record
	Trusted    bool

	ConfirmedBy string // who else has said it, "" where one was enough
	Firm        bool   // of a batch's cancel: it can't be refused any more, so payouts may end by it
}

// Stop says why a payout may not be sent now; the zero Stop says that it may.
type Stop struct {
	Why Why
	By  []Standing // of what is cancelled or paused: all that stop it so
}

// Any tells that it may not be sent.
func (s Stop) Any() bool { return s.Why != "" }

// Wide tells that much more than this payout is stopped: what is due stays due, and nothing need be leased
// to find out.
func (s Stop) Wide() bool {
	return s.Why == NotFresh || s.Why == Paused && slices.ContainsFunc(s.By, func(a Standing) bool {
		return a.Scope.Kind == Fleet || a.Scope.Kind == Merchant
	})
}

// Narrow tells that its batch is stopped, or the payout itself: it is parked, for the others of its merchant go on.
func (s Stop) Narrow() bool {
	return slices.ContainsFunc(s.By, func(a Standing) bool { return a.Scope.narrow() })
}

// Ends answers the cancellation of a batch that ends the payout; false if none does. It stands for ever. A payout's
// own ends it only in time, so whoever carries that out does it.
func (s Stop) Ends() (by Standing, ends bool) {
	if s.Why != Cancelled {
		return Standing{}, false
	}
	i := slices.IndexFunc(s.By, func(a Standing) bool { return a.Scope.Kind == Batch })
	if i < 0 {
		return Standing{}, false
	}
	return s.By[i], true
}

// String says it to a person, without the reasons.
func (s Stop) String() string {
	switch {
	case s.Why == NotFresh:
		return "nobody knows whether it is paused: the actions were not read in time"
	case len(s.By) == 0:
		return string(s.Why)
	}
	parts := make([]string, len(s.By))
	for i, a := range s.By {
		parts[i] = fmt.Sprintf("%s by %s (action %s)", a.Scope, a.By, a.ID)
	}
	return string(s.Why) + ": " + strings.Join(parts, "; ")
}

// View is what was in force at one offset. It never changes, so everybody may read it at once.
type View struct {
	standing map[Scope][]Standing
	narrow   Narrow
	pending  []OneShot
	waiting  []Action
	next     int64
	latest   Place
}

// OneShots are the actions that are carried out once and whose outcome doesn't stand yet, in the order of their
// records. Also those are among them that wait for another person. Nobody may change them.
func (v *View) OneShots() []OneShot { return v.pending }

// Waiting are the actions that wait for another person's word, in the order of their records. What is carried out once is among
// them until its deadline is over; a resume and a batch's cancel have none. Nobody may change them.
func (v *View) Waiting() []Action { return v.waiting }

// Next is the offset of the first record that it doesn't know.
func (v *View) Next() int64 { return v.next }

// Latest is the last action that it knows.
func (v *View) Latest() Place { return v.latest }

// Order is the order of the first record that it doesn't know. It grows with each record, also when the topic is
// made anew and its offsets begin at 0 again. So whatever outlives this process notes orders, and no offsets.
func (v *View) Order() int64 { return orderOf(v.latest.Generation, v.next) }

// OrderAt is the order of a record at an offset, in the generation of the topic that the view knows or in a later one.
func (v *View) OrderAt(generation, offset int64) int64 {
	return orderOf(max(generation, v.latest.Generation), offset)
}

// Narrow are the batches and the payouts that something in force stops.
type Narrow struct{ Batches, Payouts []string }

// N is how many there are. Where there are none, nobody need look at what is due, one by one.
func (n Narrow) N() int { return len(n.Batches) + len(n.Payouts) }

// Narrow answers them. Nobody may change them.
func (v *View) Narrow() Narrow { return v.narrow }

func narrowOf(standing map[Scope][]Standing) (n Narrow) {
	for scope := range standing {
		switch scope.Kind {
		case Batch:
			n.Batches = append(n.Batches, scope.Name)
		case Payout:
			n.Payouts = append(n.Payouts, scope.Name)
		default: // it stops a whole merchant
		}
	}
	return n
}

// Stops is the one answer whether a payout may be sent now (protocol A0). What is leased and the last check
// before a call go by it. fresh says that the view is young enough (protocol A2). Without a batch and a
// tradeNo it is the answer for a whole merchant.
func (v *View) Stops(fresh bool, merchant, batchID, tradeNo string) Stop {
	var scopes [4]Scope
	if len(v.standing) > 0 {
		scopes = [...]Scope{{Kind: Fleet}, {Merchant, merchant}, {Batch, batchID}, {Payout, tradeNo}}
		if by := v.of(Cancel, scopes[:]); len(by) > 0 {
			return Stop{Cancelled, by}
		}
	}
	if !fresh {
		return Stop{Why: NotFresh}
	}
	if len(v.standing) > 0 {
		if by := v.of(Pause, scopes[:]); len(by) > 0 {
			return Stop{Paused, by}
		}
	}
	return Stop{}
}

func (v *View) of(kind Kind, scopes []Scope) (all []Standing) {
	for _, s := range scopes {
		for _, a := range v.standing[s] {
			if a.Kind == kind {
				all = append(all, a)
			}
		}
	}
	return all
}

// All lists what is in force, in the order of the records.
func (v *View) All() (all []Standing) {
	for _, some := range v.standing {
		all = append(all, some...)
	}
	slices.SortFunc(all, func(a, b Standing) int { return int(a.Offset - b.Offset) })
	return all
}

// Count is how many of a kind are in force, by the kinds of their scopes.
func (v *View) Count(kind Kind) map[ScopeKind]int {
	counts := map[ScopeKind]int{}
	for scope, some := range v.standing {
		for _, a := range some {
			if a.Kind == kind {
				counts[scope.Kind]++
			}
		}
	}
	return counts
}
