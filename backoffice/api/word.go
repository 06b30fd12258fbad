package api

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"disburser/message"
	"disburser/payout/acts"
)

// Word is what a person says: an action without its id, its time, and who says it. The back office knows these.
type Word struct {
	Kind     string     `json:"kind" enum:"pause,resume,cancel,resolve,ask,confirm"`
	Scope    string     `json:"scope,omitempty" doc:"fleet, merchant:NAME, batch:ID or payout:TRADENO; of everything but a confirm"`
	As       string     `json:"as,omitempty" doc:"of resolve: paid or failed"`
	Force    bool       `json:"force,omitempty" doc:"of resolve: also against missing evidence; it needs a second person"`
	Lifts    []string   `json:"lifts,omitempty" doc:"of resume: ids of pauses; without it all that stand"`
	Of       string     `json:"action,omitempty" doc:"of confirm: the id of the action"`
	Reason   string     `json:"reason,omitempty" doc:"why, in 500 characters at most; shown as it is and kept for ever. Only a confirm may go without"`
	Deadline *time.Time `json:"deadline,omitempty" doc:"of cancel, resolve, ask: until when it may be carried out; a minute without it, 15 where two people are needed"`
}

// Fault is one thing that is wrong with what was sent.
type Fault struct {
	Message  string `json:"message"`
	Location string `json:"location,omitempty" doc:"the field"`
}

// String is what is wrong, with the field's name where the message doesn't say it itself.
func (f Fault) String() string {
	field := strings.TrimPrefix(f.Location, "body.")
	if field == "" || strings.HasPrefix(f.Message, "a "+field+" ") || strings.HasPrefix(f.Message, "a tradeNo ") {
		return f.Message
	}
	return field + " " + f.Message
}

// longestDeadline is how far away a deadline may be.
const longestDeadline = 24 * time.Hour

// Read makes an action of it, which still lacks id, time and person. faults is everything that is wrong.
func (w Word) Read(now time.Time) (a acts.Action, faults []Fault) {
	wrong := func(field, format string, values ...any) {
		faults = append(faults, Fault{fmt.Sprintf(format, values...), field})
	}
	a = acts.Action{Kind: acts.Kind(w.Kind), As: acts.As(w.As), Force: w.Force, Lifts: w.Lifts, Of: w.Of, Reason: w.Reason}
	if !slices.Contains([]acts.Kind{acts.Pause, acts.Resume, acts.Cancel, acts.Resolve, acts.Ask, acts.Confirm}, a.Kind) {
		wrong("kind", "must be one of pause, resume, cancel, resolve, ask, confirm")
		return a, faults
	}
	if text := strings.TrimSpace(w.Reason); text == "" && (a.Kind != acts.Confirm || w.Reason != "") || utf8.RuneCountInString(w.Reason) > acts.LongestReason || !utf8.ValidString(w.Reason) {
		wrong("reason", "must say why, in %d characters at most", acts.LongestReason)
	}
	switch {
	case a.Kind == acts.Confirm && w.Of == "":
		wrong("action", "must be the id of the action that is confirmed")
	case a.Kind != acts.Confirm && w.Of != "":
		wrong("action", "is for confirm only")
	}
	if text := w.scope(&a); text != "" {
		wrong("scope", "%s", text)
	}
	switch {
	case a.Kind != acts.Resolve && (w.As != "" || w.Force):
		wrong("as", "as and force are for resolve only")
	case a.Kind == acts.Resolve && a.As != acts.Paid && a.As != acts.Failed:
		wrong("as", "must be paid or failed")
	}
	if a.Kind != acts.Resume && len(w.Lifts) > 0 {
		wrong("lifts", "is for resume only")
	}
	if w.Deadline != nil {
		a.Lasts = w.Deadline.Sub(now)
		switch {
		case !a.IsOneShot():
			wrong("deadline", "is for cancel, resolve and ask only")
		case a.Lasts <= 0 || a.Lasts > longestDeadline:
			wrong("deadline", "must be in the next 24 hours")
		}
	}
	return a, faults
}

// scope reads the scope, and says what is wrong with it for this kind.
func (w Word) scope(a *acts.Action) string {
	if a.Kind == acts.Confirm {
		if w.Scope != "" {
			return "is the action's own: a confirm has none"
		}
		return ""
	}
	var err error
	a.Scope, err = acts.ParseScope(w.Scope)
	of := a.Scope.Kind
	switch {
	case err != nil:
		return err.Error()
	case of == acts.Payout && !message.ValidTradeNo(a.Scope.Name):
		return "a tradeNo is 1 to 64 of A-Z a-z 0-9 _ -"
	case a.Kind == acts.Resolve && of != acts.Payout:
		return "resolve is for payout:TRADENO"
	case a.IsOneShot() && of != acts.Payout && of != acts.Batch:
		return string(a.Kind) + " is for batch:ID or payout:TRADENO"
	}
	return ""
}
