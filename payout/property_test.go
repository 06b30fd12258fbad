package payout

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"disburser/payout/finding"
	"disburser/payout/money"
)

// A life is one payout driven by chance through everything that can happen to it. Beside it
// stands what must be true of it, counted independently of the table.
type life struct {
	t      *testing.T
	rng    *rand.Rand
	policy Policy
	now    time.Time
	p      Payout
	begun  Payout // as it began
	log    []string

	sends     int       // that may have left
	asks      int       // answered
	counted   int       // NoRecords that count since the last send or Processing
	countedAt time.Time // the last of them
	partialAt time.Time // the first sight of 0001
	unknown   string    // the last answer, if it was an unknown status
	shown     bool
	holds     int
	told      int // holds that were announced, or are about to be
	refusals  int // sends that were refused, and proved absent

	contradicted bool
}

func TestRandomLives(t *testing.T) {
	for seed := range uint64(3000) {
		rng := rand.New(rand.NewPCG(seed, 7))
		policy := with(func(p *Policy) {
			p.NoRecord.Answers = 1 + rng.IntN(3)
			p.NoRecord.Then = []Choice{Hold, Resend}[rng.IntN(2)]
			p.UnknownStatus = []Choice{Hold, Fail}[rng.IntN(2)]
			p.Contradiction = []Choice{Hold, Announce}[rng.IntN(2)]
			p.Poll.GiveUp = []time.Duration{time.Hour, 72 * time.Hour}[rng.IntN(2)]
			p.Refusing = rng.IntN(2) == 0
			p.Jitter = rng.Float64()
		})
		p := received(t)
		p.ExpiresAt = t0.Add(time.Duration(1+rng.IntN(40)) * time.Hour)
		l := &life{t: t, rng: rng, policy: policy, now: t0, p: p, begun: p}
		for range 60 {
			l.live()
			if t.Failed() {
				t.Fatalf("seed %d, policy %+v: %v", seed, policy, l.log)
			}
			if l.p.State.Final() {
				break
			}
		}
	}
}

// live does what a worker does that finds the payout due, and sometimes something that nobody should do.
func (l *life) live() {
	l.forbidden()
	l.pass()
	if l.p.Step == StepAsk || l.rng.IntN(4) > 0 { // sometimes early, sometimes late
		if l.now.Before(l.p.Due) && l.rng.IntN(3) > 0 {
			l.now = l.p.Due
		}
	}
	switch l.p.Step {
	case StepSend:
		if l.p.Expired(l.now) {
			l.expire()
			return
		}
		l.send()
	case StepAsk:
		l.ask()
	case StepAnnounce:
		l.announce()
	case StepReview, StepParked:
		l.t.Error("the table never asks for an expiry, and parks nothing; the journal does")
	}
	l.check()
}

func (l *life) pass() {
	l.now = l.now.Add([]time.Duration{time.Millisecond, time.Second, time.Minute, 5 * time.Minute, time.Hour}[l.rng.IntN(5)])
}

func (l *life) note(format string, args ...any) {
	l.log = append(l.log, fmt.Sprintf("%v "+format, append([]any{l.now.Sub(t0)}, args...)...))
}

func (l *life) send() {
	l.p = leased(l.p, l.now)
	l.sends++
	l.counted, l.countedAt, l.unknown = 0, time.Time{}, ""
	switch l.rng.IntN(4) {
	case 0: // the worker dies: nobody says anything
		l.note("leased, then silence")
		l.now = l.p.SendBy
	case 1:
		l.note("given back")
		p, err := l.p.GiveBack(l.now, false)
		if err != nil {
			l.t.Error(err)
		}
		l.sends--
		l.p = p
	default:
		l.pass()
		kind := finding.SendKinds[l.rng.IntN(len(finding.SendKinds))]
		before := l.p
		p, err := l.p.After(OwnSend, finding.Finding{Kind: kind}, l.now, l.policy)
		l.note("send %v: %v", kind, p.State)
		if err != nil {
			l.t.Error(err)
		}
		if p.State.Final() || p.State == StateHeld {
			l.t.Errorf("%v by what a send was answered", p.State)
		}
		unsent := kind == finding.NotSent || kind == finding.Stopped
		if unsent != (p.State == StateReceived) {
			l.t.Errorf("%v made it %v", kind, p.State)
		}
		if unsent {
			l.sends--
		}
		if p.Asks != before.Asks {
			l.t.Error("a send counted as an ask")
		}
		l.p = p
	}
}

func (l *life) ask() {
	before := l.p
	f := finding.Finding{Kind: finding.AskKinds[l.rng.IntN(len(finding.AskKinds))]}
	if l.rng.IntN(3) > 0 {
		f.Kind = []finding.Kind{finding.NoRecord, finding.Unclear, finding.Partial}[l.rng.IntN(3)]
	}
	f.Order = f.Kind == finding.Unclear && l.rng.IntN(4) == 0
	if l.rng.IntN(4) == 0 {
		f.Share = []money.Share{money.ShareNothing, money.SharePart, money.ShareAll, money.ShareMore}[l.rng.IntN(4)]
	}
	if f.Kind == finding.UnknownStatus {
		f.Status = []string{"00032", "00099"}[l.rng.IntN(2)]
	}
	p, err := l.p.After(Ask, f, l.now, l.policy)
	l.note("ask %v %s: %v", f.Kind, f.Status, p.State)
	if err != nil {
		l.t.Error(err)
	}
	l.asks++
	l.p = p
	l.count(f, before)
}

// count adds up what the finding means by the words of docs/design.md, States, and compares.
func (l *life) count(f finding.Finding, before Payout) {
	p, secondPartial, secondUnknown := l.p, false, false
	switch f.Kind {
	case finding.NoRecord:
		from := before.SendBy
		if l.counted > 0 {
			from = l.countedAt
		}
		if before.State != StateHeld && !l.now.Before(from.Add(l.policy.NoRecord.Every)) {
			l.counted++
			l.countedAt = l.now
		}
	case finding.Processing:
		l.unknown = ""
	case finding.Partial:
		l.unknown = ""
		if l.partialAt.IsZero() {
			l.partialAt = l.now
		}
		secondPartial = l.now.Sub(l.partialAt) >= l.policy.NoRecord.Every
	case finding.UnknownStatus:
		secondUnknown = l.unknown == f.Status
		l.unknown = f.Status
	default:
	}
	if f.Kind != finding.NoRecord && f.Kind != finding.Unclear || f.Order { // the provider has shown an order
		l.shown, l.counted, l.countedAt = true, 0, time.Time{}
	}
	if l.shown && (p.State == StateReceived || p.Absent) {
		l.t.Errorf("an order that the provider has shown is %v (absent %v)", p.State, p.Absent)
	}
	enough := l.counted >= l.policy.NoRecord.Answers
	if p.State == StateHeld && before.State != StateHeld {
		l.holds++
	}
	contradicts := f.Kind == finding.Paid && f.Share != money.ShareAll && f.Share != money.ShareUnknown || f.Kind == finding.Partial && f.Share != money.SharePart && f.Share != money.ShareUnknown
	if p.State == StateHeld && p.Step == StepAnnounce {
		l.told++
	}
	if contradicts && !p.State.Final() {
		l.contradicted = l.contradicted || p.Contradiction != ""
		if p.Contradiction != "" {
			l.unknown = ""
		}
	}
	if contradicts && p.State.Final() && (l.policy.Contradiction == Hold || p.Contradiction == "") || p.State.Final() && p.Contradiction != "" && !contradicts {
		l.t.Errorf("found %v of share %v and is %v, contradiction %q", f.Kind, f.Share, p.State, p.Contradiction)
	}
	switch moved := p.State != before.State; {
	case !moved:
	case p.State == StatePaid && f.Kind == finding.Paid:
	case p.State == StatePartial && f.Kind == finding.Partial && secondPartial:
	case p.State == StateFailed && f.Kind == finding.Failed && !p.Absent:
	case p.State == StateFailed && secondUnknown && l.policy.UnknownStatus == Fail && !p.Absent && l.partialAt.IsZero() && !l.contradicted:
	case p.State == StateFailed && f.Kind == finding.NoRecord && enough && l.sends-before.Disproved == 1 && p.Absent &&
		(before.LastSend == finding.Refused || before.LastSend == finding.SettledFailed):
	case p.State == StateReceived && f.Kind == finding.NoRecord && enough && before.State == StateSending && l.policy.NoRecord.Then == Resend:
		if before.LastSend == finding.Refused && l.sends-before.Disproved == 1 {
			l.refusals++
		}
	case p.State == StateProcessing && f.Kind == finding.Processing && before.State == StateSending:
	case p.State == StateHeld && p.Reason != "":
	default:
		l.t.Errorf("%v found %v and is %v (absent %v)", before.State, f.Kind, p.State, p.Absent)
	}
}

func (l *life) expire() {
	p, err := l.p.expire(l.now)
	l.note("expires: %v", p.State)
	want := StateRejected
	switch {
	case l.sends == 0:
	case l.refusals == l.sends:
		want = StateFailed
	default:
		want = StateHeld
		l.holds++
	}
	if err != nil || p.State != want || p.Absent != (want == StateFailed) {
		l.t.Errorf("%d sends may have left, it expires and is %v, %v", l.sends, p.State, err)
	}
	l.p = p
}

func (l *life) announce() {
	l.note("announce %v", l.p.State)
	if l.p.Step != StepAnnounce || l.p.Sends != l.sends || l.p.Asks != l.asks {
		l.t.Errorf("%v is to be announced: %d sends, %d asks; happened: %d, %d", l.p.State, l.p.Sends, l.p.Asks, l.sends, l.asks)
	}
	l.p = l.p.Announced(l.now, l.policy)
}

// check is what holds at every moment.
func (l *life) check() {
	p := l.p
	if p.Sends != l.sends || p.Sends < 0 || p.Asks != l.asks || p.HeldAt.IsZero() != (l.holds == 0) || l.holds > 1 || l.told > 2 {
		l.t.Errorf("sends %d, asks %d, held at %v; happened: %d, %d, %d", p.Sends, p.Asks, p.HeldAt, l.sends, l.asks, l.holds)
	}
	if p.Sends > 1 && l.policy.NoRecord.Then != Resend {
		l.t.Error("sent twice, and nobody chose resend")
	}
	if !reflect.DeepEqual(p.Command, l.begun.Command) || p.Fingerprint != l.begun.Fingerprint || p.Source != l.begun.Source ||
		!p.ReceivedAt.Equal(l.begun.ReceivedAt) || p.Country != l.begun.Country {
		l.t.Error("what was ordered has changed")
	}
	if p.State == StateReceived && p.Sends == 0 != p.FirstSentAt.IsZero() {
		l.t.Errorf("%d sends, first sent %v", p.Sends, p.FirstSentAt)
	}
	if p.State.Final() == p.SettledAt.IsZero() {
		l.t.Errorf("%v, settled at %v", p.State, p.SettledAt)
	}
	steps := map[State]string{StateReceived: "s", StateSending: "a", StateProcessing: "a", StateHeld: "an", StatePaid: "n", StatePartial: "n", StateFailed: "n", StateRejected: "n"}
	if want := steps[p.State]; string(p.Step) != want && !(len(want) == 2 && (p.Step == StepAsk || p.Step == StepAnnounce)) {
		l.t.Errorf("%v waits for %v", p.State, p.Step)
	}
	if p.Due.IsZero() || p.Due.After(l.now.Add(max(l.policy.Poll.Max, l.policy.NoRecord.Every)+time.Hour)) {
		l.t.Errorf("%v is due at %v: forgotten", p.State, p.Due)
	}
}

// forbidden tries everything that the table doesn't allow now.
func (l *life) forbidden() {
	for _, phase := range []Phase{OwnSend, Ask} {
		for _, kind := range everyKind() {
			if _, allowed := expected[l.p.State][phase][kind]; allowed {
				continue
			}
			p, err := l.p.After(phase, finding.Finding{Kind: kind, Status: "0000", PaidAmount: "1"}, l.now, l.policy)
			if err == nil || !reflect.DeepEqual(p, l.p) {
				l.t.Errorf("%v took %v: %v", l.p.State, kind, err)
			}
		}
	}
	if _, err := l.p.expire(l.now); err == nil && l.p.State != StateReceived {
		l.t.Errorf("%v expired", l.p.State)
	}
	if _, err := l.p.GiveBack(l.now, false); err == nil && l.p.State != StateSending {
		l.t.Errorf("%v was given back", l.p.State)
	}
}
