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
	Cancel  Kind = "cancel"  // a batch, or a payout, is never sent; what becomes of it comes later
	Confirm Kind = "confirm" // a second person's word for an action that needs two

	// These are known, and this version carries none of them out.
	Resolve Kind = "resolve"
	Ask     Kind = "ask"
	Outcome Kind = "outcome"
)

// Kinds lists them all, for metrics.
var Kinds = []Kind{Pause, Resume, Cancel, Confirm, Resolve, Ask, Outcome}

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
	Of         string    // of confirm: the action's id
	Time       time.Time // the writer's; zero if nobody can read it
	Needs      int       // people

	Offset  int64
	Read    time.Time // Kafka's time of the record
	Trusted bool      // a key vouches for it, or none is set
}

// written is the value of a record.
type written struct {
	ID     string   `json:"id"`
	Kind   Kind     `json:"kind"`
	Scope  string   `json:"scope,omitempty"`
	Lifts  []string `json:"lifts,omitempty"`
	Action string   `json:"action,omitempty"`
	By     string   `json:"by"`
	Reason string   `json:"reason"`
	Time   string   `json:"time"`
}

// Result is what becomes of a record; metrics name it so.
type Result string

// The results.
const (
	Obeyed     Result = "obeyed"
	Waits      Result = "waits"      // for another person
	Repeated   Result = "repeated"   // its id counts already
	Void       Result = "void"       // a confirm of what doesn't wait, or by the same person
	Later      Result = "later"      // its kind is known, and this version doesn't carry it out
	Unsigned   Result = "unsigned"   // no key vouches for it
	Unknown    Result = "unknown"    // its kind isn't known
	Unreadable Result = "unreadable" // nobody can tell what it means
)

// Results lists them all, for metrics.
var Results = []Result{Obeyed, Waits, Repeated, Void, Later, Unsigned, Unknown, Unreadable}

// Parse reads a record. Obeyed says that the action counts, unless its id did before. Any other result
// says that it is skipped, and why says it in one line for a person.
func Parse(r Record, keys Keys) (a Action, result Result, why string) {
	var w written
	if err := json.Unmarshal(r.Value, &w); err != nil {
		return a, Unreadable, "its value is no JSON object as an action is"
	}
	a = Action{
		ID: w.ID, Kind: w.Kind, Lifts: w.Lifts, Of: w.Action, By: atMost(LongestBy, w.By), Reason: atMost(LongestReason, w.Reason),
		Needs: needs(r), Offset: r.Offset, Read: r.Time, Trusted: keys.vouch(r),
	}
	a.Time, _ = time.Parse(time.RFC3339, w.Time) // nothing here depends on it
	switch {
	case !isWord(w.ID):
		return a, Unreadable, "its id is missing, too long, or has white space"
	case !bytes.Equal(r.Key, []byte(w.ID)):
		return a, Unreadable, "its key isn't its id"
	}
	switch a.Kind {
	case Pause, Resume, Cancel:
		var err error
		if a.Scope, err = ParseScope(w.Scope); err != nil {
			return a, Unreadable, err.Error()
		}
	case Confirm:
		if !isWord(a.Of) {
			return a, Unreadable, "it doesn't say which action it confirms"
		}
	case Resolve, Ask, Outcome:
		return a, Later, "this version doesn't carry it out"
	default:
		return a, Unknown, fmt.Sprintf("its kind %q isn't known", atMost(40, string(w.Kind)))
	}
	return judge(a)
}

// judge says whether an action that can be read is obeyed.
func judge(a Action) (Action, Result, string) {
	switch {
	case a.Kind == Cancel && a.Scope.Kind != Batch && a.Scope.Kind != Payout:
		return a, Unreadable, "only a batch or a payout can be cancelled"
	case a.Kind == Pause:
		return a, Obeyed, ""
	case !a.Trusted && a.Kind == Cancel && a.Scope.Kind == Batch:
		a.Kind = Pause
		return a, Obeyed, ""
	case !a.Trusted:
		return a, Unsigned, "no key vouches for it"
	case a.By == "":
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
	w := written{ID: a.ID, Kind: a.Kind, Lifts: a.Lifts, Action: a.Of, By: a.By, Reason: a.Reason, Time: a.Time.UTC().Format(time.RFC3339Nano)}
	if a.Kind != Confirm {
		w.Scope = a.Scope.String()
	}
	value, err := json.Marshal(w)
	if err != nil {
		return Record{}, fmt.Errorf("write the action %s: %w", a.ID, err)
	}
	r := Record{Key: []byte(a.ID), Value: value}
	if a.Needs > 1 {
		r.Headers = append(r.Headers, Header{HeaderNeeds, []byte(strconv.Itoa(a.Needs))})
	}
	if !key.IsEmpty() {
		r.Headers = append(r.Headers, Header{HeaderSig, []byte(Sign(key, r))})
	}
	return r, nil
}
