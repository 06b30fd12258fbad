package payout

import (
	"strings"
	"testing"
	"time"

	"disburser/payout/acts"
	"disburser/payout/finding"
)

// says is a person's word; forced ones are confirmed by another person.
func says(as acts.As, force bool) Word {
	w := Word{As: as, Force: force, By: "alice", Reason: "the provider wrote so", Action: "01J9"}
	if force {
		w.ConfirmedBy = "bob"
	}
	return w
}

// absentHeld is a held payout of which so many absences are counted, the next of which counts at the moment.
func absentHeld(t *testing.T, counted int) (p Payout, now time.Time) {
	t.Helper()
	p, now = in(t, StateHeld), t0.Add(74*time.Hour)
	for range counted {
		p = after(t, p, Ask, finding.Finding{Kind: finding.NoRecord, Status: "8000"}, now, standard())
		now = now.Add(5 * time.Minute)
	}
	if p.NoRecords != counted || p.State != StateHeld {
		t.Fatalf("%d counted, %v", p.NoRecords, p.State)
	}
	return p, now
}

// pasts are what may be known of a held payout when a person speaks.
var pasts = map[string]func(*Payout){
	"enough":       func(*Payout) {},
	"too few":      func(p *Payout) { p.NoRecords = 2 },
	"void":         func(p *Payout) { p.SendBy = p.NoRecordAt.Add(time.Second) },
	"shown":        func(p *Payout) { p.Shown = true },
	"acknowledged": func(p *Payout) { p.LastSend = finding.Accepted },
	"unanswered":   func(p *Payout) { p.AnswerLost = true },
	"forgotten":    func(p *Payout) { p.Forgotten = true },
	"elsewhere":    func(p *Payout) { p.Account = "other" },
	"nowhere":      func(p *Payout) { p.Account = "" },
	"of another":   func(p *Payout) { p.NoRecordOf = "other" },
	"never sent":   func(p *Payout) { p.SendBy = time.Time{} },
}

// What comes of a person's word, for every past and answer: "+" done, "!" done with force only, "-" never.
func TestWhatAPersonMaySay(t *testing.T) {
	answers := []finding.Kind{finding.Paid, finding.Failed, finding.Partial, finding.Processing, finding.NoRecord, finding.UnknownStatus, finding.Unclear}
	for past, want := range map[string]struct{ paid, failed string }{ // of each answer, in this order
		"enough": {"+----!!", "-+--+!!"}, "too few": {"+----!!", "-+--!!!"}, "void": {"+----!!", "-+--!!!"},
		"shown": {"+----!!", "-+--!!!"}, "acknowledged": {"+----!!", "-+--!!!"}, "forgotten": {"+----!!", "-+--!!!"},
		"unanswered": {"+----!!", "-+--!!!"}, "elsewhere": {"+---!!!", "-+--!!!"}, "nowhere": {"+----!!", "-+--!!!"}, "of another": {"+----!!", "-+--!!!"}, "never sent": {"+----!!", "-+--!!!"},
	} {
		p, now := absentHeld(t, 3)
		p.Account, p.NoRecordOf = "mine", "mine"
		pasts[past](&p)
		now = now.Add(time.Hour)
		for as, row := range map[acts.As]string{acts.Paid: want.paid, acts.Failed: want.failed} {
			for i, kind := range answers {
				for _, policy := range []Policy{standard(), with(func(p *Policy) { p.Contradiction = Hold })} {
					for _, force := range []bool{false, true} {
						policy.Account = "mine"
						f := finding.Finding{Kind: kind, Status: "4711", SucceededAt: t0.Add(-30 * time.Hour), PaidAmount: "300"} // a contradiction
						j := p.Resolve(says(as, force), f, now, policy)
						done := row[i] == '+' || row[i] == '!' && force
						if (j.Verdict == WordDone) != done || j.Verdict == WordTooEarly || j.Why == "" {
							t.Errorf("%s, %v answered, said to be %s, force %v: verdict %d (%s)", past, kind, as, force, j.Verdict, j.Why)
						}
						judgedWell(t, p, j, as, f)
						if table := after(t, p, Ask, f, now, policy); table.State.Final() && (j.After.By != "" || j.After.State != table.State) {
							t.Errorf("%s, %v answered: the provider's word ends it, not %q", past, kind, j.After.Reason)
						}
					}
				}
			}
		}
	}
}

// judgedWell fails where what was judged isn't what a person and the provider have said.
func judgedWell(t *testing.T, p Payout, j Judged, as acts.As, f finding.Finding) {
	t.Helper()
	a := j.After
	switch {
	case a.EndedByPerson():
		if j.Verdict != WordDone || a.State.String() != string(as) || !a.Own() || a.Absent || a.By != "alice" || a.Action != "01J9" || !strings.Contains(a.Reason, "alice") || a.SettledAt.IsZero() || a.Step != StepAnnounce {
			t.Errorf("ended by a person: %+v", a)
		}
		if a.PaidAmount != "" && (f.Kind != finding.Paid || as != acts.Paid) {
			t.Errorf("%v answered, and %q is said to be paid", f.Kind, a.PaidAmount)
		}
		if a.ConfirmedBy != "" && !(strings.Contains(a.Reason, "forced") && strings.Contains(a.Reason, "bob")) {
			t.Errorf("forced in silence: %q", a.Reason)
		}
	case a.State.Final():
		if a.By != "" || (a.State.String() == string(as)) != (j.Verdict == WordDone) {
			t.Errorf("ended by the provider: %+v", j)
		}
	case j.Verdict == WordDone || a.State != StateHeld || a.By != "" || a.Asks != p.Asks+1:
		t.Errorf("neither ended nor held and asked about: %+v", j)
	}
	if j.Evidence.Finding != f.Kind.String() || j.Evidence.Asks != a.Asks || j.Evidence.At.IsZero() {
		t.Errorf("evidence %+v", j.Evidence)
	}
}

// No word counts while bytes of a send may be on their way, by the earliest reading of the clock. The provider's final
// word does.
func TestAWordComesTooEarly(t *testing.T) {
	p, _ := absentHeld(t, 0)
	p.SendBy = t0.Add(80 * time.Hour)
	policy := with(func(p *Policy) { p.ClockUncertainty = 3 * time.Second })
	from := p.ResolvableFrom().Add(policy.ClockUncertainty)
	if from.Sub(p.SendBy) < 10*time.Second {
		t.Errorf("%v after the last byte", from.Sub(p.SendBy))
	}
	for _, kind := range []finding.Kind{finding.NoRecord, finding.Unclear, finding.UnknownStatus} {
		for _, as := range []acts.As{acts.Paid, acts.Failed} {
			j := p.Resolve(says(as, true), finding.Finding{Kind: kind}, from.Add(-1), policy)
			if j.Verdict != WordTooEarly || !j.Again.Equal(from) || j.After.State != StateHeld || j.After.Asks != p.Asks+1 {
				t.Errorf("%v: %+v", kind, j)
			}
			if j := p.Resolve(says(as, true), finding.Finding{Kind: kind}, from, policy); j.Verdict == WordTooEarly {
				t.Errorf("%v: too early for ever", kind)
			}
		}
	}
	if j := p.Resolve(says(acts.Failed, false), finding.Finding{Kind: finding.Paid}, t0.Add(75*time.Hour), policy); j.Verdict != WordRefused || j.After.State != StatePaid {
		t.Errorf("%+v", j)
	}
}

// Only a held payout is resolved, by a word that says all, forced only by two people.
func TestWhoMayResolveWhat(t *testing.T) {
	for _, s := range States {
		if s == StateHeld {
			continue
		}
		p := in(t, s)
		for _, as := range []acts.As{acts.Paid, acts.Failed} {
			if j := p.Resolve(says(as, true), finding.Finding{Kind: finding.NoRecord}, t0.Add(90*time.Hour), standard()); j.Verdict != WordRefused || j.After.By != "" {
				t.Errorf("%v: %+v", s, j)
			}
		}
	}
	p, now := absentHeld(t, 3)
	orphan := p
	orphan.Command = Command{TradeNo: p.TradeNo, Merchant: p.Merchant}
	lacks := func(change func(*Word)) Word {
		w := says(acts.Failed, true)
		change(&w)
		return w
	}
	for name, c := range map[string]struct {
		p Payout
		w Word
	}{
		"alone":      {p, lacks(func(w *Word) { w.ConfirmedBy = "" })},
		"with self":  {p, lacks(func(w *Word) { w.ConfirmedBy = "alice" })},
		"nobody":     {p, lacks(func(w *Word) { w.By = "" })},
		"no action":  {p, lacks(func(w *Word) { w.Action = "" })},
		"as partial": {p, lacks(func(w *Word) { w.As = "partial" })},
		"an orphan":  {orphan, says(acts.Failed, true)},
	} {
		if j := c.p.Resolve(c.w, finding.Finding{Kind: finding.NoRecord}, now, standard()); j.Verdict != WordRefused || j.After.State != StateHeld {
			t.Errorf("%s: %+v", name, j)
		}
	}
}

// Absences of a held payout count by the same rule as others, and it is asked as often as they may count.
func TestAbsencesAreCountedWhileHeld(t *testing.T) {
	p, now := absentHeld(t, 0)
	none := finding.Finding{Kind: finding.NoRecord}
	p = after(t, p, Ask, none, now, standard())
	if again := after(t, p, Ask, none, now.Add(5*time.Minute-1), standard()); again.NoRecords != 1 || again.State != StateHeld {
		t.Errorf("%d counted", again.NoRecords)
	}
	if p.Due.Sub(now) > 5*time.Minute {
		t.Errorf("asked again after %v", p.Due.Sub(now))
	}
	often := with(func(p *Policy) { p.NoRecord.Every = time.Minute })
	if p = after(t, p, Ask, none, now.Add(time.Minute), often); p.NoRecords != 2 || p.Due.Sub(now) != 2*time.Minute {
		t.Errorf("%d counted, asked again after %v", p.NoRecords, p.Due.Sub(now))
	}
	if p = after(t, p, Ask, finding.Finding{Kind: finding.Processing}, now.Add(time.Hour), often); p.NoRecords != 0 || !p.MaybeShown() {
		t.Errorf("an order was shown, and %d are counted", p.NoRecords)
	}
}

// A refusal says how many absences there are, and when there may be enough.
func TestTooFewAbsencesAreSaid(t *testing.T) {
	p, now := absentHeld(t, 1)
	j := p.Resolve(says(acts.Failed, false), finding.Finding{Kind: finding.NoRecord}, now, standard())
	enough := now.Add(5 * time.Minute).UTC().Format(time.RFC3339)
	if j.Verdict != WordRefused || j.After.NoRecords != 2 || !strings.Contains(j.Why, "2 answers") || !strings.Contains(j.Why, "3 are needed") || !strings.Contains(j.Why, enough) {
		t.Errorf("%+v, want enough at %s", j, enough)
	}
}

// Whose send was taken over may have been acknowledged: the answer was in somebody's hand who died. So absences alone
// don't let one person say that it failed. An answer that was noted, an unclear one too, is no such doubt.
func TestALostAnswerMayHaveBeenAnAcceptance(t *testing.T) {
	noted := func(kind finding.Kind) func(Payout) Payout {
		return func(p Payout) Payout {
			return after(t, p, OwnSend, finding.Finding{Kind: kind}, t0.Add(time.Second), standard())
		}
	}
	again := func(p Payout) Payout { // sent once more, after a proven absence or after nothing left
		p.State, p.Sends, p.LastSentAt, p.SendBy = StateSending, p.Sends+1, t0.Add(time.Hour), t0.Add(time.Hour+30*time.Second)
		return p
	}
	absent := func(p Payout) Payout {
		policy := with(func(p *Policy) { p.NoRecord.Then = Resend })
		for now := p.SendBy.Add(5 * time.Minute); p.State == StateSending; now = now.Add(5 * time.Minute) {
			p = after(t, p, Ask, finding.Finding{Kind: finding.NoRecord, Status: "8000"}, now, policy)
		}
		return p
	}
	for name, c := range map[string]struct {
		past  []func(Payout) Payout
		maybe bool
	}{
		"taken over":                       {nil, true},
		"an unclear answer":                {[]func(Payout) Payout{noted(finding.Unclear)}, false},
		"refused":                          {[]func(Payout) Payout{noted(finding.Refused)}, false},
		"not sent, then taken over":        {[]func(Payout) Payout{noted(finding.NotSent), again}, true},
		"unclear, absent, taken over":      {[]func(Payout) Payout{noted(finding.Unclear), absent, again}, true},
		"taken over, absent, then unclear": {[]func(Payout) Payout{absent, again, noted(finding.Unclear)}, true},
		"unclear, absent, unclear":         {[]func(Payout) Payout{noted(finding.Unclear), absent, again, noted(finding.Unclear)}, false},
	} {
		p := in(t, StateSending)
		for _, step := range c.past {
			p = step(p)
		}
		before := p
		for now := p.SendBy.Add(5 * time.Minute); p.State == StateSending; now = now.Add(5 * time.Minute) {
			p = after(t, p, Ask, finding.Finding{Kind: finding.NoRecord, Status: "8000"}, now, standard())
		}
		if before.LastSend == finding.Refused { // as ever: an absence proves that it failed
			if p.State != StateFailed {
				t.Errorf("%s: %+v", name, p)
			}
			continue
		}
		if p.State != StateHeld || p.MaybeShown() != c.maybe {
			t.Fatalf("%s: %v, may have been shown: %v", name, p.State, p.MaybeShown())
		}
		for force, want := range map[bool]bool{false: !c.maybe, true: true} {
			now := p.NoRecordAt.Add(time.Hour)
			j := p.Resolve(says(acts.Failed, force), finding.Finding{Kind: finding.NoRecord, Status: "8000"}, now, standard())
			if (j.Verdict == WordDone) != want {
				t.Errorf("%s, force %v: %d %s", name, force, j.Verdict, j.Why)
			}
		}
	}
}
