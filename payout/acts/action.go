package acts

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"disburser/payout/secrets"
)

// Kind says what an action does.
type Kind string

// The kinds.
const (
	Pause   Kind = "pause"   // nothing in the scope is sent
	Resume  Kind = "resume"  // lifts pauses of exactly this scope
	Cancel  Kind = "cancel"  // a batch, or a payout, is never sent: what was never sent is rejected
	Confirm Kind = "confirm" // a second person's word for an action that needs two
	Resolve Kind = "resolve" // ends a held payout by a person's word
	Ask     Kind = "ask"     // asks the query endpoint now
	Outcome Kind = "outcome" // what became of an action; an instance writes it
	Stands  Kind = "stands"  // a batch's cancel can't be refused any more; an instance writes it
	Renew   Kind = "renew"   // the topic was made anew: what is on record of the one before counts no more
)

// Kinds lists them all, for metrics.
var Kinds = []Kind{Pause, Resume, Cancel, Confirm, Renew, Resolve, Ask, Outcome, Stands}

// Headers of a record.
const (
	HeaderSig   = "sig"   // see Sign
	HeaderNeeds = "needs" // how many people the action needs
)

// What a person may write: a reason is shown as it is and kept for ever.
const (
	LongestReason = 500
	LongestBy     = 100
)

// Header is one of a record's.
type Header struct {
	Name  string
	Value []byte
}

// Record is a record of payout.actions.
type Record struct {
	Offset     int64
	Time       time.Time // Kafka's
	Key, Value []byte
	Headers    []Header
}

// header is the value of a header. It says too that it doesn't stand there twice.
func (r Record) header(name string) (value string, once bool) {
	n := 0
	for _, h := range r.Headers {
		if h.Name == name {
			value = string(h.Value)
			n++
		}
	}
	return value, n <= 1
}

// Action is a person's word, as it is obeyed.
type Action struct {
	ID         string
	Kind       Kind
	Scope      Scope
	By, Reason string
	Lifts      []string  // of resume: ids of pauses; nil: all that stand before it
	As         As        // of resolve
	Force      bool      // of resolve: also against missing evidence
	Of         string    // of confirm, outcome and stands: the action's id
	Time       time.Time // the writer's; zero if nobody can read it
	Needs      int       // people
	Ended      *Ended    // of outcome

	// Lasts is for how long it may be carried out, from when it is first seen: deadline - time. Only this
	// difference counts. It is 0 where the record says none, below 0 where it says what can't be.
	Lasts time.Duration

	Generation int64 // of renew: which one begins

	Offset  int64
	Order   int64     // grows with each record, also when the topic is renewed; see View.Order
	Read    time.Time // Kafka's time of the record
	Trusted bool      // a key vouches for it, or none is set
}

// written is the value of a record.
type written struct {
	ID     string   `json:"id"`
	Kind   Kind     `json:"kind"`
	Scope  string   `json:"scope,omitempty"`
	Lifts  []string `json:"lifts,omitempty"`
	As     As       `json:"as,omitempty"`
	Force  bool     `json:"force,omitempty"`
	Action string   `json:"action,omitempty"`
	Begins int64    `json:"generation,omitempty"`
	By     string   `json:"by"`
	Reason string   `json:"reason"`
	Time   string   `json:"time"`

	Deadline string `json:"deadline,omitempty"`
	ending          // of outcome
}

// Result is what becomes of a record; metrics name it so.
type Result string

// The results.
const (
	Obeyed     Result = "obeyed"
	Waits      Result = "waits"      // for another person
	Repeated   Result = "repeated"   // its id counts already
	Void       Result = "void"       // a confirm of what doesn't wait, or by the same person
	Unsigned   Result = "unsigned"   // no key vouches for it
	Unknown    Result = "unknown"    // its kind isn't known
	Unreadable Result = "unreadable" // nobody can tell what it means

	// What an outcome says of its action.
	Done    Result = "done"
	Refused Result = "refused"
	Expired Result = "expired" // nobody carried it out in time
)

// Results lists them all, for metrics.
var Results = []Result{Obeyed, Waits, Repeated, Void, Unsigned, Unknown, Unreadable, Done, Refused, Expired}

// Parse reads a record. Obeyed says that the action counts, unless its id did before. Any other result
// says that it is skipped, and why says it in one line for a person.
func Parse(r Record, keys Keys) (a Action, result Result, why string) {
	var w written
	if err := json.Unmarshal(r.Value, &w); err != nil {
		return a, Unreadable, "its value is no JSON object as an action is"
	}
	a = Action{
		ID: w.ID, Kind: w.Kind, Lifts: w.Lifts, As: w.As, Force: w.Force, Of: w.Action,
		By: atMost(LongestBy, w.By), Reason: atMost(LongestReason, w.Reason),
		Needs: needs(r), Generation: w.Begins, Offset: r.Offset, Read: r.Time, Trusted: keys.vouch(r),
	}
	var timed error
	a.Time, timed = time.Parse(time.RFC3339, w.Time) // only the difference counts
	switch {
	case !isWord(w.ID):
		return a, Unreadable, "its id is missing, too long, or has white space"
	case !bytes.Equal(r.Key, []byte(w.ID)):
		return a, Unreadable, "its key isn't its id"
	}
	switch a.Kind {
	case Pause, Resume, Cancel, Resolve, Ask:
		var err error
		if a.Scope, err = ParseScope(w.Scope); err != nil {
			return a, Unreadable, err.Error()
		}
		a.Lasts = lasts(w.Deadline, a.Time, timed)
	case Confirm, Outcome, Stands:
		if !isWord(a.Of) {
			return a, Unreadable, "it doesn't say which action it is about"
		}
		a.Ended = w.ended(a)
	case Renew:
		if a.Generation < 1 || a.Generation > mostGenerations {
			return a, Unreadable, "it doesn't say which generation of the topic begins"
		}
	default:
		return a, Unknown, fmt.Sprintf("its kind %q isn't known", atMost(40, string(w.Kind)))
	}
	return judge(a)
}

// longest is how long an action may be carried out at most.
const longest = 24 * time.Hour

// lasts is the time between an action's own time and its deadline. It is 0 without a deadline, and below 0 where
// the deadline isn't after the time, or can't be read.
func lasts(deadline string, from time.Time, timed error) time.Duration {
	if deadline == "" {
		return 0
	}
	until, err := time.Parse(time.RFC3339, deadline)
	if err != nil || timed != nil || !until.After(from) {
		return -1
	}
	return min(until.Sub(from), longest)
}

// judge says whether an action that can be read is obeyed.
func judge(a Action) (Action, Result, string) {
	switch {
	case (a.Kind == Cancel || a.Kind == Ask) && a.Scope.Kind != Batch && a.Scope.Kind != Payout:
		return a, Unreadable, fmt.Sprintf("%s is for a batch or a payout", a.Kind)
	case a.Kind == Resolve && a.Scope.Kind != Payout:
		return a, Unreadable, "only a payout can be resolved"
	case a.Kind == Resolve && a.As != Paid && a.As != Failed:
		return a, Unreadable, "it doesn't say whether the payout is paid or failed"
	case a.Kind == Outcome && a.Ended == nil:
		return a, Unreadable, "it doesn't say what became of the action, and where"
	case a.Kind == Pause:
		return a, Obeyed, ""
	case !a.Trusted && a.Kind == Cancel && a.Scope.Kind == Batch:
		a.Kind = Pause
		return a, Obeyed, ""
	case !a.Trusted:
		return a, Unsigned, "no key vouches for it"
	case a.By == "" && a.Kind != Outcome && a.Kind != Stands:
		return a, Unreadable, "it doesn't say by whom it is"
	}
	return a, Obeyed, ""
}

// needs is how many people a record asks for. What can't be read asks for two.
func needs(r Record) int {
	text, once := r.header(HeaderNeeds)
	if text == "" && once {
		return 1
	}
	n, err := strconv.Atoi(text)
	if err != nil || !once {
		return 2
	}
	return max(1, n)
}

// Write makes the record of an action, signed where there is a key.
func Write(a Action, key secrets.Secret) (Record, error) {
	w := written{ID: a.ID, Kind: a.Kind, Lifts: a.Lifts, As: a.As, Force: a.Force, Action: a.Of, Begins: a.Generation, By: a.By, Reason: a.Reason, Time: stamp(a.Time)}
	if a.Scope.Kind != "" {
		w.Scope = a.Scope.String()
	}
	if a.Lasts != 0 {
		w.Deadline = stamp(a.Time.Add(a.Lasts))
	}
	value, err := json.Marshal(w)
	if err != nil {
		return Record{}, fmt.Errorf("write the action %s: %w", a.ID, err)
	}
	r := Record{Key: []byte(a.ID), Value: value}
	if a.Needs > 1 {
		r.Headers = append(r.Headers, Header{HeaderNeeds, []byte(strconv.Itoa(a.Needs))})
	}
	return signed(r, key), nil
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }

func signed(r Record, key secrets.Secret) Record {
	if !key.IsEmpty() {
		r.Headers = append(r.Headers, Header{HeaderSig, []byte(Sign(key, r))})
	}
	return r
}
