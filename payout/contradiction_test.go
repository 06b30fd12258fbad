package payout

import (
	"strings"
	"testing"
	"time"

	"disburser/payout/finding"
	"disburser/payout/money"
)

// What contradicts is announced with it, or held; from every state in which an outcome comes.
func TestContradictions(t *testing.T) {
	holding := with(func(p *Policy) { p.Contradiction = Hold })
	for _, test := range []struct {
		name    string
		f       finding.Finding
		final   State
		says    string // "" = no contradiction
		partial bool   // seen twice
	}{
		{"paid all", finding.Finding{Kind: finding.Paid, Share: money.ShareAll, PaidAmount: "300.00"}, StatePaid, "", false},
		{"no readable amount", finding.Finding{Kind: finding.Paid}, StatePaid, "", false},
		{"paid 30 of 300", finding.Finding{Kind: finding.Paid, Share: money.SharePart, PaidAmount: "30"}, StatePaid, "the paid amount is 30 where 300 was ordered", false},
		{"paid too much", finding.Finding{Kind: finding.Paid, Share: money.ShareMore, PaidAmount: "30000"}, StatePaid, "30000", false},
		{"paid nothing", finding.Finding{Kind: finding.Paid, Share: money.ShareNothing, PaidAmount: "0"}, StatePaid, "0", false},
		{"another amount, hidden", finding.Finding{Kind: finding.Paid, Share: money.ShareMore, PaidAmount: "***"}, StatePaid, "***", false},
		{"a part", finding.Finding{Kind: finding.Partial, Share: money.SharePart, PaidAmount: "120"}, StatePartial, "", true},
		{"partial without an amount", finding.Finding{Kind: finding.Partial}, StatePartial, "", true},
		{"partial, yet all", finding.Finding{Kind: finding.Partial, Share: money.ShareAll, PaidAmount: "300"}, StatePartial, "300", true},
		{"partial, yet more", finding.Finding{Kind: finding.Partial, Share: money.ShareMore, PaidAmount: "301"}, StatePartial, "301", true},
		{"partial, yet nothing", finding.Finding{Kind: finding.Partial, Share: money.ShareNothing, PaidAmount: "0"}, StatePartial, "0", true},
		{"failed with any amount", finding.Finding{Kind: finding.Failed, Share: money.ShareMore, PaidAmount: "30000"}, StateFailed, "", false}, // the samples have one
		{"just not before", finding.Finding{Kind: finding.Paid, Share: money.ShareAll, SucceededAt: t0.Add(-26 * time.Hour)}, StatePaid, "", false},
		{"before", finding.Finding{Kind: finding.Paid, Share: money.ShareAll, SucceededAt: t0.Add(-26*time.Hour - time.Second)}, StatePaid, "the success time 2026-11-20 08:29:59 is more than 26 hours before the first send at 2026-11-21T10:30:00.000Z", false},
		{"failed before", finding.Finding{Kind: finding.Failed, SucceededAt: t0.Add(-40 * 24 * time.Hour)}, StateFailed, "success time", false},
		{"after", finding.Finding{Kind: finding.Paid, Share: money.ShareAll, SucceededAt: t0.Add(400 * 24 * time.Hour)}, StatePaid, "", false},
		{"both", finding.Finding{Kind: finding.Paid, Share: money.SharePart, PaidAmount: "30", SucceededAt: t0.Add(-40 * 24 * time.Hour)}, StatePaid, "ordered; the success time", false},
	} {
		for _, start := range []State{StateSending, StateProcessing, StateHeld} {
			for _, policy := range []Policy{standard(), holding} {
				p, now := in(t, start), t0.Add(80*time.Hour)
				if start != StateHeld {
					now = t0.Add(10 * time.Minute)
				}
				p = after(t, p, Ask, test.f, now, policy)
				if test.partial {
					now = now.Add(time.Hour)
					p = after(t, p, Ask, test.f, now, policy)
				}
				if test.says != "" && policy.Contradiction == Hold {
					wantState(t, p, StateHeld, StepAnnounce)
					if !strings.Contains(p.Reason, p.Contradiction) || p.Contradiction == "" || !strings.Contains(p.Reason, test.final.String()) {
						t.Errorf("%s: reason %q, contradiction %q", test.name, p.Reason, p.Contradiction)
					}
					continue
				}
				wantState(t, p, test.final, StepAnnounce)
				if (p.Contradiction == "") != (test.says == "") || !strings.Contains(p.Contradiction, test.says) || p.Own() {
					t.Errorf("%s from %v: contradiction %q, want %q", test.name, start, p.Contradiction, test.says)
				}
				if said := p.Contradicted(); said != p.Contradiction {
					t.Errorf("%s: announced %q", test.name, said)
				}
			}
		}
	}
}

// A payout that was carried forward into a lost journal: nobody knows when it was sent first. A
// payout that the insert itself has held: nobody knows whether it was sent.
func TestNoContradictionWithAnUnknownFirstSend(t *testing.T) {
	weeksAgo := finding.Finding{Kind: finding.Paid, Share: money.ShareAll, SucceededAt: t0.Add(-40 * 24 * time.Hour)}
	carried := sendingAt(t)
	carried.SendBy = carried.LastSentAt // as insert.lua writes it
	unsent := received(t)
	unsent.State, unsent.Step = StateHeld, StepAsk
	for name, p := range map[string]Payout{"carried": carried, "held by the insert": unsent} {
		p = after(t, p, Ask, finding.Finding{Kind: finding.Unclear}, t0.Add(time.Minute), standard())
		p = after(t, p, Ask, weeksAgo, t0.Add(time.Hour), with(func(p *Policy) { p.Contradiction = Hold }))
		if p.State != StatePaid || p.Contradiction != "" {
			t.Errorf("%s: %v, contradiction %q", name, p.State, p.Contradiction)
		}
	}
}

// A held contradiction is announced once, and stays held while the provider says the same. It
// ends with an answer that fits, or as the operator has chosen since.
func TestAHeldContradictionDoesNotLoop(t *testing.T) {
	holding := with(func(p *Policy) { p.Contradiction = Hold })
	wrong := finding.Finding{Kind: finding.Paid, Status: "0000", Share: money.SharePart, PaidAmount: "30"}
	now := t0.Add(time.Minute)
	p := after(t, sendingAt(t), Ask, wrong, now, holding)
	wantState(t, p, StateHeld, StepAnnounce)
	heldAt := p.HeldAt
	for i := range 5 {
		p = p.Announced(now, holding)
		now = now.Add(5 * time.Minute)
		if i == 3 {
			wrong.PaidAmount, wrong.Share = "31", money.SharePart // another one tells no more
		}
		p = after(t, p, Ask, wrong, now, holding)
		wantState(t, p, StateHeld, StepAsk)
		wantDue(t, p, now.Add(5*time.Minute))
		if !p.HeldAt.Equal(heldAt) {
			t.Fatal("held again")
		}
	}
	if announcing := after(t, p, Ask, wrong, now, standard()); announcing.State != StatePaid || announcing.Contradiction == "" {
		t.Errorf("the operator wants it announced now: %v %q", announcing.State, announcing.Contradiction)
	}
	wrong.Share, wrong.PaidAmount = money.ShareAll, "300"
	p = after(t, p, Ask, wrong, now, holding)
	wantState(t, p, StatePaid, StepAnnounce)
	if p.Contradiction != "" || p.Reason != "" || p.PaidAmount != "300" {
		t.Errorf("contradiction %q, reason %q, paid %q", p.Contradiction, p.Reason, p.PaidAmount)
	}
}

// Who held it for another reason is told of the contradiction too, once.
func TestAContradictionOfAHeldPayoutIsTold(t *testing.T) {
	holding := with(func(p *Policy) { p.Contradiction = Hold })
	p, now := in(t, StateHeld), t0.Add(80*time.Hour)
	p = after(t, p, Ask, finding.Finding{Kind: finding.Paid, Share: money.SharePart, PaidAmount: "30"}, now, holding)
	wantState(t, p, StateHeld, StepAnnounce)
	if !p.HeldAt.Equal(now) { // else both events would have one id
		t.Errorf("held at %v", p.HeldAt)
	}
}

// An answer that decides nothing and yet speaks of an order voids absence as a proof.
func TestAnUnclearAnswerAboutAnOrder(t *testing.T) {
	for _, phase := range []Phase{OwnSend, Ask} {
		p := after(t, sendingAt(t), phase, finding.Finding{Kind: finding.Unclear, Order: true, Status: "0000"}, t0.Add(time.Second), resending())
		wantState(t, p, StateSending, StepAsk)
		if p.Status != "" {
			t.Errorf("status %q of an unclear answer", p.Status)
		}
		if p, _ = evidence(t, p, resending()); p.State != StateHeld {
			t.Errorf("%c: it is %v", phase, p.State)
		}
	}
	p := after(t, sendingAt(t), OwnSend, finding.Finding{Kind: finding.Refused}, t0.Add(time.Second), standard())
	p = after(t, p, Ask, finding.Finding{Kind: finding.Unclear, Order: true}, t0.Add(2*time.Second), standard())
	if p, _ = evidence(t, p, standard()); p.State != StateHeld {
		t.Errorf("refused, shown and absent: it is %v", p.State)
	}
	p = after(t, sendingAt(t), Ask, finding.Finding{Kind: finding.NoRecord}, t0.Add(lease+5*time.Minute), standard())
	p = after(t, p, Ask, finding.Finding{Kind: finding.Unclear, Order: true}, t0.Add(lease+6*time.Minute), standard())
	if p.NoRecords != 0 {
		t.Errorf("%d counted before it was shown", p.NoRecords)
	}
}

// Two codes that look the same because people's data in them is hidden are two codes.
func TestHiddenStatusesAreToldApart(t *testing.T) {
	failing := with(func(p *Policy) { p.UnknownStatus = Fail })
	p := after(t, sendingAt(t), Ask, finding.Finding{Kind: finding.UnknownStatus, Status: "***", StatusKey: "a"}, t0.Add(time.Minute), failing)
	p = after(t, p, Ask, finding.Finding{Kind: finding.UnknownStatus, Status: "***", StatusKey: "b"}, t0.Add(2*time.Minute), failing)
	wantState(t, p, StateSending, StepAsk)
	p = after(t, p, Ask, finding.Finding{Kind: finding.UnknownStatus, Status: "***", StatusKey: "b"}, t0.Add(3*time.Minute), failing)
	wantState(t, p, StateFailed, StepAnnounce)
}

// An unknown status that is held is announced once.
func TestAHeldUnknownStatusIsToldOnce(t *testing.T) {
	unknown := finding.Finding{Kind: finding.UnknownStatus, Status: "00032"}
	p := after(t, sendingAt(t), Ask, unknown, t0.Add(time.Minute), standard())
	p = after(t, p, Ask, unknown, t0.Add(2*time.Minute), standard())
	wantState(t, p, StateHeld, StepAnnounce)
	p = p.Announced(t0.Add(3*time.Minute), standard())
	p = after(t, p, Ask, unknown, t0.Add(8*time.Minute), standard())
	wantState(t, p, StateHeld, StepAsk)
	p = after(t, p, Ask, unknown, t0.Add(13*time.Minute), with(func(p *Policy) { p.UnknownStatus = Fail }))
	wantState(t, p, StateFailed, StepAnnounce)
	if p.Own() {
		t.Error("by our word")
	}
}

func TestWordless(t *testing.T) {
	f := finding.Finding{Kind: finding.UnknownStatus, Status: "WALLET 0112", StatusText: "kevin", PlatformTradeNo: "0112", PaidAmount: "300", SuccessTime: "kevin"}
	want := finding.Finding{Kind: finding.UnknownStatus, Status: "***", StatusKey: "WALLET 0112", PaidAmount: "300"}
	if got := f.Wordless(); got != want {
		t.Errorf("got %+v", got)
	}
	half := finding.Finding{Kind: finding.UnknownStatus, Status: "KEVIN ***", StatusKey: "ab12"} // an orphan's payee isn't known: what is left may be people's data
	if got := half.Wordless(); got != (finding.Finding{Kind: finding.UnknownStatus, Status: "***", StatusKey: "ab12"}) {
		t.Errorf("got %+v", got)
	}
	f = finding.Finding{Kind: finding.Paid, Status: "0000", SuccessTime: "2026-11-21 18:34:31", SucceededAt: t0}
	if got := f.Wordless(); got != f {
		t.Errorf("got %+v", got)
	}
	if !(Payout{}).Orphan() || received(t).Orphan() {
		t.Error("which payouts are without a command")
	}
}

// Of what a rebuild has learned only a later send may be known: no success is too early for it.
func TestAnEarlySuccessOfAPayoutSentMoreThanOnce(t *testing.T) {
	early := finding.Finding{Kind: finding.Paid, Status: "0000", Share: money.ShareAll, PaidAmount: "300", SucceededAt: t0.Add(-48 * time.Hour)}
	p := sendingAt(t)
	if got := after(t, p, Ask, early, t0.Add(time.Minute), standard()); got.Contradiction == "" {
		t.Error("a success two days before the only send is none of it")
	}
	p.Sends = 2
	if got := after(t, p, Ask, early, t0.Add(time.Minute), standard()); got.State != StatePaid || got.Contradiction != "" {
		t.Errorf("%v: %s", got.State, got.Contradiction)
	}
}

// An orphan's outcome is compared with the amount as soon as its command is known.
func TestAnOrphansOutcomeIsJudgedAtTheAnnouncement(t *testing.T) {
	for _, test := range []struct {
		state        State
		paid         string
		contradicted bool
	}{
		{StatePaid, "300", false}, {StatePaid, "300.00", false}, {StatePaid, "3", true}, {StatePaid, "***", false}, {StatePaid, "", false},
		{StatePartial, "3", false}, {StatePartial, "300", true}, {StateFailed, "", false}, {StateHeld, "3", false},
	} {
		p := sendingAt(t)
		p.State, p.Step, p.PaidAmount = test.state, StepAnnounce, test.paid
		said := p.Contradicted()
		if (said != "") != test.contradicted {
			t.Errorf("%v of %q: %q", test.state, test.paid, said)
		}
		p.Contradiction = "known"
		if said = p.Contradicted(); said != "known" {
			t.Errorf("what was known is %q", said)
		}
		p.Command, p.Contradiction = Command{TradeNo: p.TradeNo}, ""
		if said = p.Contradicted(); said != "" {
			t.Errorf("an orphan's %v of %q: %q", test.state, test.paid, said)
		}
	}
}
