package payout

import (
	"strings"
	"testing"
	"time"

	"disburser/payout/finding"
)

func TestAnAccountIsNamedByNumberAndURL(t *testing.T) {
	a := AccountOf("0000000001", "https://a.example/egy-pay")
	if len(a) != accountLen || a != AccountOf("0000000001", "https://a.example/egy-pay/") {
		t.Errorf("%q", a)
	}
	for _, same := range []string{"HTTPS://A.Example/egy-pay", "https://a.example:443/egy-pay", "https://A.example:443/egy-pay//"} {
		if AccountOf("0000000001", same) != a {
			t.Errorf("%s is another account", same)
		}
	}
	for _, other := range []Account{AccountOf("0000000001", "https://a.example/Egy-pay"), AccountOf("0000000001", "https://a.example:80/egy-pay"), AccountOf("0000000001", "http://a.example/egy-pay"), AccountOf("0000000002", "https://a.example/egy-pay"), AccountOf("0000000001", "https://b.example/egy-pay"), AccountOf("", "0000000001https://a.example/egy-pay")} {
		if other == a || other == SeveralAccounts || other == "" {
			t.Errorf("%q is the same account", other)
		}
	}
}

// What another account says of a payout's absence is no evidence: nothing fails by it, and
// nothing is sent again. Where nobody knows the account it isn't evidence enough.
func TestAbsenceCountsAtTheAccountOfTheSendOnly(t *testing.T) {
	const here, there Account = "here0000", "there000"
	asked := func(policy Policy) Policy { policy.Account = here; return policy }
	for name, test := range map[string]struct {
		account Account
		answer  finding.Kind // of the send
		then    Choice
		state   State
		reason  string
		after   int // asks until it is held, or ends
	}{
		"refused here":             {here, finding.Refused, Hold, StateFailed, "the provider refused it and has no record of it", 3},
		"unclear here, resend":     {here, finding.Unclear, Resend, StateReceived, "", 3},
		"unclear here":             {here, finding.Unclear, Hold, StateHeld, "has no record", 3},
		"refused there":            {there, finding.Refused, Hold, StateHeld, "another account", 3},
		"unclear there, resend":    {there, finding.Unclear, Resend, StateHeld, "another account", 3},
		"accepted there":           {there, finding.Accepted, Resend, StateHeld, "another account", 3},
		"failed there":             {there, finding.SettledFailed, Resend, StateHeld, "another account", 3},
		"sent to several":          {SeveralAccounts, finding.Unclear, Resend, StateHeld, "another account", 3},
		"refused, nobody knows":    {"", finding.Refused, Hold, StateHeld, "nobody knows to which account", 3},
		"unclear, nobody knows":    {"", finding.Unclear, Resend, StateHeld, "nobody knows to which account", 3},
		"a failure, nobody knows":  {"", finding.SettledFailed, Hold, StateHeld, "nobody knows to which account", 3},
		"a failure here is absent": {here, finding.SettledFailed, Hold, StateFailed, "answered the send with a failure", 3},
	} {
		t.Run(name, func(t *testing.T) {
			policy := asked(with(func(p *Policy) { p.NoRecord.Then = test.then }))
			p := sendingAt(t)
			p.Account = test.account
			p = after(t, p, OwnSend, finding.Finding{Kind: test.answer}, t0.Add(time.Second), policy)
			now, asks := p.SendBy, 0
			for p.Step == StepAsk && asks < 9 {
				now = now.Add(policy.NoRecord.Every)
				p = after(t, p, Ask, finding.Finding{Kind: finding.NoRecord}, now, policy)
				asks++
			}
			if p.State != test.state || !strings.Contains(p.Reason, test.reason) || asks != test.after {
				t.Fatalf("%v after %d asks, because %q", p.State, asks, p.Reason)
			}
			if p.State != StateHeld {
				return
			}
			// What the account says that it has counts, whichever it is.
			if p = after(t, p, Ask, finding.Finding{Kind: finding.Paid}, now.Add(time.Hour), policy); p.State != StatePaid {
				t.Errorf("found paid it is %v", p.State)
			}
		})
	}
}

// What was never sent may go to any account, what was sent only to the same one.
func TestNotSendable(t *testing.T) {
	const here, there Account = "here0000", "there000"
	sent := func(account Account) Payout {
		p := resent(t)
		p.Account = account
		return p
	}
	expired := func(p Payout) Payout { p.ExpiresAt = t0; return p }
	now := t0.Add(time.Hour)
	for name, test := range map[string]struct {
		payout Payout
		state  State
		step   Step
	}{
		"sent there":               {sent(there), StateHeld, StepAnnounce},
		"sent there, expired":      {expired(sent(there)), StateHeld, StepAnnounce},
		"sent, nobody knows where": {sent(""), StateHeld, StepAnnounce},
		"sent to several":          {sent(SeveralAccounts), StateHeld, StepAnnounce},
		"sent here":                {sent(here), StateReceived, StepSend},
		"sent here, expired":       {expired(sent(here)), StateHeld, StepAnnounce},
		"expired and never sent":   {expired(received(t)), StateRejected, StepAnnounce},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := test.payout.NotSendable(now, here)
			if err != nil {
				t.Fatal(err)
			}
			wantState(t, p, test.state, test.step)
			if p.State == StateReceived && !p.Due.After(now) {
				t.Error("two instances with different accounts would pass it back and forth without a pause")
			}
		})
	}
	if _, err := received(t).NotSendable(now, here); err == nil {
		t.Error("what may be sent expired")
	}
}

// A send that certainly didn't leave went to no account.
func TestWhatDidNotLeaveWentToNoAccount(t *testing.T) {
	p := sendingAt(t)
	p.Account = "there000"
	if p = after(t, p, OwnSend, finding.Finding{Kind: finding.NotSent}, t0.Add(time.Second), standard()); p.Account != "" || p.Sends != 0 {
		t.Errorf("%+v", p)
	}
	p = leased(resent(t), t0)
	p.Account = "there000"
	if p = after(t, p, OwnSend, finding.Finding{Kind: finding.NotSent}, t0.Add(time.Second), standard()); p.Account != "there000" {
		t.Errorf("an earlier send is forgotten: %+v", p)
	}
}

// A first answer "no record" holds nothing, because absences need their time. The provider may
// know nobody's order for a moment. Or the account is changed while the fleet is rolled out.
func TestAnotherAccountsAbsenceIsCountedToo(t *testing.T) {
	policy := with(func(p *Policy) { p.Account = "here0000" })
	p := sendingAt(t)
	p.Account = "there000"
	now := p.SendBy.Add(policy.NoRecord.Every)
	if !p.NoRecordMayCount(now, policy) {
		t.Error("it is not even looked whether the answer can be believed")
	}
	for range 9 { // at once: one answer, however often
		p = after(t, p, Ask, finding.Finding{Kind: finding.NoRecord}, now, policy)
	}
	if p.State != StateSending || p.NoRecords != 1 {
		t.Fatalf("%v, %d counted", p.State, p.NoRecords)
	}
	if p = after(t, p, Ask, finding.Finding{Kind: finding.Processing}, now.Add(time.Second), policy); p.State != StateProcessing || p.NoRecords != 0 {
		t.Errorf("%v, %d counted", p.State, p.NoRecords)
	}
}

// An unknown status fails only what was sent to the account that answers.
func TestUnknownStatusOfAnotherAccount(t *testing.T) {
	for account, want := range map[Account]State{"here0000": StateFailed, "there000": StateHeld, "": StateHeld, SeveralAccounts: StateHeld} {
		policy := with(func(p *Policy) { p.Account, p.UnknownStatus = "here0000", Fail })
		p := sendingAt(t)
		p.Account = account
		now := p.SendBy
		for range 2 {
			now = now.Add(policy.NoRecord.Every)
			p = after(t, p, Ask, finding.Finding{Kind: finding.UnknownStatus, Status: "0099"}, now, policy)
		}
		if p.State != want {
			t.Errorf("account %q: %v, want %v", account, p.State, want)
		}
	}
}

// Absences of two accounts are not added. During a rollout, two absences of the new one and one
// of the old one would else prove what only the old one can tell.
func TestAbsencesOfTwoAccountsAreNotAdded(t *testing.T) {
	here, there := with(func(p *Policy) { p.Account, p.NoRecord.Then = "here0000", Resend }), with(func(p *Policy) { p.Account, p.NoRecord.Then = "there000", Resend })
	p := sendingAt(t)
	p.Account = "here0000"
	now := p.SendBy
	for range here.NoRecord.Answers - 1 {
		now = now.Add(here.NoRecord.Every)
		p = after(t, p, Ask, finding.Finding{Kind: finding.NoRecord}, now, there)
	}
	now = now.Add(here.NoRecord.Every)
	if p = after(t, p, Ask, finding.Finding{Kind: finding.NoRecord}, now, here); p.State != StateSending || p.NoRecords != 1 {
		t.Errorf("%v after one absence at its own account, %d counted", p.State, p.NoRecords)
	}
}
