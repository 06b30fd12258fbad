package decisions

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"disburser/internal/kafkatest"
	"disburser/message"
	"disburser/payout/epochs"
	"disburser/payout/intake"
)

func TestWhatRedisClockMeans(t *testing.T) {
	own := time.Date(2026, 11, 21, 10, 30, 0, 0, time.UTC)
	at := func(d time.Duration) time.Time { return own.Add(d) }
	for name, c := range map[string]struct {
		s    epochs.Standing
		says string // "" is well
		dead bool
	}{
		"nobody has stamped it":                    {epochs.Standing{Now: at(time.Second)}, "", false},
		"as it was":                                {epochs.Standing{Now: at(0), ClockFrom: at(-time.Minute), ClockUntil: at(time.Hour)}, "", false},
		"a little slow":                            {epochs.Standing{Now: at(-3 * time.Hour), ClockFrom: at(-4 * time.Hour), ClockUntil: at(-2 * time.Hour)}, "", false},
		"the fleet was down for a day":             {epochs.Standing{Now: at(0), ClockFrom: at(-24 * time.Hour), ClockUntil: at(-23 * time.Hour)}, "", false},
		"ahead, and others vouch":                  {epochs.Standing{Now: at(2 * time.Hour), ClockFrom: at(time.Hour), ClockUntil: at(3 * time.Hour)}, "", false},
		"ahead, and nobody vouches":                {epochs.Standing{Now: at(2 * time.Hour), ClockFrom: at(0), ClockUntil: at(time.Hour)}, "ahead of this instance's", false},
		"ahead, with no epoch":                     {epochs.Standing{Now: at(2 * time.Hour)}, "ahead of this instance's", false},
		"back from far ahead, still ahead":         {epochs.Standing{Now: at(2 * time.Hour), ClockFrom: at(9 * time.Hour), ClockUntil: at(3 * time.Hour)}, "ahead of this instance's", false},
		"back from far ahead":                      {epochs.Standing{Now: at(0), ClockFrom: at(9 * time.Hour), ClockUntil: at(time.Hour)}, "has gone back", true},
		"back by a little":                         {epochs.Standing{Now: at(-2 * time.Minute), ClockFrom: at(-time.Minute), ClockUntil: at(time.Hour)}, "has gone back", true},
		"back, and behind this instance's by much": {epochs.Standing{Now: at(-2 * time.Hour), ClockFrom: at(-time.Minute), ClockUntil: at(time.Hour)}, "behind this instance's", false},
		"somebody saw it jump":                     {epochs.Standing{Now: at(0), ClockFrom: at(-time.Minute), ClockUntil: at(time.Hour), ClockJumped: true}, "has jumped ahead", true},
	} {
		c.s.Epoch.ID, c.s.OpenedOn, c.s.RunID = "e", "r", "r"
		if strings.Contains(name, "no epoch") {
			c.s.Epoch.ID = ""
		}
		err := clockOf(c.s, own)
		if (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says) || errors.Is(err, errDeadEpoch) != c.dead {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The scripts refuse by the same bound.
func TestTheClocksBoundIsTheScripts(t *testing.T) {
	text, err := os.ReadFile("../journal/lua/_layout.lua")
	if err != nil || !strings.Contains(string(text), fmt.Sprintf("CLOCK_AHEAD = 60000, %d", clockBound.Milliseconds())) {
		t.Error("journal/lua/_layout.lua has another CLOCK_AHEAD", err)
	}
}

func fencesOf(t *testing.T, k *kafkatest.Kafka) (n int) {
	t.Helper()
	for p := range 3 {
		n += fences(t, k, p)
	}
	return n
}

// A clock that jumps ahead ends every instance's work, with that reason and without an epoch
// after the other. Once it is right again all is read from Kafka: the memory may have expired.
func TestAClockThatJumpsAhead(t *testing.T) {
	inTime(t, func(t *testing.T, k *kafkatest.Kafka) {
		r, client := newRedis(t)
		i := startKeeper(t, k, client, "pod-1", 1)
		before := i.settles(t)
		i.works(t)
		marked()
		r.SetTime(time.Now().Add(40 * 24 * time.Hour))
		time.Sleep(time.Minute)
		if e, why := i.Epoch(); e.ID != "" || !strings.Contains(why, "ahead of this instance's") {
			t.Errorf("%+v %s", e, why)
		}
		if _, err := i.journal.Due(background, nil); !errors.Is(err, epochs.ErrOver) {
			t.Errorf("a script runs: %v", err)
		}
		if n := fencesOf(t, k); n != 3 {
			t.Errorf("%d fences: epochs without end", n)
		}
		reads := watchReads(k)
		r.SetTime(time.Time{})
		after := i.next(t, before)
		if after.Number != before.Number+1 {
			t.Errorf("%+v after %+v", after, before)
		}
		for p := range 3 {
			if first := reads.of(topic, p); first != 0 {
				t.Errorf("partition %d of the decisions was read from %d on", p, first)
			}
		}
		i.works(t)
		time.Sleep(time.Minute)
		if n := fencesOf(t, k); n != 6 {
			t.Errorf("%d fences: epochs without end", n)
		}
	})
}

// A jump of the clock is noticed too where no script ran while the clock was ahead. And it is
// noticed where the clock was slow and was set right.
func TestAClockThatIsSetAheadToTheRightTime(t *testing.T) {
	inTime(t, func(t *testing.T, k *kafkatest.Kafka) {
		r, client := newRedis(t)
		r.SetTime(time.Now().Add(-3 * time.Hour))
		i := startKeeper(t, k, client, "pod-1", 1)
		before := i.settles(t)
		r.SetTime(time.Time{})
		after := i.next(t, before)
		time.Sleep(time.Minute)
		if e := i.current(); e != after || fencesOf(t, k) != 6 {
			t.Errorf("%+v, %d fences", e, fencesOf(t, k))
		}
	})
}

// A clock that goes back ends the epoch, and another one begins, once.
func TestAClockThatGoesBack(t *testing.T) {
	inTime(t, func(t *testing.T, k *kafkatest.Kafka) {
		r, client := newRedis(t)
		i := startKeeper(t, k, client, "pod-1", 1)
		before := i.settles(t)
		marked()
		r.SetTime(time.Now().Add(-30 * time.Minute))
		if _, err := i.journal.Due(background, nil); !errors.Is(err, epochs.ErrOver) || !strings.Contains(err.Error(), "gone back") {
			t.Errorf("a script runs: %v", err)
		}
		i.next(t, before)
		i.works(t)
		time.Sleep(time.Minute)
		if n := fencesOf(t, k); n != 6 {
			t.Errorf("%d fences: epochs without end", n)
		}
	})
}

// Where it is far behind this instance's too, it is waited out: it will be set right, and
// then nothing is lost.
func TestAClockThatGoesFarBackIsWaitedOut(t *testing.T) {
	inTime(t, func(t *testing.T, k *kafkatest.Kafka) {
		r, client := newRedis(t)
		i := startKeeper(t, k, client, "pod-1", 1)
		before := i.settles(t)
		r.SetTime(time.Now().Add(-300 * time.Hour))
		time.Sleep(time.Minute)
		if e, why := i.Epoch(); e.ID != "" || !strings.Contains(why, "has gone back") {
			t.Errorf("%+v %s", e, why)
		}
		r.SetTime(time.Time{})
		if e := i.settles(t); e != before || fencesOf(t, k) != 3 {
			t.Errorf("%+v after %+v, %d fences", e, before, fencesOf(t, k))
		}
	})
}

// Nor does the first epoch begin on such a clock.
func TestNoEpochBeginsOnAClockThatIsFarAhead(t *testing.T) {
	inTime(t, func(t *testing.T, k *kafkatest.Kafka) {
		r, client := newRedis(t)
		r.SetTime(time.Now().Add(3 * time.Hour))
		i := startKeeper(t, k, client, "pod-1", 1)
		time.Sleep(time.Minute)
		if e, why := i.Epoch(); e.ID != "" || !strings.Contains(why, "ahead of this instance's") || fencesOf(t, k) != 0 {
			t.Errorf("%+v %s, %d fences", e, why, fencesOf(t, k))
		}
		r.SetTime(time.Time{})
		i.settles(t)
	})
}

// A fleet that was down for long finds its epoch as it was.
func TestAFleetThatWasDownGoesOn(t *testing.T) {
	inTime(t, func(t *testing.T, k *kafkatest.Kafka) {
		_, client := newRedis(t)
		i := startKeeper(t, k, client, "pod-1", 1)
		before := i.settles(t)
		i.stop()
		k.Transport.CloseIdleConnections() // else it asks for the metadata 360,000 times meanwhile
		time.Sleep(50 * time.Hour)
		other := startKeeper(t, k, client, "pod-2", 1)
		if e := other.settles(t); e != before {
			t.Errorf("%+v after %+v", e, before)
		}
		other.works(t)
	})
}

// An instance whose own clock is slow ends nothing while another one vouches.
func TestASlowInstanceIsNotTrusted(t *testing.T) {
	inTime(t, func(t *testing.T, k *kafkatest.Kafka) {
		r, client := newRedis(t)
		i := startKeeper(t, k, client, "pod-1", 1)
		before := i.settles(t)
		i.stop()
		time.Sleep(time.Second)
		r.SetTime(time.Now().Add(3 * time.Hour)) // that is right; the instances from here on are slow
		slow := startKeeper(t, k, client, "pod-2", 1)
		time.Sleep(time.Minute)
		if e, why := slow.Epoch(); e.ID != "" || !strings.Contains(why, "ahead of this instance's") {
			t.Errorf("%+v %s", e, why)
		}
		if _, vouched, err := i.journal.Clock(background, before.ID, time.Now().Add(3*time.Hour), false); err != nil || !vouched {
			t.Fatal(vouched, err)
		}
		if e := slow.settles(t); e != before || fencesOf(t, k) != 3 {
			t.Errorf("%+v after %+v", e, before)
		}
	})
}

// After a jump the memory reaches back no further than what Kafka still has, as after a wipe.
func TestAfterAJumpTheMemoryReachesAsFarAsKafka(t *testing.T) {
	inTime(t, func(t *testing.T, k *kafkatest.Kafka) {
		r, client := newRedis(t)
		i := startKeeper(t, k, client, "pod-1", 1)
		before := i.settles(t)
		announces(t, k, 0, message.EventPaid, "w")
		announces(t, k, 1, message.EventPaid, "x")
		time.Sleep(10 * time.Minute)
		written := time.Now()
		announces(t, k, 0, message.EventPaid, "w2")
		announces(t, k, 1, message.EventPaid, "y")
		time.Sleep(10 * time.Minute)
		if err := k.DeleteRecords(results, 1, 1); err != nil {
			t.Fatal(err)
		}
		r.SetTime(time.Now().Add(40 * 24 * time.Hour))
		time.Sleep(time.Minute)
		r.SetTime(time.Time{})
		i.next(t, before)
		_, _ = i.journal.Position(background, 0, 0, false)
		entries := place(some("older", "younger", "y"))
		for n, at := range []time.Duration{-time.Minute, time.Minute, -time.Minute} {
			entries[n].Payout.Source.Time = written.Add(at)
		}
		out, _, err := i.journal.Insert(background, intake.Range{To: 3}, entries)
		if err != nil || out[0] != intake.TooOld || out[1] != intake.Added || out[2] != intake.Known {
			t.Fatalf("outcomes %q, %v", out, err)
		}
	})
}
