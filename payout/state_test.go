package payout

import (
	"strings"
	"testing"
	"time"

	"disburser/payout/finding"
)

// outcome is what the table says of one State × Phase × Kind.
type outcome struct {
	state State
	step  Step
}

// expected is the table of docs/design.md, States, once more, written down independently of
// state.go. It says what becomes of a payout at the first sight of a finding, young, with the
// default policy.
var expected = map[State]map[Phase]map[finding.Kind]outcome{
	StateSending: {
		OwnSend: {
			finding.Accepted:       {StateProcessing, StepAsk},
			finding.SettledPaid:    {StateProcessing, StepAsk}, // published only after the query endpoint confirms it
			finding.SettledPartial: {StateProcessing, StepAsk},
			finding.SettledFailed:  {StateProcessing, StepAsk},
			finding.SettledOther:   {StateProcessing, StepAsk},
			finding.Refused:        {StateSending, StepAsk},
			finding.NotSent:        {StateReceived, StepSend},
			finding.Stopped:        {StateReceived, StepSend},
			finding.Unclear:        {StateSending, StepAsk},
		},
		Ask: {
			finding.Processing:    {StateProcessing, StepAsk},
			finding.Paid:          {StatePaid, StepAnnounce},
			finding.Partial:       {StateSending, StepAsk},
			finding.Failed:        {StateFailed, StepAnnounce},
			finding.NoRecord:      {StateSending, StepAsk},
			finding.UnknownStatus: {StateSending, StepAsk},
			finding.Unclear:       {StateSending, StepAsk},
		},
	},
	StateProcessing: {
		Ask: {
			finding.Processing:    {StateProcessing, StepAsk},
			finding.Paid:          {StatePaid, StepAnnounce},
			finding.Partial:       {StateProcessing, StepAsk},
			finding.Failed:        {StateFailed, StepAnnounce},
			finding.NoRecord:      {StateProcessing, StepAsk},
			finding.UnknownStatus: {StateProcessing, StepAsk},
			finding.Unclear:       {StateProcessing, StepAsk},
		},
	},
	StateHeld: {
		Ask: {
			finding.Processing:    {StateHeld, StepAsk},
			finding.Paid:          {StatePaid, StepAnnounce},
			finding.Partial:       {StateHeld, StepAsk},
			finding.Failed:        {StateFailed, StepAnnounce},
			finding.NoRecord:      {StateHeld, StepAsk},
			finding.UnknownStatus: {StateHeld, StepAsk},
			finding.Unclear:       {StateHeld, StepAsk},
		},
	},
}

// everyKind is every verdict that exists, and one that doesn't.
func everyKind() (kinds []finding.Kind) {
	for k := finding.Kind(0); ; k++ {
		kinds = append(kinds, k)
		if k.String() == "invalid" {
			return kinds
		}
	}
}

func TestEveryStateAndFinding(t *testing.T) {
	rules := 0
	for _, s := range append([]State{0, 'z'}, States...) {
		for _, phase := range []Phase{OwnSend, Ask, 0} {
			for _, kind := range everyKind() {
				t.Run(s.String()+"/"+string(phase)+"/"+kind.String(), func(t *testing.T) {
					var p Payout
					if _, known := stateNames[s]; known {
						p = in(t, s)
					} else {
						p = in(t, StateSending)
						p.State = s
					}
					now := t0.Add(80 * time.Hour)
					if s == StateSending || s == StateProcessing {
						now = t0.Add(2 * time.Minute)
					}
					f := finding.Finding{Kind: kind, Status: "4711", StatusText: "said so", PlatformTradeNo: "plat"}
					next, err := p.After(phase, f, now, standard())
					want, known := expected[s][phase][kind]
					if !known {
						if err == nil {
							t.Fatalf("went to %v without a word", next.State)
						}
						if !strings.Contains(err.Error(), p.TradeNo) {
							t.Errorf("error doesn't name the payout: %v", err)
						}
						wantSame(t, next, p)
						return
					}
					rules++
					if err != nil {
						t.Fatal(err)
					}
					if got := (outcome{next.State, next.Step}); got != want {
						t.Fatalf("got %v, next %v; want %v, next %v", got.state, got.step, want.state, want.step)
					}
					if next.Due.Before(now) {
						t.Errorf("due %v before now", now.Sub(next.Due))
					}
				})
			}
		}
	}
	if rules != 30 {
		t.Errorf("%d rules were walked, design.md has 30", rules)
	}
}

func TestFindingsLeaveWhatTheProviderSaid(t *testing.T) {
	p := after(t, sendingAt(t), OwnSend, finding.Finding{Kind: finding.Accepted, Status: "0015", StatusText: "CREATED", PlatformTradeNo: "2tjba"}, t0.Add(time.Second), standard())
	if p.Asks != 0 || p.LastSend != finding.Accepted || !p.FirstSentAt.Equal(t0) {
		t.Fatalf("after the send: asks %d, last send %v, first sent %v", p.Asks, p.LastSend, p.FirstSentAt)
	}
	p = after(t, p, Ask, finding.Finding{Kind: finding.Unclear, Detail: "timeout"}, t0.Add(time.Minute), standard())
	if p.Asks != 1 || p.Status != "0015" || p.StatusText != "CREATED" || p.PlatformTradeNo != "2tjba" {
		t.Fatalf("an answer without words must not erase the former: %+v", p)
	}
	p = after(t, p, Ask, finding.Finding{Kind: finding.Paid, Status: "0000", StatusText: "SUCCESS", PaidAmount: "300.00", SuccessTime: "2026-11-21 18:34:31"}, t0.Add(2*time.Minute), standard())
	if p.Asks != 2 || p.Status != "0000" || p.PlatformTradeNo != "2tjba" || p.PaidAmount != "300.00" || p.SuccessTime != "2026-11-21 18:34:31" || p.Reason != "" {
		t.Fatalf("paid: %+v", p)
	}
	if !p.SettledAt.Equal(t0.Add(2*time.Minute)) || p.Own() {
		t.Fatalf("settled at %v, own %v", p.SettledAt, p.Own())
	}
}

func TestAmountsAreNotBelievedBeforeTheEnd(t *testing.T) {
	p := after(t, in(t, StateProcessing), Ask, finding.Finding{Kind: finding.Processing, Status: "0015", PaidAmount: "200.00", SuccessTime: "2026-11-21 18:00:00"}, t0.Add(time.Minute), standard())
	if p.PaidAmount != "" || p.SuccessTime != "" {
		t.Fatalf("paid amount %q, success time %q while processing", p.PaidAmount, p.SuccessTime)
	}
}

func TestTakenOverPayoutKnowsWhenItWasFirstSent(t *testing.T) {
	p := after(t, sendingAt(t), Ask, finding.Finding{Kind: finding.Unclear}, t0.Add(time.Minute), standard())
	if !p.FirstSentAt.Equal(t0) {
		t.Fatalf("first sent at %v, want %v", p.FirstSentAt, t0)
	}
}

func TestNotSentTakesTheSendBack(t *testing.T) {
	for _, kind := range []finding.Kind{finding.NotSent, finding.Stopped} {
		takesTheSendBack(t, kind)
	}
}

func takesTheSendBack(t *testing.T, kind finding.Kind) {
	now := t0.Add(3 * time.Second)
	p := after(t, sendingAt(t), OwnSend, finding.Finding{Kind: kind}, now, standard())
	wantState(t, p, StateReceived, StepSend)
	wantDue(t, p, now.Add(time.Second))
	if p.Sends != 0 || !p.FirstSentAt.IsZero() || p.LastSend != finding.Unclear {
		t.Fatalf("sends %d, first sent %v, last send %v", p.Sends, p.FirstSentAt, p.LastSend)
	}
	p.ExpiresAt = now
	expired, err := p.expire(now)
	if err != nil || expired.State != StateRejected {
		t.Fatalf("never sent, yet its end is %v, %v", expired.State, err)
	}

	// A send before that one still counts.
	p = resent(t)
	first := p.FirstSentAt
	p = after(t, leased(p, t0.Add(time.Hour)), OwnSend, finding.Finding{Kind: kind}, t0.Add(time.Hour), resending())
	if p.Sends != 1 || !p.FirstSentAt.Equal(first) {
		t.Fatalf("sends %d, first sent %v; want 1, %v", p.Sends, p.FirstSentAt, first)
	}
	p.ExpiresAt = now
	if expired, err := p.expire(now); err != nil || expired.State != StateHeld {
		t.Fatalf("may have been sent, yet its end is %v, %v", expired.State, err)
	}
}

func TestGiveBack(t *testing.T) {
	now := t0.Add(2 * time.Second)
	p, err := sendingAt(t).GiveBack(now, false)
	if err != nil {
		t.Fatal(err)
	}
	wantState(t, p, StateReceived, StepSend)
	wantDue(t, p, now)
	if p.Sends != 0 || !p.FirstSentAt.IsZero() {
		t.Fatalf("sends %d, first sent %v", p.Sends, p.FirstSentAt)
	}
	for _, s := range States {
		if s == StateSending {
			continue
		}
		before := in(t, s)
		p, err := before.GiveBack(now, false)
		if err == nil {
			t.Errorf("a payout that is %v was given back", s)
		}
		wantSame(t, p, before)
	}
}

func TestExpire(t *testing.T) {
	now := t0.Add(time.Hour)
	never := received(t)
	never.ExpiresAt = t0.Add(time.Hour)
	p, err := never.expire(now)
	if err != nil {
		t.Fatal(err)
	}
	wantState(t, p, StateRejected, StepAnnounce)
	if !p.Own() || p.Reason == "" || !p.SettledAt.Equal(now) {
		t.Fatalf("own %v, reason %q, settled %v", p.Own(), p.Reason, p.SettledAt)
	}

	maybe := resent(t)
	maybe.ExpiresAt = t0.Add(time.Hour)
	if p, err = maybe.expire(now); err != nil {
		t.Fatal(err)
	}
	wantState(t, p, StateHeld, StepAnnounce)
	if p.Own() || p.Reason == "" || !p.HeldAt.Equal(now) || !p.SettledAt.IsZero() {
		t.Fatalf("own %v, reason %q, held %v, settled %v", p.Own(), p.Reason, p.HeldAt, p.SettledAt)
	}

	for _, s := range States {
		if s == StateReceived {
			continue
		}
		before := in(t, s)
		p, err := before.expire(now)
		if err == nil {
			t.Errorf("a payout that is %v expired", s)
		}
		wantSame(t, p, before)
	}
}

func TestExpiredAtTheVeryMoment(t *testing.T) {
	p := received(t)
	if p.Expired(t0.Add(1000 * time.Hour)) {
		t.Error("expired without expiresAt")
	}
	p.ExpiresAt = t0.Add(time.Hour)
	for after, want := range map[time.Duration]bool{time.Hour - 1: false, time.Hour: true, time.Hour + 1: true} {
		if got := p.Expired(t0.Add(after)); got != want {
			t.Errorf("%v after t0: expired %v", after, got)
		}
	}
}

func TestBegin(t *testing.T) {
	p := received(t)
	wantState(t, p, StateReceived, StepSend)
	wantDue(t, p, t0)
	if p.Fingerprint != p.Command.Fingerprint() || p.Sends != 0 || !p.ReceivedAt.Equal(t0) || p.Source != (Source{Partition: 2, Offset: 17}) {
		t.Fatalf("%+v", p)
	}

	c := command(t)
	c.NotBefore = t0.Add(4 * 24 * time.Hour)
	wantDue(t, Begin(c, "egypt", Source{}, "", t0), c.NotBefore)
	c.NotBefore = t0.Add(-time.Hour)
	wantDue(t, Begin(c, "egypt", Source{}, "", t0), t0)

	c.NotBefore = t0.Add(time.Hour)
	p = Begin(c, "", Source{}, "merchant is not configured", t0)
	wantState(t, p, StateRejected, StepAnnounce)
	wantDue(t, p, t0) // a rejection doesn't wait for notBefore
	if !p.Own() || p.Reason != "merchant is not configured" || p.State != StateRejected || p.Step != StepAnnounce {
		t.Fatalf("own %v, reason %q, %v", p.Own(), p.Reason, p.State)
	}
}

func TestOwnIsOurWordOnly(t *testing.T) {
	for _, s := range States {
		if got, want := in(t, s).Own(), s == StateRejected; got != want {
			t.Errorf("%v: own %v", s, got)
		}
	}
}

func TestFinalStates(t *testing.T) {
	for _, s := range States {
		want := strings.ContainsRune("PQFR", rune(s))
		if s.Final() != want {
			t.Errorf("%v: final %v", s, s.Final())
		}
		if _, err := in(t, s).GiveBack(t0, false); want && err == nil {
			t.Errorf("%v was given back", s)
		}
	}
}

func TestNames(t *testing.T) {
	seen := map[string]bool{}
	for _, s := range States {
		seen[s.String()] = true
	}
	for _, step := range []Step{StepSend, StepAsk, StepAnnounce, StepReview} {
		seen[step.String()] = true
	}
	for _, k := range everyKind() {
		seen[k.String()] = true
	}
	// "partial", "paid", "processing" and "failed" are a state and a kind; 8+4+16-4.
	if len(seen) != 24 || seen[""] {
		t.Errorf("%d distinct names: %v", len(seen), seen)
	}
	if State('x').String() != `invalid('x')` || Step('y').String() != `invalid('y')` || finding.Kind(99).String() != "invalid" {
		t.Errorf("%v %v %v", State('x'), Step('y'), finding.Kind(99))
	}
	listed := map[finding.Kind]bool{}
	for _, k := range append(append([]finding.Kind{}, finding.SendKinds...), finding.AskKinds...) {
		listed[k] = true
	}
	if len(finding.SendKinds) != 9 || len(finding.AskKinds) != 7 || len(listed) != len(everyKind())-1 {
		t.Errorf("SendKinds %v, AskKinds %v", finding.SendKinds, finding.AskKinds)
	}
}

// An amount that can't be read leaves paidAmount empty, but not in silence.
func TestAnAmountThatCantBeReadIsSaid(t *testing.T) {
	for unread, reason := range map[bool]string{false: "", true: "the amount in the provider's answer can't be read exactly"} {
		p := after(t, in(t, StateProcessing), Ask, finding.Finding{Kind: finding.Paid, AmountUnread: unread}, t0.Add(time.Minute), standard())
		if p.State != StatePaid || p.Reason != reason || p.PaidAmount != "" {
			t.Errorf("unread %v: %+v", unread, p)
		}
	}
}
