package payout

import (
	"testing"
	"time"

	"disburser/payout/finding"
)

func TestOnlyWhatNobodyAnsweredIsGivenBack(t *testing.T) {
	for name, p := range map[string]Payout{
		"it waits to be sent again": resent(t),
		"its send was answered":     after(t, sendingAt(t), OwnSend, finding.Finding{Kind: finding.Refused}, t0.Add(time.Second), standard()),
		"it was asked about":        after(t, sendingAt(t), Ask, finding.Finding{Kind: finding.Unclear}, t0.Add(time.Minute), standard()),
	} {
		if got, err := p.GiveBack(t0.Add(time.Hour), false); err == nil {
			t.Errorf("%s: given back, it is %v", name, got.State)
		}
	}
}

// What was counted before the send's last byte can have left says nothing about that send. After
// a rebuild a send may end later than all that was found before.
func TestEvidenceBeforeTheSendsEndIsVoid(t *testing.T) {
	const every = 5 * time.Minute
	unknown := sendingAt(t)
	unknown.SendBy = time.Time{}
	if p := after(t, unknown, Ask, finding.Finding{Kind: finding.NoRecord}, t0.Add(time.Hour), standard()); p.NoRecords != 0 {
		t.Error("counted though nobody knows when the send ended")
	}

	p, now := sendingAt(t), t0.Add(lease)
	for range 2 {
		now = now.Add(every)
		p = after(t, p, Ask, finding.Finding{Kind: finding.NoRecord}, now, standard())
	}
	p.SendBy = now.Add(time.Hour) // as a replay of the decisions sets it
	if p.NoRecords != 2 || p.NoRecordMayCount(now.Add(every), standard()) {
		t.Errorf("%d counted, and another one may count before the send has ended", p.NoRecords)
	}
	if early := after(t, p, Ask, finding.Finding{Kind: finding.NoRecord}, now.Add(every), standard()); early.NoRecords != 0 {
		t.Errorf("%d are counted before the send has ended", early.NoRecords)
	}
	if p = after(t, p, Ask, finding.Finding{Kind: finding.NoRecord}, p.SendBy.Add(every), standard()); p.NoRecords != 1 || p.State != StateSending {
		t.Errorf("%d counted, %v: the first after the send's end is the first", p.NoRecords, p.State)
	}
}

// A refusal of a second send may just mean that the first one is there.
func TestTheRefusalOfASecondSendProvesNothingOfTheFirst(t *testing.T) {
	for _, answer := range []finding.Kind{finding.Refused, finding.SettledFailed} {
		p := sendingAt(t)
		p.Sends = 2 // as a replay counts where nobody knows what the first one was answered
		p = after(t, p, OwnSend, finding.Finding{Kind: answer}, t0.Add(time.Second), standard())
		if p, _ = evidence(t, p, standard()); p.State != StateHeld || p.Absent {
			t.Errorf("the second send was answered %v, and absence made it %v", answer, p.State)
		}
	}
}

func TestAnUnacknowledgedDecisionFailsNothingThatWasAcknowledged(t *testing.T) {
	p, err := sendingAt(t).GiveBack(t0, true)
	if err != nil {
		t.Fatal(err)
	}
	p = after(t, leased(p, t0), OwnSend, finding.Finding{Kind: finding.SettledFailed}, t0.Add(time.Second), standard())
	if p, _ = evidence(t, p, standard()); p.State != StateHeld || p.Absent {
		t.Fatalf("%v by our own word, and its decision may still land", p.State)
	}
}

func TestAnUnacknowledgedDecisionStaysUnacknowledged(t *testing.T) {
	p, err := sendingAt(t).GiveBack(t0, true)
	if err != nil {
		t.Fatal(err)
	}
	if p, err = leased(p, t0).GiveBack(t0, false); err != nil || !p.Unacknowledged {
		t.Fatalf("unacknowledged %v, %v", p.Unacknowledged, err)
	}
}

// What an answer says was true at some moment of its call. And the journal's clock is known only
// to within the lease's request. Time counts as passed by the earliest reading.
func TestEvidenceCountsByTheEarliestReadingOfTheClock(t *testing.T) {
	const every, uncertainty = 5 * time.Minute, 20 * time.Second
	uncertain := with(func(p *Policy) { p.ClockUncertainty = uncertainty })

	p := sendingAt(t)
	from := t0.Add(lease + every)
	if early := after(t, p, Ask, finding.Finding{Kind: finding.NoRecord}, from.Add(uncertainty-1), uncertain); early.NoRecords != 0 || p.NoRecordMayCount(from.Add(uncertainty-1), uncertain) {
		t.Error("counted though the time may not have passed")
	}
	if p = after(t, p, Ask, finding.Finding{Kind: finding.NoRecord}, from.Add(uncertainty), uncertain); p.NoRecords != 1 || !p.NoRecordAt.Equal(from.Add(uncertainty)) {
		t.Errorf("%d counted, at %v: the next one counts from the latest reading", p.NoRecords, p.NoRecordAt)
	}

	p = after(t, sendingAt(t), Ask, finding.Finding{Kind: finding.Partial}, t0.Add(time.Minute), uncertain)
	if again := after(t, p, Ask, finding.Finding{Kind: finding.Partial}, t0.Add(time.Minute+every+uncertainty-1), uncertain); again.State != StateSending {
		t.Errorf("%v though the sights may be closer", again.State)
	}
	if p = after(t, p, Ask, finding.Finding{Kind: finding.Partial}, t0.Add(time.Minute+every+uncertainty), uncertain); p.State != StatePartial {
		t.Errorf("%v", p.State)
	}

	giveUp := t0.Add(standard().Poll.GiveUp)
	if p := after(t, sendingAt(t), Ask, finding.Finding{Kind: finding.Unclear}, giveUp.Add(uncertainty-1), uncertain); p.State != StateSending {
		t.Errorf("%v before give_up", p.State)
	}
	if p := after(t, sendingAt(t), Ask, finding.Finding{Kind: finding.Unclear}, giveUp.Add(uncertainty), uncertain); p.State != StateHeld {
		t.Errorf("%v after give_up", p.State)
	}
}
