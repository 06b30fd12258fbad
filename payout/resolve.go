package payout

import (
	"fmt"
	"strings"
	"time"

	"disburser/payout/acts"
	"disburser/payout/finding"
)

// resolveMargin is how long after SendBy the bytes of a send may still be on their way. Before that nobody
// ends a payout by a person's word, forced or not (protocol A7).
const resolveMargin = 10 * time.Second

// Word is what a person says of a held payout: how it ended.
type Word struct {
	As     acts.As
	Force  bool   // also against missing evidence; it needs a second person
	By     string // who says so
	Reason string

	ConfirmedBy string // the second person, "" where one was enough
	Action      string // the id of the action that says it
}

// Verdict is what becomes of a person's word.
type Verdict byte

// The verdicts.
const (
	WordRefused  Verdict = iota // the evidence contradicts it, or isn't enough
	WordDone                    // the payout ended as the person said
	WordTooEarly                // bytes of a send may still be on their way: judge it again later
)

// Judged is a person's word, judged by an answer of the provider.
type Judged struct {
	Verdict  Verdict
	After    Payout    // what the payout is now: to be written, whatever the verdict is
	Why      string    // one line for a person
	Again    time.Time // of WordTooEarly: when to judge again
	Evidence acts.Evidence
}

// ResolvableFrom is the moment before which no person's word ends the payout (protocol A7).
func (p Payout) ResolvableFrom() time.Time {
	if p.SendBy.IsZero() {
		return time.Time{}
	}
	return p.SendBy.Add(resolveMargin)
}

// Resolve judges a person's word of a held payout by what an ask has found. The ask must have been made after
// the word and its confirmation were read. Nothing else lets a person end a payout.
//
// The provider's final word goes first: the payout ends by it, whatever the person said.
func (p Payout) Resolve(w Word, f finding.Finding, now time.Time, policy Policy) Judged {
	j := Judged{After: p, Evidence: acts.Evidence{Finding: f.Kind.String(), Asks: p.Asks, At: now}}
	after, err := p.After(Ask, f, now, policy)
	if p.State != StateHeld || err != nil {
		j.Why = fmt.Sprintf("it is %v: only a held payout can be resolved", p.State)
		return j
	}
	j.After, j.Evidence.Asks = after, after.Asks
	if f.Kind != finding.Unclear {
		j.Evidence.Code = after.Status
	}
	said := map[acts.As]State{acts.Paid: StatePaid, acts.Failed: StateFailed}[w.As]
	if after.State.Final() {
		if j.Why = "the provider's word ended it: it is " + after.State.String(); after.State == said {
			j.Verdict = WordDone
		}
		return j
	}
	if from := p.ResolvableFrom(); now.Add(-policy.ClockUncertainty).Before(from) {
		j.Verdict, j.Again, j.Why = WordTooEarly, from.Add(policy.ClockUncertainty), "a send of it may still be on its way"
		return j
	}
	if j.Why = p.whyRefused(w, f, after, policy); j.Why == "" {
		j.Verdict, j.After, j.Why = WordDone, after.endedBy(w, said, f, now), ""
		j.Why = j.After.Reason
	}
	return j
}

// whyRefused says why a person's word doesn't end the held payout, "" if it does. after is the payout once the
// answer is noted, and not ended by it.
func (p Payout) whyRefused(w Word, f finding.Finding, after Payout, policy Policy) string {
	forced := w.Force && w.ConfirmedBy != "" && w.ConfirmedBy != w.By
	switch {
	case w.As != acts.Paid && w.As != acts.Failed || w.By == "" || w.Action == "":
		return "it doesn't say as what, by whom and by which action"
	case w.Force && !forced:
		return "a forced resolve needs a second person"
	case p.Orphan():
		return "its command isn't known here: nothing could be said of its end"
	case f.Kind == finding.Paid || f.Kind == finding.Failed: // the operator has such contradictions held: a person looked
		if (f.Kind == finding.Paid) != (w.As == acts.Paid) {
			return fmt.Sprintf("the provider says %v", f.Kind)
		}
		return ""
	case f.Kind == finding.Partial || f.Kind == finding.Processing:
		return fmt.Sprintf("the provider says %v: wait for its final word", f.Kind)
	case f.Kind == finding.NoRecord && p.deniedElsewhere(policy), f.Kind == finding.Unclear:
		return unless(forced, "the provider gave no answer about it"+detailed(f)+": try again")
	case f.Kind == finding.UnknownStatus:
		return unless(forced, "the provider says a status that isn't known: "+after.Status)
	case w.As == acts.Paid:
		return "the provider has no record of it: it can't be resolved as paid"
	}
	return unless(forced, p.whyNotAbsent(after, policy))
}

// deniedElsewhere tells that only another account of the provider can know the payout: what this one denies is no
// answer.
func (p Payout) deniedElsewhere(policy Policy) bool {
	return p.accountDoubt(policy) == atAnotherAccount
}

// whyNotAbsent says what is missing for "the provider has no such payout"; "" if nothing is. Enough answers must
// have been counted before the one that is judged by.
func (p Payout) whyNotAbsent(after Payout, policy Policy) string {
	counted := p.NoRecords
	if p.NoRecordAt.Before(p.SendBy) || p.NoRecordOf != policy.Account {
		counted = 0
	}
	switch {
	case p.MaybeShown():
		return "the provider has shown or acknowledged an order of it, or may have"
	case p.accountDoubt(policy) != "":
		return "nobody knows to which account of the provider it was sent"
	case p.SendBy.IsZero():
		return "nobody knows whether and when it was sent, so that no answer counts"
	case counted >= policy.NoRecord.Answers:
		return ""
	}
	missing := max(0, policy.NoRecord.Answers-after.NoRecords-1)
	enough := after.noRecordFrom(policy).Add(time.Duration(missing) * policy.NoRecord.Every)
	if after.NoRecords >= policy.NoRecord.Answers {
		enough = after.NoRecordAt
	}
	return fmt.Sprintf("%d answers that the provider has no record of it are counted, and %d are needed: there may be enough at %s",
		after.NoRecords, policy.NoRecord.Answers, enough.UTC().Format(time.RFC3339))
}

// MaybeShown tells that the provider has shown an order of the payout or acknowledged a send of it. It is true too
// where nobody knows: the journal was lost meanwhile, or the answer of a send was (protocol A7).
func (p Payout) MaybeShown() bool {
	switch p.LastSend {
	case finding.Accepted, finding.SettledPaid, finding.SettledPartial, finding.SettledOther:
		return true
	default: // a failure that a send was answered speaks of no money
		return p.Shown || p.Forgotten || p.AnswerLost
	}
}

// unless answers nothing where two people say so all the same.
func unless(forced bool, why string) string {
	if forced || why == "" {
		return ""
	}
	return why + "; only two people can say so all the same (force)"
}

func detailed(f finding.Finding) string {
	if f.Detail == "" {
		return ""
	}
	return " (" + f.Detail + ")"
}

// endedBy ends the payout as a person says. What the provider said of an amount counts only where it says paid.
func (p Payout) endedBy(w Word, as State, f finding.Finding, now time.Time) Payout {
	p.PaidAmount, p.SuccessTime = "", ""
	if f.Kind == finding.Paid && as == StatePaid {
		p.PaidAmount, p.SuccessTime = f.PaidAmount, f.SuccessTime
	}
	p.Absent, p.Found = false, f.Kind
	p.By, p.ConfirmedBy, p.Action = w.By, w.ConfirmedBy, w.Action
	var reason strings.Builder
	fmt.Fprintf(&reason, "resolved as %v by %s", as, w.By)
	if w.ConfirmedBy != "" {
		reason.WriteString(", confirmed by " + w.ConfirmedBy)
	}
	if w.Force {
		fmt.Fprintf(&reason, ", forced (the provider's answer: %v)", f.Kind)
	}
	if w.Reason != "" {
		reason.WriteString(": " + w.Reason)
	}
	p.Reason = reason.String()
	return p.end(as, now)
}
