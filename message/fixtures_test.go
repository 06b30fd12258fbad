package message

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"disburser/payout"
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
func standard() payout.Policy {
	var p payout.Policy
	p.Poll.First, p.Poll.Factor, p.Poll.Max, p.Poll.GiveUp = 2*time.Second, 1.6, 5*time.Minute, 72*time.Hour
	p.NoRecord.Answers, p.NoRecord.Every, p.NoRecord.Then = 3, 5*time.Minute, payout.Hold
	p.UnknownStatus = payout.Hold
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

func command(t testing.TB) payout.Command {
	t.Helper()
	return payout.Command{
		TradeNo: "20261121103000000001", Merchant: "eg-main", Amount: amountOf(t, "300"), Currency: "EGP",
		Payee:  payout.NewPayee(map[string]string{"customerName": personName, "walletId": personWallet}),
		Remark: "salary 2026-11", BatchID: "2026-11-payroll", BatchSize: 15000,
	}
}

func received(t testing.TB) payout.Payout {
	t.Helper()
	return payout.Begin(command(t), "egypt", payout.Source{Partition: 2, Offset: 17}, "", t0)
}

// leased is what the journal's lease script makes of a received payout: from here on it may have been sent.
func leased(p payout.Payout, now time.Time) payout.Payout {
	p.State, p.Step = payout.StateSending, payout.StepAsk
	p.Sends++
	p.LastSentAt, p.SendBy, p.Due = now, now.Add(lease), now.Add(lease)
	return p
}

// sendingAt is a payout that was leased at t0 and of which nothing is known yet.
func sendingAt(t testing.TB) payout.Payout {
	t.Helper()
	return leased(received(t), t0)
}

// in brings a payout to a state as simply as a worker could.
func in(t testing.TB, s payout.State) payout.Payout {
	t.Helper()
	p := sendingAt(t)
	switch s {
	case payout.StateReceived:
		return received(t)
	case payout.StateSending:
		return p
	case payout.StateProcessing:
		return after(t, p, payout.OwnSend, finding.Finding{Kind: finding.Accepted}, t0.Add(time.Second), standard())
	case payout.StateHeld:
		late := t0.Add(73 * time.Hour)
		p = after(t, p, payout.Ask, finding.Finding{Kind: finding.Unclear}, late, standard())
		return p.Announced(late, standard())
	case payout.StatePaid:
		return after(t, p, payout.Ask, finding.Finding{Kind: finding.Paid}, t0.Add(time.Minute), standard())
	case payout.StatePartial:
		p = after(t, p, payout.Ask, finding.Finding{Kind: finding.Partial}, t0.Add(time.Minute), standard())
		return after(t, p, payout.Ask, finding.Finding{Kind: finding.Partial}, t0.Add(time.Hour), standard())
	case payout.StateFailed:
		return after(t, p, payout.Ask, finding.Finding{Kind: finding.Failed}, t0.Add(time.Minute), standard())
	case payout.StateRejected:
		return payout.Begin(command(t), "egypt", payout.Source{}, "amount is missing", t0)
	}
	t.Fatalf("no way to %v", s)
	return payout.Payout{}
}

// after fails the test where the table has no rule.
func after(t testing.TB, p payout.Payout, phase payout.Phase, f finding.Finding, now time.Time, policy payout.Policy) payout.Payout {
	t.Helper()
	next, err := p.After(phase, f, now, policy)
	if err != nil {
		t.Fatal(err)
	}
	return next
}

// hides fails where any of the values, in clear or as bytes in hex or numbers, stands in what was printed.
func hides(t *testing.T, how, printed string) {
	t.Helper()
	for _, value := range []string{personName, personWallet} {
		for _, form := range []string{value, fmt.Sprintf("%x", value), fmt.Sprintf("%X", value), strings.Trim(fmt.Sprint([]byte(value)), "[]")} {
			if strings.Contains(printed, form) {
				t.Errorf("%s prints %s", how, printed)
			}
		}
	}
}

// What a message is read into, or made of, prints no people's data; and a result carries none.
func TestNothingReadOrWrittenPrintsPeoplesData(t *testing.T) {
	c := command(t)
	result, _ := EventOf(in(t, payout.StatePaid))
	for name, value := range map[string]any{"order": Order{Command: c}, "orders": []Order{{Command: c}}, "result": result} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
			hides(t, name+" by "+verb, fmt.Sprintf(verb, value))
		}
		if raw, err := json.Marshal(value); err == nil {
			hides(t, name+" as JSON", string(raw))
		} else if name == "result" {
			t.Error(err)
		}
	}
}
func payee(pairs ...string) payout.Payee {
	fields := map[string]string{}
	for i := 0; i < len(pairs); i += 2 {
		fields[pairs[i]] = pairs[i+1]
	}
	return payout.NewPayee(fields)
}
