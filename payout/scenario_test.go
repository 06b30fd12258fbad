package payout

import (
	"testing"
	"time"

	"disburser/payout/finding"
)

func resending() Policy { return with(func(p *Policy) { p.NoRecord.Then = Resend }) }

// evidence asks until the NoRecords of a policy are enough, each as early as it counts.
func evidence(t testing.TB, p Payout, policy Policy) (Payout, time.Time) {
	t.Helper()
	now := p.SendBy
	for range policy.NoRecord.Answers {
		now = now.Add(policy.NoRecord.Every)
		p = after(t, p, Ask, finding.Finding{Kind: finding.NoRecord, Status: "8000"}, now, policy)
	}
	return p, now
}

// resent is a payout that by the operator's choice is to be sent a second time.
func resent(t testing.TB) Payout {
	t.Helper()
	p, _ := evidence(t, sendingAt(t), resending())
	wantState(t, p, StateReceived, StepSend)
	return p
}

// sight is one ask: when, what it finds, and what is expected then.
type sight struct {
	after     time.Duration // since t0
	kind      finding.Kind
	status    string
	state     State
	noRecords int
}

func walk(t *testing.T, p Payout, policy Policy, sights []sight) Payout {
	t.Helper()
	for i, s := range sights {
		p = after(t, p, Ask, finding.Finding{Kind: s.kind, Status: s.status}, t0.Add(s.after), policy)
		if p.State != s.state || p.NoRecords != s.noRecords {
			t.Fatalf("sight %d, %v after %v: %v with %d counted (reason %q); want %v with %d",
				i+1, s.kind, s.after, p.State, p.NoRecords, p.Reason, s.state, s.noRecords)
		}
	}
	return p
}

func TestNoRecordCountsOnlyWhenItCanBeBelieved(t *testing.T) {
	const every = 5 * time.Minute
	first := lease + every // the first that counts: every after the last byte can have left
	walk(t, sendingAt(t), standard(), []sight{
		{time.Second, finding.NoRecord, "8000", StateSending, 0},
		{lease, finding.NoRecord, "8000", StateSending, 0},
		{first - 1, finding.NoRecord, "8000", StateSending, 0},
		{first, finding.NoRecord, "8000", StateSending, 1},
		{first + 1, finding.NoRecord, "8000", StateSending, 1},
		{first + every - 1, finding.NoRecord, "8000", StateSending, 1},
		{first + every, finding.NoRecord, "8000", StateSending, 2},
		{first + every + time.Second, finding.Unclear, "", StateSending, 2}, // no answer takes nothing away
		{first + 2*every - 1, finding.NoRecord, "8000", StateSending, 2},
		{first + 2*every, finding.NoRecord, "8000", StateHeld, 3},
	})
}

func TestNoRecordIsAskedForWhenItCounts(t *testing.T) {
	p := after(t, sendingAt(t), Ask, finding.Finding{Kind: finding.NoRecord}, t0.Add(lease), standard())
	p.AskRound = 100 // the pause is at its longest
	now := t0.Add(lease + time.Minute)
	p = after(t, p, Ask, finding.Finding{Kind: finding.NoRecord}, now, standard())
	wantDue(t, p, t0.Add(lease+5*time.Minute)) // and not now + 5 min
	p = after(t, p, Ask, finding.Finding{Kind: finding.NoRecord}, p.Due, standard())
	if p.NoRecords != 1 {
		t.Fatalf("%d counted at the moment from which it counts", p.NoRecords)
	}
}

func TestMayCountAgreesWithCounting(t *testing.T) {
	for _, late := range []time.Duration{0, lease, lease + 5*time.Minute - 1, lease + 5*time.Minute, time.Hour} {
		p, now := sendingAt(t), t0.Add(late)
		may := p.NoRecordMayCount(now, standard())
		if counted := after(t, p, Ask, finding.Finding{Kind: finding.NoRecord}, now, standard()).NoRecords == 1; counted != may {
			t.Errorf("after %v: may count %v, counted %v", late, may, counted)
		}
	}
}

func TestProcessingResetsTheEvidence(t *testing.T) {
	const every = 5 * time.Minute
	first := lease + every
	p := walk(t, sendingAt(t), resending(), []sight{
		{first, finding.NoRecord, "8000", StateSending, 1},
		{first + every, finding.NoRecord, "8000", StateSending, 2},
		{first + every + time.Second, finding.Processing, "0015", StateProcessing, 0},
		{first + 2*every, finding.NoRecord, "8000", StateProcessing, 1},
		{first + 3*every, finding.NoRecord, "8000", StateProcessing, 2},
		{first + 4*every, finding.NoRecord, "8000", StateHeld, 3}, // the provider had it: not even resend sends it again
	})
	if p.State != StateHeld || p.Step != StepAnnounce || p.Own() {
		t.Fatalf("%v, own %v", p.State, p.Own())
	}
}

func TestWhatAbsenceProves(t *testing.T) {
	twice := func(t *testing.T, answer finding.Kind) Payout {
		p := leased(resent(t), t0.Add(time.Hour))
		return after(t, p, OwnSend, finding.Finding{Kind: answer}, t0.Add(time.Hour+time.Second), resending())
	}
	once := func(t *testing.T, answer finding.Kind) Payout {
		return after(t, sendingAt(t), OwnSend, finding.Finding{Kind: answer}, t0.Add(time.Second), standard())
	}
	for name, test := range map[string]struct {
		payout Payout
		policy Policy
		state  State
		absent bool
	}{
		"the only send was refused":                     {once(t, finding.Refused), standard(), StateFailed, true},
		"the only send was refused, resend":             {once(t, finding.Refused), resending(), StateFailed, true},
		"the only send was refused, as all are":         {once(t, finding.Refused), refusing(standard()), StateFailed, true},
		"the only send was refused, as all are, resend": {once(t, finding.Refused), refusing(resending()), StateReceived, false},
		"expired meanwhile, all are refused, resend":    {expiring(once(t, finding.Refused)), refusing(resending()), StateFailed, true},
		"shown once, all are refused, resend":           {seenOnce(once(t, finding.Refused)), refusing(resending()), StateHeld, false},
		"unclear":                                       {once(t, finding.Unclear), standard(), StateHeld, false},
		"unclear, resend":                               {once(t, finding.Unclear), resending(), StateReceived, false},
		"taken over":                                    {sendingAt(t), standard(), StateHeld, false},
		"taken over, resend":                            {sendingAt(t), resending(), StateReceived, false},
		"the second send was refused":                   {twice(t, finding.Refused), standard(), StateFailed, true},
		"the second send was refused, resend":           {twice(t, finding.Refused), resending(), StateFailed, true},
		"acknowledged":                                  {once(t, finding.Accepted), standard(), StateHeld, false},
		"acknowledged, resend":                          {once(t, finding.Accepted), resending(), StateHeld, false},
		"answered paid":                                 {once(t, finding.SettledPaid), resending(), StateHeld, false},
		"answered partial":                              {once(t, finding.SettledPartial), resending(), StateHeld, false},
		"the only send was answered with a failure":     {once(t, finding.SettledFailed), standard(), StateFailed, true},
		"the only send was answered with another code":  {once(t, finding.SettledOther), resending(), StateHeld, false},
		"the second send was answered with a failure":   {twice(t, finding.SettledFailed), standard(), StateFailed, true},
		"the second send was acknowledged, then absent": {twice(t, finding.Accepted), resending(), StateHeld, false},
	} {
		t.Run(name, func(t *testing.T) {
			before := test.payout
			p, now := evidence(t, before, test.policy)
			if p.State != test.state || p.Absent != test.absent || p.Own() != test.absent {
				t.Fatalf("%v, absent %v, own %v; want %v, absent %v", p.State, p.Absent, p.Own(), test.state, test.absent)
			}
			if p.State != StateReceived && p.Reason == "" {
				t.Error("no reason for a person")
			}
			if p.State.Final() && !p.SettledAt.Equal(now) {
				t.Errorf("settled at %v, want %v", p.SettledAt, now)
			}
		})
	}
}

func refusing(p Policy) Policy { p.Refusing = true; return p }

func expiring(p Payout) Payout { p.ExpiresAt = t0.Add(time.Minute); return p }

func seenOnce(p Payout) Payout { p.Shown = true; return p }

// While the provider refuses every send, a payout that is proved absent is the next probe. It
// goes before others that would be refused too. That is the operator's resend, and it ends.
func TestARefusedPayoutIsTheNextProbe(t *testing.T) {
	before := after(t, sendingAt(t), OwnSend, finding.Finding{Kind: finding.Refused}, t0.Add(time.Second), standard())
	before.ReceivedAt = t0.Add(-time.Hour)
	p, _ := evidence(t, before, refusing(resending()))
	wantState(t, p, StateReceived, StepSend)
	wantDue(t, p, before.ReceivedAt)
	if p.TradeNo != before.TradeNo || p.Disproved != p.Sends || p.Sends != 1 || p.NoRecords != 0 {
		t.Errorf("%+v", p)
	}
	impatient := refusing(resending())
	impatient.Poll.GiveUp = time.Minute
	if p, _ := evidence(t, before, impatient); p.State != StateFailed && p.State != StateHeld {
		t.Errorf("%v after give_up", p.State)
	}
}

func TestResendKeepsTheTradeNoAndGathersEvidenceAnew(t *testing.T) {
	p, now := evidence(t, sendingAt(t), resending())
	wantState(t, p, StateReceived, StepSend)
	wantDue(t, p, now)
	if p.TradeNo != command(t).TradeNo || p.Fingerprint != received(t).Fingerprint {
		t.Fatalf("another payout: %s %s", p.TradeNo, p.Fingerprint)
	}
	if p.NoRecords != 0 || !p.NoRecordAt.IsZero() || p.AskRound != 0 || p.Sends != 1 || !p.FirstSentAt.Equal(t0) {
		t.Fatalf("%+v", p)
	}
	again := now.Add(time.Minute)
	p = after(t, leased(p, again), OwnSend, finding.Finding{Kind: finding.Refused}, again, resending())
	if third, _ := evidence(t, p, resending()); third.State != StateFailed || !third.Absent {
		t.Fatalf("%v: the former send is disproved, this one was refused and is absent: another round would be the same again", third.State)
	}
	p = after(t, p, Ask, finding.Finding{Kind: finding.NoRecord}, again.Add(lease+5*time.Minute-1), resending())
	if p.NoRecords != 0 {
		t.Fatal("a NoRecord counted too early after the second send")
	}
	p = after(t, p, Ask, finding.Finding{Kind: finding.NoRecord}, again.Add(lease+5*time.Minute), resending())
	if p.NoRecords != 1 || p.Sends != 2 {
		t.Fatalf("%d counted, %d sends", p.NoRecords, p.Sends)
	}
}

func TestResendEndsWithGiveUp(t *testing.T) {
	policy := resending()
	policy.Poll.GiveUp = 20 * time.Minute
	p, now := evidence(t, sendingAt(t), policy)
	wantState(t, p, StateReceived, StepSend) // 15 min 30 s after the first send
	p = leased(p, now)
	for p.State == StateSending {
		now = now.Add(6 * time.Minute)
		p = after(t, p, Ask, finding.Finding{Kind: finding.NoRecord}, now, policy)
	}
	wantState(t, p, StateHeld, StepAnnounce)
	if p.Sends != 2 {
		t.Fatalf("%d sends", p.Sends)
	}

	// Also where the evidence is complete only after give_up.
	policy.Poll.GiveUp = 15 * time.Minute
	p = after(t, sendingAt(t), Ask, finding.Finding{Kind: finding.NoRecord}, t0.Add(6*time.Minute), policy)
	p = after(t, p, Ask, finding.Finding{Kind: finding.NoRecord}, t0.Add(11*time.Minute), policy)
	p = after(t, p, Ask, finding.Finding{Kind: finding.NoRecord}, t0.Add(16*time.Minute), policy)
	wantState(t, p, StateHeld, StepAnnounce)
}

func TestPartialOnlyWhenSeenTwiceEveryApart(t *testing.T) {
	const every = 5 * time.Minute
	for _, start := range []State{StateSending, StateProcessing, StateHeld} {
		t.Run(start.String(), func(t *testing.T) {
			p := in(t, start)
			first := t0.Add(10 * time.Minute)
			if start == StateHeld {
				first = t0.Add(80 * time.Hour)
			}
			partial := finding.Finding{Kind: finding.Partial, Status: "0001", StatusText: "PARTIAL", PaidAmount: "120"}
			p = after(t, p, Ask, partial, first, standard())
			wantState(t, p, start, StepAsk)
			wantDue(t, p, first.Add(every)) // no use to ask before
			p = after(t, p, Ask, partial, first.Add(every-1), standard())
			wantState(t, p, start, StepAsk)
			if p.Due.Before(first.Add(every)) {
				t.Fatalf("asked again %v before a second sight can count", first.Add(every).Sub(p.Due))
			}
			p = after(t, p, Ask, finding.Finding{Kind: finding.Unclear}, first.Add(every-1), standard())
			p = after(t, p, Ask, partial, first.Add(every), standard())
			wantState(t, p, StatePartial, StepAnnounce)
			if p.PaidAmount != "120" || p.State != StatePartial || p.Step != StepAnnounce || p.Own() {
				t.Fatalf("paid %q, %v, own %v", p.PaidAmount, p.State, p.Own())
			}
		})
	}
}

func TestOnceSeenPartialCanStillBecomeAnythingElse(t *testing.T) {
	for kind, want := range map[finding.Kind]State{finding.Paid: StatePaid, finding.Failed: StateFailed, finding.Processing: StateProcessing} {
		p := after(t, in(t, StateProcessing), Ask, finding.Finding{Kind: finding.Partial}, t0.Add(time.Minute), standard())
		if p = after(t, p, Ask, finding.Finding{Kind: kind}, t0.Add(time.Hour), standard()); p.State != want {
			t.Errorf("%v after a partial: %v", kind, p.State)
		}
	}
}

func TestUnknownStatus(t *testing.T) {
	failing := with(func(p *Policy) { p.UnknownStatus = Fail })
	const code, other = "00032", "00099"
	for name, test := range map[string]struct {
		policy Policy
		sights []sight
	}{
		"held at the second sight": {standard(), []sight{
			{time.Minute, finding.UnknownStatus, code, StateSending, 0},
			{2 * time.Minute, finding.UnknownStatus, code, StateHeld, 0},
		}},
		"failed at the second sight": {failing, []sight{
			{time.Minute, finding.UnknownStatus, code, StateSending, 0},
			{2 * time.Minute, finding.UnknownStatus, code, StateFailed, 0},
		}},
		"another code begins anew": {failing, []sight{
			{time.Minute, finding.UnknownStatus, code, StateSending, 0},
			{2 * time.Minute, finding.UnknownStatus, other, StateSending, 0},
			{3 * time.Minute, finding.UnknownStatus, other, StateFailed, 0},
		}},
		"processing in between begins anew": {failing, []sight{
			{time.Minute, finding.UnknownStatus, code, StateSending, 0},
			{2 * time.Minute, finding.Processing, "0015", StateProcessing, 0},
			{3 * time.Minute, finding.UnknownStatus, code, StateProcessing, 0},
			{4 * time.Minute, finding.UnknownStatus, code, StateFailed, 0},
		}},
		"paid after the first sight": {failing, []sight{
			{time.Minute, finding.UnknownStatus, code, StateSending, 0},
			{2 * time.Minute, finding.Paid, "0000", StatePaid, 0},
		}},
		"what is held obeys too": {failing, []sight{
			{73 * time.Hour, finding.Unclear, "", StateHeld, 0},
			{74 * time.Hour, finding.UnknownStatus, code, StateHeld, 0},
			{75 * time.Hour, finding.UnknownStatus, code, StateFailed, 0},
		}},
		"what is held needs the same code twice": {failing, []sight{
			{73 * time.Hour, finding.Unclear, "", StateHeld, 0},
			{74 * time.Hour, finding.UnknownStatus, code, StateHeld, 0},
			{75 * time.Hour, finding.UnknownStatus, other, StateHeld, 0},
			{76 * time.Hour, finding.UnknownStatus, code, StateHeld, 0},
			{77 * time.Hour, finding.UnknownStatus, code, StateFailed, 0},
		}},
		"what is held begins anew after processing": {failing, []sight{
			{73 * time.Hour, finding.Unclear, "", StateHeld, 0},
			{74 * time.Hour, finding.UnknownStatus, code, StateHeld, 0},
			{75 * time.Hour, finding.Processing, "0015", StateHeld, 0},
			{76 * time.Hour, finding.UnknownStatus, code, StateHeld, 0},
			{77 * time.Hour, finding.UnknownStatus, code, StateFailed, 0},
		}},
		"what is held stays held, and nobody is told again": {standard(), []sight{
			{73 * time.Hour, finding.Unclear, "", StateHeld, 0},
			{74 * time.Hour, finding.UnknownStatus, code, StateHeld, 0},
			{75 * time.Hour, finding.UnknownStatus, code, StateHeld, 0},
			{76 * time.Hour, finding.Paid, "0000", StatePaid, 0},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			p := walk(t, sendingAt(t), test.policy, test.sights)
			if p.State == StateFailed && (p.Own() || p.Status == "") {
				t.Errorf("own %v, status %q: it is the provider's word", p.Own(), p.Status)
			}
		})
	}
}

func TestGiveUpHoldsOnce(t *testing.T) {
	for _, start := range []State{StateSending, StateProcessing} {
		for _, kind := range []finding.Kind{finding.Unclear, finding.NoRecord, finding.Partial, finding.UnknownStatus, finding.Processing} {
			t.Run(start.String()+"/"+kind.String(), func(t *testing.T) {
				p, policy := in(t, start), standard()
				f := finding.Finding{Kind: kind, Status: "1"}
				if young := after(t, p, Ask, f, t0.Add(policy.Poll.GiveUp-1), policy); young.State == StateHeld {
					t.Fatal("held before give_up")
				}
				now := t0.Add(policy.Poll.GiveUp)
				p = after(t, p, Ask, f, now, policy)
				wantState(t, p, StateHeld, StepAnnounce)
				wantDue(t, p, now)
				if !p.HeldAt.Equal(now) || p.Reason == "" || p.State != StateHeld || p.Step != StepAnnounce || p.State.Final() {
					t.Fatalf("held at %v, reason %q, %v", p.HeldAt, p.Reason, p.State)
				}
				heldAt := p.HeldAt
				p = p.Announced(now, policy)
				wantState(t, p, StateHeld, StepAsk)
				wantDue(t, p, now.Add(policy.Poll.Max))
				for range 5 { // asked about again, at longer intervals, and nothing is announced
					now = p.Due
					p = after(t, p, Ask, finding.Finding{Kind: finding.Unclear}, now, policy)
					wantState(t, p, StateHeld, StepAsk)
					wantDue(t, p, now.Add(policy.Poll.Max))
				}
				if !p.HeldAt.Equal(heldAt) {
					t.Fatalf("held again at %v", p.HeldAt)
				}
			})
		}
	}
}

func TestGiveUpCountsFromTheFirstSend(t *testing.T) {
	policy := resending()
	p := leased(resent(t), t0.Add(71*time.Hour))
	p = after(t, p, OwnSend, finding.Finding{Kind: finding.Unclear}, t0.Add(71*time.Hour), policy)
	p = after(t, p, Ask, finding.Finding{Kind: finding.Unclear}, t0.Add(72*time.Hour), policy)
	wantState(t, p, StateHeld, StepAnnounce)
}

func TestHeldCanStillBecomeFinal(t *testing.T) {
	for kind, want := range map[finding.Kind]State{finding.Paid: StatePaid, finding.Failed: StateFailed} {
		p := after(t, in(t, StateHeld), Ask, finding.Finding{Kind: kind}, t0.Add(100*time.Hour), standard())
		wantState(t, p, want, StepAnnounce)
		if p.Own() {
			t.Errorf("%v: the provider's word, not ours", want)
		}
	}
}

func TestHeldIsNeverSentAgain(t *testing.T) {
	p := in(t, StateHeld)
	for i := range 20 {
		p = after(t, p, Ask, finding.Finding{Kind: finding.NoRecord}, t0.Add(80*time.Hour+time.Duration(i)*time.Hour), resending())
		wantState(t, p, StateHeld, StepAsk)
	}
}

func TestAnnouncedChangesOnlyHeld(t *testing.T) {
	for _, s := range States {
		p := in(t, s)
		if s == StateHeld {
			continue
		}
		wantSame(t, p.Announced(t0.Add(time.Hour), standard()), p)
	}
}

func TestCorroborated(t *testing.T) {
	const reach = 10 * time.Minute // with every = 5 min, or less
	now := t0.Add(time.Hour)
	short := with(func(p *Policy) { p.NoRecord.Every = time.Minute })
	long := with(func(p *Policy) { p.NoRecord.Every = 20 * time.Minute })
	for name, test := range map[string]struct {
		counted, served time.Time // the previous counted NoRecord, and when another ask was answered 0000
		policy          Policy
		want            bool
	}{
		"nothing was ever served":                    {time.Time{}, time.Time{}, standard(), false},
		"just now":                                   {time.Time{}, now, standard(), true},
		"at the end of the reach":                    {time.Time{}, now.Add(-reach), standard(), true},
		"a moment too long ago":                      {time.Time{}, now.Add(-reach - 1), standard(), false},
		"at least ten minutes":                       {time.Time{}, now.Add(-reach), short, true},
		"not longer than ten minutes":                {time.Time{}, now.Add(-reach - 1), short, false},
		"twice every":                                {time.Time{}, now.Add(-40 * time.Minute), long, true},
		"not more than twice every":                  {time.Time{}, now.Add(-40*time.Minute - 1), long, false},
		"before the previous counted one":            {now.Add(-5 * time.Minute), now.Add(-6 * time.Minute), standard(), false},
		"at the previous counted one":                {now.Add(-5 * time.Minute), now.Add(-5 * time.Minute), standard(), false},
		"since the previous counted one":             {now.Add(-5 * time.Minute), now.Add(-5*time.Minute + 1), standard(), true},
		"since the previous one, but too long ago":   {now.Add(-50 * time.Minute), now.Add(-11 * time.Minute), standard(), false},
		"nothing was served, a NoRecord was counted": {now.Add(-5 * time.Minute), time.Time{}, standard(), false},
	} {
		p := sendingAt(t)
		p.NoRecordAt = test.counted
		if got := p.Corroborated(test.served, now, test.policy); got != test.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestTheIntervalGrowsUpToMax(t *testing.T) {
	policy := standard()
	p := after(t, sendingAt(t), OwnSend, finding.Finding{Kind: finding.Accepted}, t0, policy)
	wantDue(t, p, t0.Add(policy.Poll.First))
	last, now := policy.Poll.First, p.Due
	for i := range 2000 { // far beyond where 1.6^n fits a float
		policy.Poll.GiveUp = 1e6 * time.Hour
		p = after(t, p, Ask, finding.Finding{Kind: finding.Processing}, now, policy)
		pause := p.Due.Sub(now)
		want := min(time.Duration(float64(last)*1.6), policy.Poll.Max)
		if diff := pause - want; diff > time.Microsecond || diff < -time.Microsecond {
			t.Fatalf("pause %d is %v, want %v", i, pause, want)
		}
		last, now = pause, p.Due
	}
	if last != policy.Poll.Max {
		t.Fatalf("the pause stopped growing at %v", last)
	}
}

func TestJitterShortensByATenthAtMost(t *testing.T) {
	for _, jitter := range []float64{0, 0.25, 0.5, 0.999999} {
		for _, round := range []int{0, 3, 9, 50, 5000} {
			plain := standard().interval(round)
			got := with(func(p *Policy) { p.Jitter = jitter }).interval(round)
			if got > plain || got < plain-plain/10-1 {
				t.Errorf("jitter %v, round %d: %v of %v", jitter, round, got, plain)
			}
			if jitter == 0.5 && got == plain {
				t.Errorf("round %d: no jitter at all", round)
			}
		}
	}
}

func TestAnUnacknowledgedDecisionIsNeverFollowedByAnEndOfOurOwn(t *testing.T) {
	p, err := leased(received(t), t0).GiveBack(t0, true)
	if err != nil {
		t.Fatal(err)
	}
	p.ExpiresAt = t0.Add(time.Hour)
	expired, err := p.expire(t0.Add(time.Hour))
	if err != nil || expired.State != StateHeld {
		t.Fatalf("%v, %v: its decision may still land, and a replay would take it for a send", expired.State, err)
	}
	refused := after(t, leased(p, t0), OwnSend, finding.Finding{Kind: finding.Refused}, t0.Add(time.Second), standard())
	if p, _ := evidence(t, refused, standard()); p.State != StateHeld {
		t.Fatalf("%v: failed by our own word", p.State)
	}
}
