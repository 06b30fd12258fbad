package actions

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"disburser/internal/kafkatest"
	"disburser/payout/acts"
	"disburser/payout/secrets"
)

// shelf is where actions are put on record.
type shelf struct {
	shelfMu sync.Mutex
	latest  acts.Place
	calls   int
	away    error // nothing can be put there
}

func (s *shelf) Record(_ context.Context, view *acts.View) (acts.Place, error) {
	s.shelfMu.Lock()
	defer s.shelfMu.Unlock()
	s.calls++
	if s.away != nil {
		return acts.Place{}, s.away
	}
	if view.Latest().After(s.latest) {
		s.latest = view.Latest()
	}
	return s.latest, nil
}

func (s *shelf) set(latest acts.Place, away error) {
	s.shelfMu.Lock()
	defer s.shelfMu.Unlock()
	s.latest, s.away = latest, away
}

func (s *shelf) holds() (acts.Place, int) {
	s.shelfMu.Lock()
	defer s.shelfMu.Unlock()
	return s.latest, s.calls
}

// stays makes sure that the answer is this one for a while.
func (s *stand) stays(want acts.Why, d time.Duration) {
	s.t.Helper()
	for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if got := s.why(); got != want {
			s.t.Fatalf("%q, not %q", got, want)
		}
	}
}

// renew begins a generation of the topic.
func (s *stand) renew(generation int64) {
	s.t.Helper()
	a := acts.Action{ID: "renewed", Kind: acts.Renew, Generation: generation, By: "alice", Reason: "lost", Time: time.Now()}
	r, err := acts.Write(a, secrets.Secret{})
	if err != nil {
		s.t.Fatal(err)
	}
	if _, err := Write(s.t.Context(), s.kafka.Client, topic, r); err != nil {
		s.t.Fatal(err)
	}
}

// An action counts as known once it is on record, and not before. A pause holds at once all the same.
func TestAnActionIsOnRecordBeforeItCounts(t *testing.T) {
	on(t, func(s *stand) {
		s.start()
		s.waitFor("")
		if _, calls := s.holds(); calls != 0 {
			t.Errorf("%d records, and nothing was said", calls)
		}
		s.set(acts.Place{}, errors.New("no epoch"))
		s.write(acts.Pause, "merchant:m")
		if took := s.waitFor(acts.Paused); took > staleness {
			t.Errorf("it holds after %v", took)
		}
		if took := s.waitFor(acts.NotFresh); took > staleness {
			t.Errorf("it counts as known for %v", took)
		}
		s.stays(acts.NotFresh, 5*time.Second)
		if !strings.Contains(s.Trouble(), "on record: no epoch") {
			t.Error(s.Trouble())
		}
		s.set(acts.Place{}, nil)
		s.waitFor(acts.Paused)
		latest, calls := s.holds()
		if want := (acts.Place{Offset: 0, ID: "id1"}); latest != want {
			t.Errorf("%v is on record", latest)
		}
		time.Sleep(10 * time.Second)
		if _, again := s.holds(); again != calls {
			t.Errorf("it is put on record %d times more", again-calls)
		}
	})
}

// What is on record must stand in the topic, with its id at its offset. Else the topic isn't the one.
func TestTheTopicMustHoldWhatIsOnRecord(t *testing.T) {
	for name, c := range map[string]struct {
		place acts.Place
		says  string
	}{
		"further on":         {acts.Place{Offset: 7, ID: "id8"}, "ends at 2"},
		"another one":        {acts.Place{Offset: 1, ID: "id8"}, "another record at offset 1"},
		"a later generation": {acts.Place{Generation: 3, Offset: 1, ID: "id2"}, "is of the generation 0"},
	} {
		t.Run(name, func(t *testing.T) {
			on(t, func(s *stand) {
				s.write(acts.Pause, "merchant:other")
				s.write(acts.Pause, "merchant:another")
				s.start()
				s.waitFor("")
				s.Expect(c.place)
				s.stays(acts.NotFresh, 5*time.Second)
				if !strings.Contains(s.Trouble(), c.says) || !strings.Contains(s.Trouble(), "act renew") {
					t.Error(s.Trouble())
				}
				s.renew(c.place.Generation + 1)
				s.waitFor("")
				if latest, _ := s.holds(); latest.Generation != c.place.Generation+1 || s.Trouble() != "" {
					t.Errorf("%v is on record: %s", latest, s.Trouble())
				}
			})
		})
	}
}

// The same where the journal says so as an action is put on record.
func TestALaterActionOnRecordIsLookedFor(t *testing.T) {
	on(t, func(s *stand) {
		s.set(acts.Place{Offset: 1, ID: "id9"}, nil)
		s.write(acts.Pause, "merchant:other")
		s.start()
		time.Sleep(time.Second)
		s.stays(acts.NotFresh, 5*time.Second)
		if !strings.Contains(s.Trouble(), "the action id9") {
			t.Error(s.Trouble())
		}
		s.ids = 8
		s.write(acts.Pause, "merchant:another") // it was in flight
		s.waitFor("")
	})
}

// What was read is known at once, and interrupts nothing.
func TestWhatWasReadNeedNotBeLookedFor(t *testing.T) {
	on(t, func(s *stand) {
		s.start()
		for range 5 {
			s.write(acts.Pause, "merchant:other")
		}
		s.waitFor("")
		time.Sleep(time.Second)
		s.Expect(acts.Place{Offset: 2, ID: "id3"})
		if s.why() != "" {
			t.Error("it interrupts")
		}
	})
}

// A topic made anew that has as many records is noticed within the staleness. What people said before stands again
// once it is written again, without a restart.
func TestATopicThatIsRenewed(t *testing.T) {
	on(t, func(s *stand) {
		s.write(acts.Resume, "fleet")
		s.write(acts.Pause, "fleet")
		s.start()
		s.waitFor(acts.Paused)
		if err := s.kafka.DeleteTopic(topic); err != nil {
			t.Fatal(err)
		}
		if err := s.kafka.CreateTopic(topic, 1, nil); err != nil {
			t.Fatal(err)
		}
		s.write(acts.Pause, "merchant:other")
		s.write(acts.Pause, "merchant:another")
		if took := s.waitFor(acts.NotFresh); took > 2*staleness+2*kafkatest.MetadataTTL {
			t.Errorf("noticed after %v", took)
		}
		s.stays(acts.NotFresh, 20*time.Second)
		s.write(acts.Pause, "fleet")
		s.stays(acts.NotFresh, 5*time.Second)
		s.renew(1)
		s.waitFor(acts.Paused)
		s.write(acts.Resume, "fleet")
		s.waitFor("")
		view, _ := s.View()
		if want := (acts.Place{Generation: 1, Offset: 4, ID: "id6"}); view.Latest() != want || view.Order() != 1<<40|5 {
			t.Errorf("%v, %d", view.Latest(), view.Order())
		}
	})
}

// A machine that stood still with its clocks counts what it missed, once it hears of it.
func TestWhatAMachineHasMissedCounts(t *testing.T) {
	on(t, func(s *stand) {
		s.start()
		s.waitFor("")
		time.Sleep(10 * time.Second)
		s.Missed(staleness / 3)
		if s.why() != "" {
			t.Error("a moment is too much")
		}
		s.Missed(2 * staleness / 3)
		if s.why() != acts.NotFresh {
			t.Error("what was asked before it stood still counts")
		}
		if took := s.waitFor(""); took > staleness/looks+20*time.Millisecond {
			t.Errorf("known again after %v", took)
		}
	})
}
