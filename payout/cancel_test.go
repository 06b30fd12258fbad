package payout

import (
	"testing"
	"time"
)

// Whoever is cancelled ends if they were never sent, and is held if they may have been (protocol A8).
func TestWhoIsCancelledEnds(t *testing.T) {
	now := time.Now()
	c := Cancellation{By: "alice", ConfirmedBy: "bob", Reason: "wrong file", Action: "01J"}
	base := Payout{Command: Command{TradeNo: "t"}, State: StateReceived, Step: StepParked}
	p, err := base.Cancel(c, now)
	if err != nil || p.State != StateRejected || p.Step != StepAnnounce || p.Reason != "cancelled by alice, confirmed by bob: wrong file" || p.By != "alice" || p.ConfirmedBy != "bob" || p.Action != "01J" || !p.Own() {
		t.Errorf("%+v %v", p, err)
	}
	for name, doubt := range map[string]func(*Payout){
		"sent":           func(p *Payout) { p.Sends = 1 },
		"sent, resent":   func(p *Payout) { p.Sends, p.Disproved = 2, 2 },
		"unacknowledged": func(p *Payout) { p.Unacknowledged = true },
		"held before":    func(p *Payout) { p.HeldAt = now },
	} {
		p := base
		doubt(&p)
		if p, err := p.Cancel(c, now); err != nil || p.State != StateHeld || p.By != "" || p.Own() {
			t.Errorf("%s: %+v %v", name, p, err)
		}
	}
	for _, s := range States {
		p := base
		if p.State = s; s == StateReceived {
			continue
		}
		if after, err := p.Cancel(c, now); err == nil || after.State != s || after.Action != "" {
			t.Errorf("%v: %+v %v", s, after, err)
		}
	}
}
