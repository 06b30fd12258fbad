package leases

import (
	"testing"
	"time"
)

var t0 = time.Date(2026, 11, 21, 10, 30, 0, 0, time.UTC)

func TestALeaseCountsByTheJournalsClock(t *testing.T) {
	// This process' clock is an hour ahead, and the journal answered two seconds after it was asked.
	asked := t0.Add(time.Hour)
	b := Lease{Asked: asked, LeasedAt: t0.Add(2 * time.Second), EndsAt: t0.Add(32 * time.Second)}
	if got := b.LatestJournalTime(asked.Add(5 * time.Second)); !got.Equal(t0.Add(7 * time.Second)) {
		t.Errorf("the journal's time is %v", got)
	}
	b.Took = 3 * time.Second // by the answer the journal's clock may have been read at any moment of these
	if got := b.EarliestJournalTime(asked.Add(5 * time.Second)); !got.Equal(t0.Add(4 * time.Second)) {
		t.Errorf("the journal's time is %v at least", got)
	}
	if got := b.Deadline(); !got.Equal(asked.Add(30 * time.Second)) { // from the question, not from the answer
		t.Errorf("the lease ends at %v", got)
	}
}

// A machine that stood still with its clocks hears from the journal's clock what it missed.
// What has passed is counted by the latest reading, evidence by the earliest.
func TestALeaseHearsWhatAMachineHasMissed(t *testing.T) {
	l := Lease{Asked: t0, LeasedAt: t0.Add(time.Hour), EndsAt: t0.Add(time.Hour + 30*time.Second), Took: time.Second}
	asked := t0.Add(10 * time.Second)
	for name, c := range map[string]struct{ heard, end time.Time }{
		"nothing missed":                   {t0.Add(time.Hour + 10*time.Second), t0.Add(30 * time.Second)},
		"the answer was under way":         {t0.Add(time.Hour + 9*time.Second), t0.Add(30 * time.Second)},
		"ten seconds missed":               {t0.Add(time.Hour + 20*time.Second), t0.Add(20 * time.Second)},
		"the journal's clock was set back": {t0, t0.Add(30 * time.Second)},
	} {
		h := l.WithReading(c.heard, asked)
		if !h.Deadline().Equal(c.end) || h.LatestJournalTime(h.Deadline()) != h.EndsAt || h.EarliestLocalTime(h.EndsAt) != h.Deadline() {
			t.Errorf("%s: it ends at %v, not at %v", name, h.Deadline(), c.end)
		}
		if h.EarliestJournalTime(asked) != l.EarliestJournalTime(asked) {
			t.Errorf("%s: evidence counts by another time", name)
		}
	}
	if early := l.WithReading(t0.Add(2*time.Hour), t0.Add(-time.Second)); early != l {
		t.Error("a reading of before the lease counts")
	}
}
