package payout

import (
	"testing"
	"time"
)

func TestALeaseCountsByTheJournalsClock(t *testing.T) {
	// This process' clock is an hour ahead, and the journal answered two seconds after it was asked.
	asked := t0.Add(time.Hour)
	b := Lease{Asked: asked, LeasedAt: t0.Add(2 * time.Second), Until: t0.Add(32 * time.Second)}
	if got := b.Now(asked.Add(5 * time.Second)); !got.Equal(t0.Add(7 * time.Second)) {
		t.Errorf("the journal's time is %v", got)
	}
	b.Took = 3 * time.Second // by the answer the journal's clock may have been read at any moment of these
	if got := b.Earliest(asked.Add(5 * time.Second)); !got.Equal(t0.Add(4 * time.Second)) {
		t.Errorf("the journal's time is %v at least", got)
	}
	if got := b.Deadline(); !got.Equal(asked.Add(30 * time.Second)) { // from the question, not from the answer
		t.Errorf("the lease ends at %v", got)
	}
}

func TestAnEpochIsOpenOnOneServerOnly(t *testing.T) {
	for _, test := range []struct {
		standing Standing
		want     bool
	}{
		{Standing{RunID: "a", OpenedOn: "a", Epoch: Epoch{7, "x"}}, true},
		{Standing{RunID: "b", OpenedOn: "a", Epoch: Epoch{7, "x"}}, false},
		{Standing{RunID: "a", OpenedOn: "a", Epoch: Epoch{7, ""}}, false},
		{Standing{}, false},
	} {
		if got := test.standing.Open(); got != test.want {
			t.Errorf("%+v: %v", test.standing, got)
		}
	}
}
