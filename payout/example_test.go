package payout_test

import (
	"fmt"
	"time"

	"disburser/payout"
	"disburser/payout/finding"
)

// After is the table of states: what an answer of the provider makes of a payout. A send
// whose answer was lost stays sending, and is asked about. Only an ask ends it.
func ExamplePayout_After() {
	now := time.Date(2026, 11, 25, 6, 0, 0, 0, time.UTC)
	policy := payout.Policy{Poll: payout.Poll{First: 2 * time.Second, Factor: 1.6, Max: 5 * time.Minute, GiveUp: 72 * time.Hour}}
	p := payout.Payout{Command: payout.Command{TradeNo: "t-1"}, State: payout.StateSending, Sends: 1, FirstSentAt: now, LastSentAt: now}

	p, err := p.After(payout.OwnSend, finding.Finding{Kind: finding.Unclear, Detail: "timeout"}, now, policy)
	fmt.Println(p.State, p.Step, p.Due.Sub(now), err)

	p, err = p.After(payout.Ask, finding.Finding{Kind: finding.Paid, Status: "0000"}, now.Add(2*time.Second), policy)
	fmt.Println(p.State, p.Step, err)
	// Output:
	// sending ask 2s <nil>
	// paid announce <nil>
}
