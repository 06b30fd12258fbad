package payout

import (
	"strings"
	"testing"
	"time"

	"disburser/payout/finding"
	"disburser/payout/money"
)

func failingUnknown() Policy { return with(func(p *Policy) { p.UnknownStatus = Fail }) }

// Where money was seen to go out, wholly or in part, an unknown status says nothing of failure.
func TestAnUnknownStatusFailsNothingThatMayBePaid(t *testing.T) {
	holding := failingUnknown()
	holding.Contradiction = Hold
	unknown := finding.Finding{Kind: finding.UnknownStatus, Status: "00032"}
	early := unknown
	early.SucceededAt = t0.Add(-48 * time.Hour)
	for name, test := range map[string]struct {
		seen, then finding.Finding
	}{
		"partial":                         {finding.Finding{Kind: finding.Partial, Status: "0001"}, unknown},
		"another amount":                  {finding.Finding{Kind: finding.Paid, Status: "0000", Share: money.SharePart, PaidAmount: "1"}, unknown},
		"the code's own time contradicts": {finding.Finding{Kind: finding.Processing, Status: "0015"}, early},
	} {
		t.Run(name, func(t *testing.T) {
			p := after(t, in(t, StateSending), OwnSend, finding.Finding{Kind: finding.Accepted}, t0.Add(time.Second), holding)
			p = after(t, p, Ask, test.seen, t0.Add(time.Minute), holding)
			for i := range 4 {
				if p.Step == StepAnnounce {
					p = p.Announced(t0.Add(time.Hour), holding)
				}
				p = after(t, p, Ask, test.then, t0.Add(time.Duration(i+2)*time.Hour), holding)
			}
			if p.State != StateHeld {
				t.Errorf("%v: %s", p.State, p.Reason)
			}
		})
	}
}

// As processing does: two sights with an outcome between them are not two in a row.
func TestWhatIsSeenInBetweenIsEvidenceAgainstAnUnknownStatus(t *testing.T) {
	holding := standard()
	holding.Contradiction = Hold
	for name, seen := range map[string]finding.Finding{
		"partial":       {Kind: finding.Partial, Status: "0001"},
		"contradictory": {Kind: finding.Paid, Status: "0000", Share: money.SharePart, PaidAmount: "1"},
	} {
		p := after(t, in(t, StateProcessing), Ask, finding.Finding{Kind: finding.UnknownStatus, Status: "00032"}, t0.Add(time.Minute), holding)
		p = after(t, p, Ask, seen, t0.Add(2*time.Minute), holding)
		if p.Unknown != "" {
			t.Errorf("%s: %q is still half of a proof", name, p.Unknown)
		}
	}
}

func TestWhyAnUnknownStatusFails(t *testing.T) {
	p := in(t, StateProcessing)
	for i := range 2 {
		p = after(t, p, Ask, finding.Finding{Kind: finding.UnknownStatus, Status: "00032"}, t0.Add(time.Duration(i+1)*time.Minute), failingUnknown())
	}
	if p.State != StateFailed || p.Reason != "an unknown status, seen twice; unknown_status is fail" || p.Own() || strings.Contains(p.Reason, "says that it failed") {
		t.Errorf("%v: %q", p.State, p.Reason)
	}
}
