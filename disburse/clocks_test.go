package disburse

import (
	"context"
	"fmt"
	"testing"
	"time"

	"disburser/payout"
	"disburser/payout/finding"
)

// What expires between its lease and its call isn't sent, however long the decision or the
// moment of the rate took.
func TestWhatExpiresBeforeItsCallIsNotSent(t *testing.T) {
	slow := func(d time.Duration) func(context.Context) { return func(ctx context.Context) { pause(ctx, d) } }
	for name, c := range map[string]struct {
		decision, moment func(context.Context)
	}{
		"the decision takes long":             {slow(8 * time.Second), slow(0)},
		"the moment of the rate is far":       {slow(0), slow(4 * time.Second)},
		"it expires as the call would begin":  {slow(2 * time.Second), slow(time.Second)},
		"it expires at the decision":          {slow(3 * time.Second), slow(0)},
		"it expires after decision and grant": {slow(1500 * time.Millisecond), slow(1500 * time.Millisecond)},
	} {
		for _, sends := range []int{0, 1} {
			t.Run(fmt.Sprintf("%s, sent %d times", name, sends), func(t *testing.T) {
				inTime(t, func(t *testing.T) {
					p := order("a1", "a")
					p.ExpiresAt, p.Sends = time.Now().Add(3*time.Second), sends
					b := newBench(t, p)
					b.decider.send = func(ctx context.Context, _ []payout.Payout) error { c.decision(ctx); return nil }
					m := free
					m.wait = func(ctx context.Context, _ time.Time) error { c.moment(ctx); return ctx.Err() }
					b.merchant("a").Send = m
					b.start()
					time.Sleep(time.Minute)
					b.stop()
					if b.sends("a1") != 0 {
						t.Error("sent after its expiresAt")
					}
					if sends == 0 && b.journal.forgotten("a1") != payout.StateRejected {
						t.Errorf("never sent, and not rejected: %v", b.journal.get("a1").State)
					}
					if held := b.journal.get("a1"); sends == 1 && held.State != payout.StateHeld {
						t.Errorf("it may have been sent before, and isn't held: %v", held.State)
					}
					if busy := b.Loop.merchants["a"].sendGate.state(); busy != 0 {
						t.Error("the breaker was told")
					}
				})
			})
		}
	}
}

// No byte leaves after expiresAt; nobody may ask about the payout's absence sooner for it.
func TestACallEndsWithExpiresAt(t *testing.T) {
	inTime(t, func(t *testing.T) {
		p := order("a1", "a")
		p.ExpiresAt = time.Now().Add(3 * time.Second)
		b := newBench(t, p)
		paying := b.merchant("a").Provider.(provider)
		paying.send = func(_ context.Context, _ string, latest time.Time) finding.Finding {
			if latest.After(p.ExpiresAt) {
				t.Errorf("bytes may leave %v after expiresAt", latest.Sub(p.ExpiresAt))
			}
			return bad
		}
		b.merchant("a").Provider = paying
		b.start()
		time.Sleep(time.Second)
		if got := b.journal.get("a1"); got.SendBy.After(p.ExpiresAt) || got.SendBy.IsZero() {
			t.Errorf("SendBy is %v, expiresAt %v", got.SendBy, p.ExpiresAt)
		}
		if b.stop(); b.sends("a1") != 1 {
			t.Errorf("%d sends", b.sends("a1"))
		}
	})
}

// A machine that stood still with both of its clocks learns it from the grant.
func TestAGrantTellsThatTheLeaseIsOver(t *testing.T) {
	for _, c := range []struct {
		missed time.Duration
		sent   bool
	}{{0, true}, {10 * time.Second, true}, {24 * time.Second, false}, {29 * time.Second, false}, {time.Hour, false}} {
		t.Run(fmt.Sprint("stood still for ", c.missed), func(t *testing.T) {
			inTime(t, func(t *testing.T) {
				b := newBench(t, order("a1", "a"))
				still := free
				still.lastReading = func() (time.Time, time.Time) { return time.Now().Add(c.missed), time.Now() }
				b.merchant("a").Send = still
				began := time.Now()
				paying := b.merchant("a").Provider.(provider)
				send := paying.send
				paying.send = func(ctx context.Context, no string, latest time.Time) finding.Finding {
					if end := began.Add(28*time.Second - c.missed); latest.After(end) {
						t.Errorf("bytes may leave until %v after the lease's end", latest.Sub(end))
					}
					return send(ctx, no, latest)
				}
				b.merchant("a").Provider = paying
				b.decider.send = func(context.Context, []payout.Payout) error { time.Sleep(time.Millisecond); return nil }
				b.start()
				time.Sleep(500 * time.Millisecond)
				got := b.journal.get("a1")
				b.stop()
				if (b.sends("a1") > 0) != c.sent {
					t.Errorf("%d sends", b.sends("a1"))
				}
				if !c.sent {
					if due := got.Due.Sub(began); got.State != payout.StateReceived || due < time.Second || due > 2*time.Second {
						t.Errorf("%v, due again after %v", got.State, due)
					}
					if b.logged("by the clock of the Redis that grants the calls") == 0 {
						t.Error("nobody is told why nothing is sent")
					}
					if counterOf(t, b.registry, "disburser_sends_overdue_by_grant_total", "a", "") < 1 {
						t.Error("not counted")
					}
					if far := c.missed > ClocksApart; far != (b.ClockDifference() > ClocksApart) {
						t.Errorf("/readyz knows of %v", b.ClockDifference())
					}
				}
				if !c.sent && (got.Sends > 1 || got.LastSend != finding.Unclear) {
					t.Errorf("not given back: %+v", got)
				}
			})
		})
	}
}

// Redis' clock is set ahead by half an hour, and back again. Nothing is sent early, nothing
// rejected early, the rest goes on, and nothing spins.
func TestAStepOfRedisClock(t *testing.T) {
	inTime(t, func(t *testing.T) {
		var all []payout.Payout
		for i := range 200 {
			early := order(fmt.Sprintf("early%03d", i), "a")
			early.NotBefore = time.Now().Add(30 * time.Minute)
			early.Due = early.NotBefore
			expiring := order(fmt.Sprintf("expiring%03d", i), "a")
			expiring.NotBefore, expiring.ExpiresAt = time.Now().Add(20*time.Minute), time.Now().Add(25*time.Minute)
			expiring.Due = expiring.NotBefore
			all = append(all, early, expiring)
		}
		b := newBench(t, append(all, orders(50, "b")...)...)
		began := time.Now()
		paying := b.merchant("a").Provider.(provider)
		send := paying.send
		paying.send = func(ctx context.Context, no string, latest time.Time) finding.Finding {
			if at := time.Since(began); no[:5] == "early" && at < 30*time.Minute || no[:5] != "early" && (at < 20*time.Minute || at > 25*time.Minute) {
				t.Errorf("%s was sent after %v", no, at)
			}
			return send(ctx, no, latest)
		}
		b.merchant("a").Provider = paying
		b.journal.setClock(35 * time.Minute)
		b.start()
		time.Sleep(10 * time.Minute)
		if b.ClockDifference() != 35*time.Minute || b.logged("clock and this machine's disagree") != 1 {
			t.Errorf("the difference is %v", b.ClockDifference())
		}
		for i := range 50 {
			if b.journal.forgotten(fmt.Sprintf("b%04d", i)) != payout.StatePaid {
				t.Error("what has no time of its own didn't go on")
			}
		}
		for i := range 200 {
			if b.journal.forgotten(fmt.Sprintf("expiring%03d", i)) != 0 {
				t.Error("ended by Redis' clock alone")
			}
		}
		if leases := b.journal.called("lease send") + b.journal.called("lease expire"); leases > 500 {
			t.Errorf("%d leases in ten minutes", leases)
		}
		if looks := b.journal.called("due"); looks > 10*60*50 {
			t.Errorf("%d looks in ten minutes", looks)
		}
		b.journal.setClock(0)
		time.Sleep(90 * time.Minute)
		b.stop()
		for _, p := range all {
			ended := b.journal.forgotten(p.TradeNo)
			if p.ExpiresAt.IsZero() && (ended != payout.StatePaid || b.sends(p.TradeNo) != 1) {
				t.Fatalf("%s: %v, %d sends", p.TradeNo, ended, b.sends(p.TradeNo))
			}
			if !p.ExpiresAt.IsZero() && ended != payout.StateRejected && ended != payout.StatePaid {
				t.Fatalf("%s: %v", p.TradeNo, b.journal.get(p.TradeNo).State)
			}
		}
	})
}

// A machine whose own clock is ahead sends nothing that it takes for expired, and rejects
// nothing that isn't by Redis' clock.
func TestAMachineWhoseClockIsAhead(t *testing.T) {
	inTime(t, func(t *testing.T) {
		p := order("a1", "a")
		p.ExpiresAt, p.Due = time.Now().Add(-10*time.Minute), time.Now().Add(-time.Hour)
		scheduled := order("a2", "a")
		scheduled.NotBefore, scheduled.Due = p.ExpiresAt, p.Due
		b := newBench(t, p, scheduled)
		b.journal.setClock(-30 * time.Minute)
		b.start()
		time.Sleep(19 * time.Minute)
		if got := b.journal.get("a1"); got.State != payout.StateReceived && got.Sends == 0 {
			t.Errorf("%v before both clocks have passed expiresAt", got.State)
		}
		if b.sends("a2") != 0 {
			t.Error("sent before its notBefore by Redis' clock")
		}
		time.Sleep(3 * time.Minute)
		b.stop()
		if b.sends("a2") != 1 {
			t.Errorf("%d sends of what both clocks allow", b.sends("a2"))
		}
		if b.sends("a1") != 0 || b.journal.forgotten("a1") != payout.StateRejected {
			t.Errorf("%d sends, %v", b.sends("a1"), b.journal.forgotten("a1"))
		}
		if leases := b.journal.called("lease send"); leases > 60 {
			t.Errorf("%d leases", leases)
		}
	})
}

func TestClockDifference(t *testing.T) {
	asked := time.Date(2026, 11, 25, 6, 0, 0, 500_700_000, time.UTC)
	received := asked.Add(2 * time.Millisecond)
	for name, c := range map[string]struct {
		theirs time.Time
		want   time.Duration
	}{
		"within the call":                        {asked.Add(time.Millisecond), 0},
		"cut to the millisecond it was asked in": {asked.Truncate(time.Millisecond), 0},
		"ahead":                                  {received.Add(time.Minute), time.Minute},
		"behind":                                 {asked.Add(-time.Minute), -time.Minute},
	} {
		if got := clockDifference(c.theirs, asked, received); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
