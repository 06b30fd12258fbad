package journal

import (
	"errors"
	"testing"
	"time"

	"disburser/internal/embedded"
	"disburser/payout/acts"
	"disburser/payout/epochs"
)

// The latest action stays noted, also while others note earlier ones. What the decisions have is noted apart.
func TestTheLatestActionIsNoted(t *testing.T) {
	onClock(t, time.Hour, func(t *testing.T, _ *embedded.Redis, j *Journal) {
		for i, c := range []struct {
			place         acts.Place
			told          bool
			latest, told2 string
		}{
			{acts.Place{Offset: 9, ID: "nine:th"}, false, "0:9:nine:th", ""},
			{acts.Place{Offset: 10, ID: "tenth"}, false, "0:10:tenth", ""},
			{acts.Place{Offset: 9, ID: "nine:th"}, true, "0:10:tenth", "0:9:nine:th"},
			{acts.Place{Offset: 10, ID: "another"}, true, "0:10:tenth", "0:10:another"},
			{acts.Place{Generation: 1, Offset: 2, ID: "second"}, true, "1:2:second", "1:2:second"},
			{acts.Place{Offset: 11, ID: "eleventh"}, true, "1:2:second", "1:2:second"},
			{acts.Place{Generation: 12, Offset: 0, ID: "first"}, false, "12:0:first", "1:2:second"},
		} {
			latest, told, err := j.NoteAction(t.Context(), c.place, c.told)
			if err != nil || latest.Text() != c.latest || told.Text() != c.told2 {
				t.Errorf("%d: %q, %q, %v", i, latest.Text(), told.Text(), err)
			}
			if s, err := j.Standing(t.Context()); err != nil || s.Action != latest {
				t.Errorf("%d: %v, %v", i, s.Action, err)
			}
		}
		j.Believe("another")
		if _, _, err := j.NoteAction(t.Context(), acts.Place{Offset: 1, ID: "x"}, false); !errors.Is(err, epochs.ErrOver) {
			t.Errorf("another epoch notes it: %v", err)
		}
	})
}

// An epoch opens with the latest action that its builder knows.
func TestAnEpochOpensWithTheLatestAction(t *testing.T) {
	onClock(t, time.Hour, func(t *testing.T, _ *embedded.Redis, j *Journal) {
		s, err := j.Standing(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := j.NoteAction(t.Context(), acts.Place{Offset: 1, ID: "x"}, true); err != nil {
			t.Fatal(err)
		}
		if err := j.Build(t.Context(), "next", s.Epoch.ID, time.Minute); err != nil {
			t.Fatal(err)
		}
		want := acts.Place{Generation: 2, Offset: 3, ID: "y"}
		if err := j.OpenEpoch(t.Context(), epochs.Opening{Epoch: epochs.Epoch{Number: 2, ID: "next"}, Shards: 1, Fences: map[int]int64{0: 0}, Action: want}); err != nil {
			t.Fatal(err)
		}
		j.Believe("next")
		if s, err := j.Standing(t.Context()); err != nil || s.Action != want || s.Fences[0] != 0 || len(s.Fences) != 1 {
			t.Errorf("%+v, %v", s, err)
		}
		if latest, told, err := j.NoteAction(t.Context(), want, false); err != nil || latest != want || told.Any() {
			t.Errorf("%v, %v, %v", latest, told, err)
		}
	})
}
