package payout

import (
	"fmt"
	"testing"
	"time"

	"disburser/payout/finding"
)

func TestSomeExplore(t *testing.T) {
	n := 0
	for i := range 16000 {
		if _, ok := explores(fmt.Sprintf("20261125-%06d", i)); ok {
			n++
		}
	}
	if n < 500 || n > 840 {
		t.Errorf("%d of 16000 explore", n)
	}
}

// What an answer tells about when a payout settles.
func TestSettleObservation(t *testing.T) {
	sent := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	base := Payout{State: StateProcessing, Sends: 1, LastSentAt: sent}
	for _, c := range []struct {
		name          string
		change        func(*Payout)
		kind          finding.Kind
		after, before time.Duration
		ok            bool
	}{
		{"paid at the first ask", func(*Payout) {}, finding.Paid, 0, time.Minute, true},
		{"failed at the first ask", func(*Payout) {}, finding.Failed, 0, time.Minute, true},
		{"after a sight", func(p *Payout) { p.PendingAt = sent.Add(40 * time.Second) }, finding.Paid, 40 * time.Second, time.Minute, true},
		{"the send was lost", func(p *Payout) { p.State = StateSending }, finding.Paid, 0, time.Minute, true},
		{"still processing", func(*Payout) {}, finding.Processing, 0, time.Minute, true},
		{"still processing, after a sight", func(p *Payout) { p.PendingAt = sent.Add(40 * time.Second) }, finding.Processing, 40 * time.Second, time.Minute, true},
		{"no record", func(*Payout) {}, finding.NoRecord, 0, 0, false},
		{"nothing understood", func(*Payout) {}, finding.Unclear, 0, 0, false},
		{"partial, to be seen again", func(*Payout) {}, finding.Partial, 0, 0, false},
		{"sent twice", func(p *Payout) { p.Sends = 2 }, finding.Paid, 0, 0, false},
		{"held, asked slowly", func(p *Payout) { p.State = StateHeld }, finding.Paid, 0, 0, false},
		{"sent nobody knows when", func(p *Payout) { p.LastSentAt = time.Time{} }, finding.Paid, 0, 0, false},
		{"a clock that went back", func(p *Payout) { p.LastSentAt = sent.Add(time.Hour) }, finding.Paid, 0, 0, false},
	} {
		p := base
		c.change(&p)
		after, before, settled, ok := p.SettleObservation(finding.Finding{Kind: c.kind}, sent.Add(time.Minute))
		if ok != c.ok || after != c.after || before != c.before || settled != (c.ok && c.kind != finding.Processing) {
			t.Errorf("%s: %v to %v, settled %v, %v", c.name, after, before, settled, ok)
		}
	}
}
