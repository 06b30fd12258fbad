package disburse

import (
	"sync/atomic"
	"testing"
	"time"

	"disburser/payout/acts"
)

// A machine that stood still with its clocks is noticed by another one's clock, and a slow answer is no standstill.
func TestAStandstillIsNoticed(t *testing.T) {
	begin := time.Now()
	at := func(ms int) time.Time { return begin.Add(time.Duration(ms) * time.Millisecond) }
	redis := func(ms int) time.Time { return time.UnixMilli(1_700_000_000_000 + int64(ms)) }
	type reading struct{ theirs, asked, now int } // ms
	for name, c := range map[string]struct {
		readings []reading
		want     time.Duration // by the last one
	}{
		"awake":                      {[]reading{{0, 0, 1}, {1000, 1000, 1001}}, 0},
		"it stood still":             {[]reading{{0, 0, 1}, {21_000, 1000, 1001}}, 19_999 * time.Millisecond},
		"a slow answer before":       {[]reading{{0, 0, 700}, {1000, 1000, 1001}}, 0},
		"a slow answer":              {[]reading{{0, 0, 1}, {1700, 1000, 1701}}, 0},
		"slow, and it stood still":   {[]reading{{0, 0, 1}, {21_700, 1000, 1701}}, 19_999 * time.Millisecond},
		"the same reading again":     {[]reading{{0, 0, 1}, {21_000, 1000, 1001}, {21_000, 1000, 1050}}, 0},
		"one that came late":         {[]reading{{0, 0, 1}, {2000, 2000, 2001}, {9000, 1000, 2002}}, 0},
		"after it all is well":       {[]reading{{0, 0, 1}, {21_000, 1000, 1001}, {22_000, 2000, 2001}}, 0},
		"their clock was set back":   {[]reading{{0, 0, 1}, {-5000, 1000, 1001}}, 0},
		"the clocks run differently": {[]reading{{0, 0, 1}, {10_015, 10_000, 10_001}}, 0},
	} {
		var s standstill
		var got time.Duration
		for _, r := range c.readings {
			got = s.saw(redis(r.theirs), at(r.asked), at(r.now))
		}
		if got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
	if new(standstill).saw(time.Time{}, begin, begin) != 0 {
		t.Error("no reading says nothing")
	}
}

// The grant of a call tells of it, before the actions are asked whether the call may be made.
func TestAGrantTellsOfAStandstill(t *testing.T) {
	inTime(t, func(t *testing.T) {
		later := order("a2", "a")
		later.Due = time.Now().Add(1500 * time.Millisecond)
		b := newBench(t, order("a1", "a"), later)
		var stood atomic.Int64
		granting := free
		granting.lastReading = func() (time.Time, time.Time) { return time.Now().Add(time.Duration(stood.Load())), time.Now() }
		b.merchant("a").Send = granting
		var missed atomic.Int64
		b.config.StoodStill = func(d time.Duration) { missed.Add(int64(d)) }
		b.config.Actions = people(func(_, _, tradeNo string) acts.Stop {
			if tradeNo != "" && missed.Load() > 0 {
				return acts.Stop{Why: acts.NotFresh}
			}
			return acts.Stop{}
		})
		b.start()
		time.Sleep(time.Second)
		if b.sends("a1") != 1 || missed.Load() != 0 {
			t.Fatalf("%d sends, %v missed", b.sends("a1"), time.Duration(missed.Load()))
		}
		stood.Store(int64(20 * time.Second))
		time.Sleep(time.Second)
		b.stop()
		if b.sends("a2") != 0 || time.Duration(missed.Load()).Round(time.Second) != 20*time.Second {
			t.Errorf("%d sends, %v missed", b.sends("a2"), time.Duration(missed.Load()))
		}
	})
}
