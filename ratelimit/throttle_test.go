package ratelimit

import (
	"context"
	"fmt"
	"math"
	"slices"
	"testing"
	"time"
)

func TestThrottleAfterAnswers(t *testing.T) {
	start := time.UnixMicro(1_700_000_000_000_000)
	for _, c := range []struct {
		name      string
		perSecond float64
		words     []answered
		look      time.Duration
		factor    float64
		rest      time.Duration
	}{
		{"nothing was said", 50, nil, 0, 1, 0},
		{"half at once", 50, []answered{{0, 0, true, 0}}, 0, 0.5, 0},
		{"not again within a second", 50, []answered{{0, 0, true, 0}, {999 * time.Millisecond, 500 * time.Millisecond, true, 0}}, time.Second, 0.5, 0},
		{"not for a call of before", 50, []answered{{0, 0, true, 0}, {3 * time.Second, -time.Millisecond, true, 0}}, 3 * time.Second, 0.5, 0},
		{"again after a second", 50, []answered{{0, 0, true, 0}, {time.Second, time.Millisecond, true, 0}}, time.Second, 0.25, 0},
		{"a step back up", 50, []answered{{0, 0, true, 0}}, 5 * time.Second, 0.55, 0},
		{"no part of a step", 50, []answered{{0, 0, true, 0}}, 9999 * time.Millisecond, 0.55, 0},
		{"all of it after 50 s", 50, []answered{{0, 0, true, 0}}, 50 * time.Second, 1, 0},
		{"and no more", 50, []answered{{0, 0, true, 0}}, time.Hour, 1, 0},
		{"half of what it has come to", 50, []answered{{0, 0, true, 0}, {25 * time.Second, 24 * time.Second, true, 0}}, 25 * time.Second, 0.375, 0},
		{"a 32nd is the floor", 3200, manyWords(12), 12 * time.Second, 1.0 / 32, 0},
		{"a call a second is the floor", 10, manyWords(12), 12 * time.Second, 0.1, 0},
		{"slower than the floor stays as agreed", 0.5, manyWords(12), 12 * time.Second, 1, 0},
		{"a pause", 50, []answered{{0, 0, false, 7 * time.Second}}, 2 * time.Second, 1, 5 * time.Second},
		{"a pause is bounded", 50, []answered{{0, 0, false, time.Hour}}, 0, 1, time.Minute},
		{"the longer pause", 50, []answered{{0, 0, false, 7 * time.Second}, {time.Second, 0, false, time.Second}}, time.Second, 1, 6 * time.Second},
		{"a pause and too fast", 50, []answered{{0, 0, true, 20 * time.Second}}, 20 * time.Second, 0.5, 0},
		{"it rises after the pause only", 50, []answered{{0, 0, true, 20 * time.Second}}, 25 * time.Second, 0.55, 0},
		{"a pause while it rises", 50, []answered{{0, 0, true, 0}, {10 * time.Second, 10 * time.Second, false, 10 * time.Second}}, 20 * time.Second, 0.6, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			var p throttle
			for _, w := range c.words {
				p = p.afterAnswer(start.Add(w.began), start.Add(w.at), w.tooFast, w.pause, time.Minute, c.perSecond)
				p = readThrottle(p.String()) // as it goes through Redis
			}
			now := start.Add(c.look)
			if got := p.factorAt(now); math.Abs(got-c.factor) > 1e-5 {
				t.Errorf("factor %v, want %v", got, c.factor)
			}
			if got := max(0, p.pausedUntil.Sub(now)); got != c.rest {
				t.Errorf("rests for %v, want %v", got, c.rest)
			}
			if gone := p.endsAt(); p.factorAt(gone) != 1 || p.pausedUntil.After(gone) {
				t.Errorf("it is said to be gone at %v and isn't", gone.Sub(start))
			}
		})
	}
}

// answered is an answer of the provider. Its times count from the start.
type answered struct {
	at, began time.Duration
	tooFast   bool
	pause     time.Duration
}

// manyWords are answers "too fast", one a second.
func manyWords(n int) (words []answered) {
	for i := range n {
		at := time.Duration(i) * time.Second
		words = append(words, answered{at, at, true, 0})
	}
	return words
}

func TestAnUnreadableThrottleIsNone(t *testing.T) {
	for _, text := range []string{"", "x", "0.5", "0.5 1 2", "0.5 1 2 x", "2 1 2 3", "-1 1 2 3", "NaN 1 2 3", "0.5 1 2 3 4"} {
		if readThrottle(text) != (throttle{}) {
			t.Errorf("%q was read", text)
		}
	}
}

// An answer to one instance lowers the rate of all; the rate rises by itself.
func TestTheFleetSlowsDownTogether(t *testing.T) {
	for _, perSecond := range []float64{50, 200} {
		t.Run(fmt.Sprintf("%v a second", perSecond), func(t *testing.T) {
			if perSecond > 50 {
				long(t)
			}
			inFleet(t, Rate{perSecond, 5}, slowsDownTogether)
		})
	}
}

func slowsDownTogether(f *fleet) {
	ctx, cancel := context.WithTimeout(context.Background(), 70*time.Second)
	defer cancel()
	for range 3 {
		f.instance(ctx)
	}
	time.Sleep(5 * time.Second)
	told := f.limiter()
	if _, _, err := told.Take(ctx, 1); err != nil {
		f.t.Fatal(err)
	}
	began := time.Now()
	for range 20 { // a full load hears the same
		f.group.Go(func() {
			if err := told.Told(ctx, began, true, 0); err != nil {
				f.t.Error(err)
			}
		})
	}
	f.group.Go(func() { // and so does another instance, that hadn't looked yet
		if err := f.limiter().Told(ctx, began, true, 0); err != nil {
			f.t.Error(err)
		}
	})
	f.group.Wait()
	f.keptRate()
	for _, c := range []struct {
		from, to time.Duration // since it was told
		share    float64       // of the configured rate
	}{{-4 * time.Second, 0, 1}, {mostAhead, 5 * time.Second, 0.5}, {10*time.Second + mostAhead, 15 * time.Second, 0.6}, {56 * time.Second, 60 * time.Second, 1}} {
		got := float64(f.between(began.Add(c.from), began.Add(c.to))) / (c.to - c.from).Seconds()
		want := c.share * f.rate.PerSecond
		if got > want*1.02+1 || got < want*0.97-1 {
			f.t.Errorf("%v calls a second from %v to %v, want %v", got, c.from, c.to, want)
		}
	}
	f.changed(map[Direction]int{Slower: 4, Faster: 4, Agreed: 4}) // two that were told learn it too; one of them never looks again
}

func (f *fleet) between(from, to time.Time) (n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range f.calls {
		if !c.Before(from) && c.Before(to) {
			n++
		}
	}
	return n
}

// changed checks that no instance reports a change twice, and that at most so many report it.
func (f *fleet) changed(most map[Direction]int) {
	f.t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	got := map[Direction]int{}
	for _, change := range f.changes {
		got[change.To]++
	}
	for _, d := range []Direction{Slower, Faster, Agreed, Paused} {
		if n := got[d]; n > most[d]+1 || n < most[d]-1 {
			f.t.Errorf("%q was said %d times, want about %d", d, n, most[d])
		}
	}
}

// The whole fleet pauses for a Retry-After. A call that waits for its moment doesn't wait longer
// than its own deadline.
func TestTheFleetRests(t *testing.T) {
	inFleet(t, Rate{50, 5}, func(f *fleet) {
		ctx, cancel := context.WithTimeout(context.Background(), 40*time.Second)
		defer cancel()
		for range 3 {
			f.instance(ctx)
		}
		time.Sleep(5 * time.Second)
		told := f.limiter()
		began := time.Now()
		if err := told.Told(ctx, began, false, 10*time.Second); err != nil {
			t.Fatal(err)
		}
		if told.PerSecond() != 0 {
			t.Error("it doesn't rest")
		}
		short, stop := context.WithTimeout(ctx, time.Second)
		defer stop()
		if err := told.ticket(began.Add(-time.Hour)).Wait(short); err == nil || time.Since(began) > 100*time.Millisecond {
			t.Errorf("a call that can't be made in time was kept waiting for %v: %v", time.Since(began), err)
		}
		time.Sleep(time.Until(began.Add(12 * time.Second)))
		if n := f.between(began.Add(2*mostAhead), began.Add(10*time.Second)); n > 0 {
			t.Errorf("%d calls while it rests", n)
		}
		if told.PerSecond() != 50 {
			t.Errorf("after the pause %v a second: nobody said too fast", told.PerSecond())
		}
		f.group.Wait()
		f.keptRate()
		if n := f.between(began.Add(11*time.Second), began.Add(31*time.Second)); n < 985 {
			t.Errorf("%d calls in 20 s after the pause", n)
		}
		f.changed(map[Direction]int{Paused: 4})
	})
}

// A provider accepts less than was agreed: its limit is found and nearly used.
func TestAProviderThatBearsLess(t *testing.T) {
	for _, share := range []float64{0.9, 0.2} {
		t.Run(fmt.Sprint(share), func(t *testing.T) {
			if share > 0.5 {
				long(t)
			}
			inFleet(t, Rate{100, 5}, func(f *fleet) {
				ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
				defer cancel()
				bears := share * f.rate.PerSecond
				var passed, refused int
				var last []time.Time // that passed, within a second
				call := func(l *Limiter) {
					now := time.Now()
					f.mu.Lock()
					last = slices.DeleteFunc(last, func(c time.Time) bool { return now.Sub(c) >= time.Second })
					tooFast := float64(len(last)) >= bears+5
					if tooFast {
						refused++
					} else {
						passed++
						last = append(last, now)
					}
					f.mu.Unlock()
					if tooFast {
						if err := l.Told(ctx, now, true, 0); err != nil && ctx.Err() == nil {
							t.Error(err)
						}
					}
				}
				for range 2 {
					f.calling(ctx, f.limiter(), call)
				}
				f.group.Wait()
				if got := float64(passed) / 120; got < 0.65*bears {
					t.Errorf("%v a second of %v that it bears", got, bears)
				}
				if float64(refused) > 0.05*float64(passed) {
					t.Errorf("%d refused, %d passed", refused, passed)
				}
				t.Logf("bears %v: %.1f a second passed, %d of %d refused", bears, float64(passed)/120, refused, refused+passed)
			})
		})
	}
}

// calling makes calls from an endless backlog with the given function.
func (f *fleet) calling(ctx context.Context, l *Limiter, call func(*Limiter)) {
	f.group.Go(func() {
		for ctx.Err() == nil {
			tickets, wait, err := l.Take(ctx, 128)
			if err != nil || len(tickets) == 0 && sleep(ctx, max(wait, 20*time.Millisecond)) != nil {
				return
			}
			for i := range tickets {
				if tickets[i].Wait(ctx) == nil {
					call(l)
				}
			}
		}
	})
}

// During a rollout of another rate, instances have different rates. Each moves the schedule on by
// its own interval.
func TestInstancesWithDifferentRates(t *testing.T) {
	for _, c := range []struct{ slow, fast float64 }{{50, 100}, {20, 200}, {0.2, 100}, {1, 5000}} {
		t.Run(fmt.Sprintf("%v and %v", c.slow, c.fast), func(t *testing.T) {
			if c.fast > 200 {
				long(t)
			}
			inFleet(t, Rate{c.fast, 5}, func(f *fleet) {
				ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
				defer cancel()
				f.instance(ctx)
				f.rate.PerSecond = c.slow
				f.instance(ctx)
				f.instance(ctx)
				f.rate.PerSecond = c.fast
				f.group.Wait()
				f.keptRate() // never faster than the fastest
				if n := float64(len(f.calls)) / (20*time.Second - mostAhead).Seconds(); n < 0.99*c.slow {
					t.Errorf("%v a second, less than the slowest has", n)
				}
				t.Logf("%v a second", float64(len(f.calls))/20)
			})
		})
	}
}

func TestARateIsChangedWhileItRuns(t *testing.T) {
	inFleet(t, Rate{50, 5}, func(f *fleet) {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		var limiters []*Limiter
		for range 3 {
			limiters = append(limiters, f.limiter())
		}
		for _, l := range limiters {
			f.calling(ctx, l, func(*Limiter) { f.called() })
		}
		start := time.Now()
		time.Sleep(10 * time.Second)
		for _, l := range limiters {
			l.Change(Rate{200, 5}, time.Minute)
		}
		time.Sleep(10 * time.Second)
		for _, l := range limiters {
			l.Change(Rate{10, 1}, time.Minute)
		}
		f.group.Wait()
		for i, want := range []float64{50, 200, 10} {
			from := start.Add(time.Duration(i)*10*time.Second + 500*time.Millisecond)
			got := float64(f.between(from, from.Add(9*time.Second))) / 9
			if got > 1.02*want+0.6 || got < 0.97*want-0.6 {
				t.Errorf("%v a second, want %v", got, want)
			}
		}
	})
}

// Whatever text stands in Redis, the factor is from 0 to 1, and the throttle is the same after
// writing and reading it again.
func FuzzReadThrottle(f *testing.F) {
	f.Add("0.500000 1700000000000000 1700000000000000 0")
	f.Add("NaN 1 2 3")
	f.Add("1e-7 -9223372036854775808 9223372036854775807 0")
	f.Add("0.5 1 2")
	f.Fuzz(func(t *testing.T, text string) {
		p := readThrottle(text)
		for _, at := range []time.Time{time.Unix(0, 0), time.Unix(2_000_000_000, 0), {}} {
			if now := p.factorAt(at); !(now >= 0 && now <= 1) {
				t.Errorf("%q: %v of the agreed rate", text, now)
			}
		}
		_ = p.endsAt()
		if again := readThrottle(p.String()); again.String() != p.String() {
			t.Errorf("%q is %q, and that is %q", text, p, again)
		}
	})
}
