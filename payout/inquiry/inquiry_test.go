package inquiry

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"disburser/payout"
	"disburser/payout/acts"
	"disburser/payout/money"
)

var now = time.Date(2026, 11, 25, 8, 0, 0, 0, time.UTC)

// of is an open payout that was received a minute ago, with changes.
func of(change func(p *payout.Payout)) Found {
	amount, _ := money.Parse("300")
	p := payout.Begin(payout.Command{
		TradeNo: "20261125-000001", Merchant: "eg-main", Amount: amount, Currency: "EGP", BatchID: "b1",
		Payee: payout.NewPayee(map[string]string{"customerName": "kevin smith", "walletId": "01123456789"}), Remark: "for kevin smith",
	}, "egypt", payout.Source{Partition: 2, Offset: 7, Time: now.Add(-time.Minute)}, "", now.Add(-time.Minute))
	if change != nil {
		change(&p)
	}
	return Found{Place: Open, At: now, Payout: p, Due: p.Due}
}

func quiet() Around {
	a := Around{Known: true, Sends: Calls{PerSecond: 50, Agreed: 50}, Asks: Calls{PerSecond: 50, Agreed: 50}, Grace: 5 * time.Minute}
	a.Policy.Poll.GiveUp, a.Policy.NoRecord.Answers = 72*time.Hour, 3
	return a
}

// Each reason for which a payout isn't sent is one sentence that names it.
func TestWhyItIsNotSent(t *testing.T) {
	pause := acts.Standing{ID: "01A", Kind: acts.Pause, Scope: acts.Scope{Kind: acts.Batch, Name: "b1"}, By: "alice", Reason: "wrong file", Since: now.Add(-time.Hour)}
	for name, c := range map[string]struct {
		found  Found
		around func(a *Around)
		says   string
	}{
		"its turn":              {of(nil), func(*Around) {}, "nothing forbids it: 0 of eg-main are before it, at 50 a second"},
		"paused":                {of(nil), func(a *Around) { a.Stop = acts.Stop{Why: acts.Paused, By: []acts.Standing{pause, pause}} }, "paused by alice (batch:b1, since 2026-11-25 07:00:00Z, action 01A): wrong file; and by 1 more"},
		"cancelled":             {of(nil), func(a *Around) { a.Stop = acts.Stop{Why: acts.Cancelled, By: []acts.Standing{pause}} }, "cancelled by alice"},
		"not fresh":             {of(nil), func(a *Around) { a.Stop = acts.Stop{Why: acts.NotFresh} }, "nobody knows whether it is paused"},
		"notBefore":             {of(func(p *payout.Payout) { p.NotBefore = now.Add(time.Hour) }), func(*Around) {}, "not to be sent before 2026-11-25 09:00:00Z"},
		"expired":               {of(func(p *payout.Payout) { p.ExpiresAt = now.Add(-time.Hour) }), func(*Around) {}, "expiresAt (2026-11-25 07:00:00Z) has passed"},
		"a stranger's":          {of(func(p *payout.Payout) { p.Merchant = "new" }), func(a *Around) { a.Known = false }, `no merchant "new" is configured here`},
		"another account":       {of(func(p *payout.Payout) { p.Sends, p.Account = 1, "12345678" }), func(*Around) {}, "another account"},
		"parked":                {of(func(p *payout.Payout) { p.Step = payout.StepParked }), func(*Around) {}, "comes back to be sent within a minute"},
		"parked, full":          {of(func(p *payout.Payout) { p.Step = payout.StepParked }), func(a *Around) { a.Full = true }, "fewer than max_open"},
		"in work":               {Found{Place: Open, At: now, Payout: of(nil).Payout, InWork: true, Until: now.Add(time.Second)}, func(*Around) {}, "looks at it now"},
		"tried again":           {Found{Place: Open, At: now, Payout: of(nil).Payout, Due: now.Add(time.Second)}, func(*Around) {}, "tried again at 2026-11-25 08:00:01Z"},
		"refusals":              {of(nil), func(a *Around) { a.Sends.NextProbe = now.Add(time.Minute) }, "refuses one send of eg-main after the other: all rest, and one payout tries again at 2026-11-25 08:01:00Z"},
		"Retry-After":           {of(nil), func(a *Around) { a.Sends.RestUntil = now.Add(time.Minute) }, "nothing of eg-main is sent until 2026-11-25 08:01:00Z"},
		"a breaker":             {of(nil), func(a *Around) { a.Sends.Breaker, a.Sends.OpenFor = Tripped, time.Minute }, "breaker is open here"},
		"half a breaker":        {of(nil), func(a *Around) { a.Sends.Breaker = HalfOpen }, "a few are sent to try"},
		"throttled":             {of(nil), func(a *Around) { a.Sends.PerSecond = 25 }, "at 25 a second (50 are configured"},
		"no epoch":              {Found{Place: Open, At: now, Payout: of(nil).Payout, Doubt: "no epoch is open"}, func(*Around) {}, "nothing is sent now: no epoch is open"},
		"sending":               {of(func(p *payout.Payout) { p.State, p.Step, p.Sends = payout.StateSending, payout.StepAsk, 1 }), func(*Around) {}, "it may have been sent already: it is asked about, and not sent again"},
		"resend":                {of(func(p *payout.Payout) { p.State, p.Step, p.Sends = payout.StateSending, payout.StepAsk, 1 }), func(a *Around) { a.Policy.NoRecord.Then = payout.Resend }, "before its absence is proved"},
		"processing":            {of(func(p *payout.Payout) { p.State = payout.StateProcessing }), func(*Around) {}, "acknowledged"},
		"held":                  {of(func(p *payout.Payout) { p.State = payout.StateHeld }), func(*Around) {}, "waits for a person"},
		"paid":                  {of(func(p *payout.Payout) { p.State = payout.StatePaid }), func(*Around) {}, "has ended as paid"},
		"remembered":            {Found{Place: Ended, At: now, Remembered: payout.StatePaid}, func(*Around) {}, "it has ended as paid, and its result is announced"},
		"decided before a loss": {Found{Place: AwaitsSent, At: now, Remembered: payout.StateSending}, func(*Around) {}, "before the journal was lost"},
		"held before a loss":    {Found{Place: AwaitsHeld, At: now, Remembered: payout.StateHeld}, func(*Around) {}, "held before the journal was lost"},
		"unreadable":            {Found{Place: UnreadableHere, At: now, Err: errors.New("layout 9")}, func(*Around) {}, "layout 9"},
		"unknown":               {Found{At: now}, func(*Around) {}, "was not read yet, became a dead letter, or it ended longer ago"},
		"full":                  {Found{At: now}, func(a *Around) { a.Full = true }, "max_open is reached"},
		"not read":              {Found{At: now}, func(a *Around) { a.Intake = "a gap" }, "commands are not read now (a gap)"},
		"a rebuild":             {Found{At: now, Doubt: "it is being rebuilt"}, func(a *Around) { a.Full = true }, "nobody can tell now: it is being rebuilt"},
	} {
		around := quiet()
		around.Policy.Account = "87654321"
		c.around(&around)
		a := Tell(c.found, around, "payout.commands")
		if !strings.Contains(a.Why, c.says) || strings.ContainsAny(a.Why, "\n") {
			t.Errorf("%s: %q, want %q", name, a.Why, c.says)
		}
		if a.Missing() != (c.found.Place == Nowhere && c.found.Doubt == "") || a.Undecided() != (c.found.Place == Nowhere && c.found.Doubt != "") {
			t.Errorf("%s: missing %v, undecided %v", name, a.Missing(), a.Undecided())
		}
		if a.Missing() && a.State != "unknown" {
			t.Errorf("%s: state %s", name, a.State)
		}
	}
}

// What happens next has a time wherever the journal has one.
func TestWhatHappensNext(t *testing.T) {
	asks := func(change func(p *payout.Payout)) Found {
		f := of(func(p *payout.Payout) {
			p.State, p.Step, p.Sends, p.FirstSentAt, p.LastSentAt, p.Due = payout.StateSending, payout.StepAsk, 1, now.Add(-time.Minute), now.Add(-time.Minute), now.Add(time.Minute)
			change(p)
		})
		f.Due = now.Add(time.Minute)
		return f
	}
	before := of(nil)
	before.Before = 100
	inHand := asks(func(*payout.Payout) {})
	inHand.InWork, inHand.Until = true, now.Add(time.Minute)
	for name, c := range map[string]struct {
		found  Found
		around func(a *Around)
		step   string
		at     time.Time
		says   string
	}{
		"its turn":  {of(nil), func(*Around) {}, "send", now.Add(-time.Minute), "it is decided"},
		"a queue":   {before, func(*Around) {}, "send", now.Add(2 * time.Second), "estimate"},
		"paused":    {of(func(p *payout.Payout) { p.ExpiresAt = now.Add(time.Hour) }), func(a *Around) { a.Stop = acts.Stop{Why: acts.Paused, By: []acts.Standing{{}}} }, "send", time.Time{}, "once that is lifted, it is sent; at 2026-11-25 09:00:00Z it expires"},
		"expired":   {of(func(p *payout.Payout) { p.ExpiresAt = now }), func(*Around) {}, "review", now.Add(-time.Minute), "rejected"},
		"asked":     {asks(func(p *payout.Payout) { p.NoRecords = 1 }), func(*Around) {}, "ask", now.Add(time.Minute), "1 of 3 answers that it has no record are there; without an outcome it is held at 2026-11-28 07:59:00Z"},
		"in hand":   {inHand, func(*Around) {}, "ask", now.Add(time.Minute), "has it in hand"},
		"held":      {asks(func(p *payout.Payout) { p.State = payout.StateHeld }), func(a *Around) { a.Asks.Breaker = Tripped }, "ask", now.Add(time.Minute), "a person can end it: resolve; too many calls"},
		"announced": {of(func(p *payout.Payout) { p.State, p.Step = payout.StatePaid, payout.StepAnnounce }), func(*Around) {}, "announce", now.Add(-time.Minute), "payout.results"},
		"review":    {of(func(p *payout.Payout) { p.Step = payout.StepReview }), func(*Around) {}, "review", now.Add(-time.Minute), "looks whether"},
		"ended":     {Found{Place: Ended, At: now}, func(*Around) {}, "none", time.Time{}, "nothing"},
	} {
		around := quiet()
		c.around(&around)
		n := Tell(c.found, around, "payout.commands").Next
		if n == nil || n.Step != c.step || !strings.Contains(n.Text, c.says) || (n.At == nil) != c.at.IsZero() || n.At != nil && !n.At.Equal(c.at) {
			t.Errorf("%s: %+v", name, n)
		}
	}
	if n := Tell(Found{At: now}, quiet(), "").Next; n != nil {
		t.Errorf("%+v", n)
	}
}

// The history is in order, and says where the command stands.
func TestTheHistory(t *testing.T) {
	f := of(func(p *payout.Payout) {
		p.State, p.Step, p.Sends, p.Asks, p.NoRecords = payout.StateFailed, payout.StepAnnounce, 2, 5, 3
		p.FirstSentAt, p.LastSentAt, p.PendingAt = now.Add(-50*time.Second), now.Add(-40*time.Second), now.Add(-35*time.Second)
		p.HeldAt, p.NoRecordAt, p.SettledAt, p.Reason = now.Add(-20*time.Second), now.Add(-30*time.Second), now, "the provider says that it failed"
	})
	a := Tell(f, quiet(), "payout.commands")
	var events []string
	for i, e := range a.History {
		events = append(events, e.Event)
		if i > 0 && e.Time.Before(a.History[i-1].Time.Time) {
			t.Errorf("%s is out of order", e.Event)
		}
	}
	if got := strings.Join(events, " "); got != "received sent sent processing_seen no_record held settled" {
		t.Error(got)
	}
	if e := a.History[0]; e.Topic != "payout.commands" || *e.Number != 2 || *e.Offset != 7 {
		t.Errorf("%+v", e)
	}
	if last := a.History[6]; last.Text != "ended as failed: the provider says that it failed" {
		t.Error(last.Text)
	}
	f.Payout.By, f.Payout.ConfirmedBy, f.Payout.Action = "alice", "bob", "01A"
	if a := Tell(f, quiet(), ""); a.By != "alice" || a.ConfirmedBy != "bob" || a.Action != "01A" || !strings.Contains(a.History[6].Text, "as failed by alice, confirmed by bob: ") {
		t.Errorf("%+v", a)
	}
	if a := Tell(Found{Place: Ended, Remembered: payout.StatePaid}, quiet(), ""); a.History == nil || len(a.History) != 0 {
		t.Error("an empty history is a list too")
	}
}

// No field of the payee is in clear, nor the remark: people write names into it.
func TestNothingOfThePayeeIsInClear(t *testing.T) {
	text, err := json.Marshal(Tell(of(nil), quiet(), "payout.commands"))
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{"01123456789", "kevin", "smith"} {
		if strings.Contains(strings.ToLower(string(text)), secret) {
			t.Errorf("%s is in clear: %s", secret, text)
		}
	}
	for _, name := range []string{`"tradeNo":"20261125-000001"`, `"state":"received"`, `"payee":{"customerName":"K.S.","walletId":"***6789"}`, `"amount":"300"`, `"history":[`, `"next":{"step":"send"`, `"why":"`, `"asOf":"2026-11-25T08:00:00.000Z"`} {
		if !strings.Contains(string(text), name) {
			t.Errorf("%s is missing: %s", name, text)
		}
	}
	var back Answer
	if err := json.Unmarshal(text, &back); err != nil || !back.AsOf.Equal(now) || len(back.History) != 1 {
		t.Errorf("%+v, %v", back, err)
	}
}
