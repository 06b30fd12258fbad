package payout

import (
	"reflect"
	"testing"
	"time"

	"disburser/payout/finding"
	"disburser/payout/money"
)

// t0 is where virtual time begins in these tests.
var t0 = time.Date(2026, 11, 21, 10, 30, 0, 0, time.UTC)

// People's data that must never show up anywhere; distinctive, so that a test can look for it.
const (
	personName   = "Kevin Quatermain"
	personWallet = "01123456789"
)

const lease = 30 * time.Second

// standard is the default policy, without jitter.
func standard() Policy {
	var p Policy
	p.Poll.First, p.Poll.Factor, p.Poll.Max, p.Poll.GiveUp = 2*time.Second, 1.6, 5*time.Minute, 72*time.Hour
	p.NoRecord.Answers, p.NoRecord.Every, p.NoRecord.Then = 3, 5*time.Minute, Hold
	p.UnknownStatus = Hold
	return p
}

func with(change func(*Policy)) Policy {
	p := standard()
	change(&p)
	return p
}

func amountOf(t testing.TB, text string) money.Amount {
	t.Helper()
	a, err := money.Parse(text)
	if err != nil {
		t.Fatalf("ParseAmount(%q): %v", text, err)
	}
	return a
}

func command(t testing.TB) Command {
	t.Helper()
	return Command{
		TradeNo: "20261121103000000001", Merchant: "eg-main", Amount: amountOf(t, "300"), Currency: "EGP",
		Payee:  NewPayee(map[string]string{"customerName": personName, "walletId": personWallet}),
		Remark: "salary 2026-11", BatchID: "2026-11-payroll", BatchSize: 15000,
	}
}

func received(t testing.TB) Payout {
	t.Helper()
	return Begin(command(t), "egypt", Source{Partition: 2, Offset: 17}, "", t0)
}

// leased is what the journal's lease script makes of a received payout: from here on it may have been sent.
func leased(p Payout, now time.Time) Payout {
	p.State, p.Step = StateSending, StepAsk
	p.Sends++
	p.LastSentAt, p.SendBy, p.Due = now, now.Add(lease), now.Add(lease)
	return p
}

// sendingAt is a payout that was leased at t0 and of which nothing is known yet.
func sendingAt(t testing.TB) Payout {
	t.Helper()
	return leased(received(t), t0)
}

// in brings a payout to a state as simply as a worker could.
func in(t testing.TB, s State) Payout {
	t.Helper()
	p := sendingAt(t)
	switch s {
	case StateReceived:
		return received(t)
	case StateSending:
		return p
	case StateProcessing:
		return after(t, p, OwnSend, finding.Finding{Kind: finding.Accepted}, t0.Add(time.Second), standard())
	case StateHeld:
		p = after(t, p, OwnSend, finding.Finding{Kind: finding.Unclear}, t0.Add(time.Second), standard())
		late := t0.Add(73 * time.Hour)
		p = after(t, p, Ask, finding.Finding{Kind: finding.Unclear}, late, standard())
		return p.Announced(late, standard())
	case StatePaid:
		return after(t, p, Ask, finding.Finding{Kind: finding.Paid}, t0.Add(time.Minute), standard())
	case StatePartial:
		p = after(t, p, Ask, finding.Finding{Kind: finding.Partial}, t0.Add(time.Minute), standard())
		return after(t, p, Ask, finding.Finding{Kind: finding.Partial}, t0.Add(time.Hour), standard())
	case StateFailed:
		return after(t, p, Ask, finding.Finding{Kind: finding.Failed}, t0.Add(time.Minute), standard())
	case StateRejected:
		return Begin(command(t), "egypt", Source{}, "amount is missing", t0)
	}
	t.Fatalf("no way to %v", s)
	return Payout{}
}

// after fails the test where the table has no rule.
func after(t testing.TB, p Payout, phase Phase, f finding.Finding, now time.Time, policy Policy) Payout {
	t.Helper()
	next, err := p.After(phase, f, now, policy)
	if err != nil {
		t.Fatal(err)
	}
	return next
}

func wantState(t testing.TB, p Payout, state State, step Step) {
	t.Helper()
	if p.State != state || p.Step != step {
		t.Fatalf("%v, next %v (reason %q); want %v, next %v", p.State, p.Step, p.Reason, state, step)
	}
}

func wantSame(t testing.TB, got, want Payout) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("the payout changed:\n got %+v\nwant %+v", got, want)
	}
}

func wantDue(t testing.TB, p Payout, want time.Time) {
	t.Helper()
	if !p.Due.Equal(want) {
		t.Fatalf("due %v, want %v (%v later)", p.Due, want, p.Due.Sub(want))
	}
}
