package payout

import (
	"strings"
	"testing"
	"time"

	"disburser/payout/finding"
)

// refusedRound is one more send that is refused, and the proof that it isn't there.
func refusedRound(t testing.TB, p Payout, now time.Time, policy Policy) (Payout, time.Time) {
	t.Helper()
	p = after(t, leased(p, now), OwnSend, finding.Finding{Kind: finding.Refused}, now.Add(time.Second), policy)
	return evidence(t, p, policy)
}

// Two old payouts are refused for reasons of their own. The third is good, and its send would
// end the rest: the probes must come to it.
func TestProbesRotate(t *testing.T) {
	policy := refusing(resending())
	queue := make([]Payout, 3)
	for i := range queue {
		queue[i] = received(t)
		queue[i].TradeNo = string(rune('a' + i))
		queue[i].ReceivedAt = t0.Add(time.Duration(i) * time.Second)
		queue[i].Due = queue[i].ReceivedAt
	}
	now, order := t0.Add(time.Minute), ""
	for range 12 {
		first := 0
		for i := range queue {
			if queue[i].Due.Before(queue[first].Due) {
				first = i
			}
		}
		if order += queue[first].TradeNo; first == 2 {
			return
		}
		queue[first], now = refusedRound(t, queue[first], now, policy)
		wantState(t, queue[first], StateReceived, StepSend)
		now = now.Add(time.Minute)
	}
	t.Fatalf("the good one is never a probe: %s", order)
}

func TestResendsAreBounded(t *testing.T) {
	policy := refusing(resending())
	policy.Poll.GiveUp = 10000 * time.Hour
	p, now := received(t), t0
	for p.State == StateReceived && p.Sends < 100 {
		p, now = refusedRound(t, p, now, policy)
	}
	wantState(t, p, StateFailed, StepAnnounce)
	if p.Sends > 50 || !p.Absent {
		t.Errorf("%d sends, absent %v: the journal counts to 99", p.Sends, p.Absent)
	}

	p, now = received(t), t0
	for p.State == StateReceived && p.Sends < 100 {
		p, now = evidence(t, leased(p, now), policy)
	}
	wantState(t, p, StateHeld, StepAnnounce)
	if p.Sends > 50 {
		t.Errorf("%d sends", p.Sends)
	}
}

func TestWhatWasRefusedAndExpires(t *testing.T) {
	policy := refusing(resending())
	refused, now := refusedRound(t, received(t), t0, policy)
	thrice, _ := refusedRound(t, refused, now, policy)
	thrice, now = refusedRound(t, thrice, now.Add(time.Hour), policy)
	unanswered, _ := evidence(t, leased(received(t), t0), policy)
	mixed, _ := refusedRound(t, unanswered, now, policy)
	after := func(p Payout, err error) Payout {
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	for name, test := range map[string]struct {
		p      Payout
		state  State
		reason string
	}{
		"refused once":                      {refused, StateFailed, "refused"},
		"refused thrice":                    {thrice, StateFailed, "refused"},
		"refused, then given back":          {after(leased(refused, now).GiveBack(now, false)), StateFailed, "refused"},
		"refused, then unacknowledged":      {after(leased(refused, now).GiveBack(now, true)), StateHeld, "may still stand in the log"},
		"never answered, absent":            {unanswered, StateHeld, "not refused every send"},
		"never answered, then refused":      {mixed, StateHeld, "not refused every send"},
		"never sent, unacknowledged":        {after(leased(received(t), now).GiveBack(now, true)), StateHeld, "may still stand in the log"},
		"carried forward, sent by somebody": {func() Payout { p := received(t); p.Sends = 2; return p }(), StateHeld, "a send that may have happened"},
		"refused, sent again by somebody":   {func() Payout { p := refused; p.Sends++; return p }(), StateHeld, "a send that may have happened"},
	} {
		t.Run(name, func(t *testing.T) {
			p := test.p
			p.ExpiresAt = now.Add(time.Hour)
			p, err := p.NotSendable(p.ExpiresAt, p.Account)
			if err != nil || p.State != test.state || p.Own() != (test.state == StateFailed) || !strings.Contains(p.Reason, test.reason) {
				t.Errorf("%v, own %v, %q, %v", p.State, p.Own(), p.Reason, err)
			}
		})
	}
}
