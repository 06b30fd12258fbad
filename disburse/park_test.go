package disburse

import (
	"context"
	"fmt"
	"testing"
	"time"

	"disburser/payout"
	"disburser/payout/acts"
)

// pausedBatch is a loop with half of the payouts in the batch "paused", which is paused, and half in another one.
func pausedBatch(t *testing.T, n int) (*bench, *pausable, []payout.Payout) {
	all := orders(n, "a")
	for i := range all {
		all[i].BatchID = []string{"paused", "goes on"}[i%2]
	}
	b := newBench(t, all...)
	said := &pausable{}
	said.batch.Store("paused")
	said.narrow.Store(true)
	said.follows.Store(1)
	b.config.Actions, b.config.MaxOpen = said, 1000
	return b, said, all
}

// steps counts the payouts of the memory by what is to be done with them.
func (j *memory) steps() map[payout.Step]int {
	j.mu.Lock()
	defer j.mu.Unlock()
	n := map[payout.Step]int{}
	for _, r := range j.rows {
		n[r.Step]++
	}
	return n
}

// A paused batch is parked: it is neither leased nor decided, and the others go on. When the pause is lifted it
// comes back.
func TestAPausedBatchIsParked(t *testing.T) {
	inTime(t, func(t *testing.T) {
		b, said, all := pausedBatch(t, 20)
		b.start()
		time.Sleep(70 * time.Second) // the next sweep is far away
		if b.allSends() != 10 || b.journal.steps()[payout.StepParked] != 10 || b.journal.left() != 10 {
			t.Errorf("%d sent, left: %v", b.allSends(), b.journal.steps())
		}
		for _, p := range all {
			if got := b.journal.get(p.TradeNo); p.BatchID == "paused" && (got.Sends != 0 || !got.Due.Equal(p.Due)) {
				t.Errorf("%s was sent %d times, and is due at %v, not %v", p.TradeNo, got.Sends, got.Due, p.Due)
			}
		}
		if n := b.journal.called("peek"); n > 20 {
			t.Errorf("%d looks in a minute at what is parked", n)
		}
		said.batch.Store("")
		said.narrow.Store(false)
		said.follows.Store(2)
		b.Loop.Sweep()
		time.Sleep(time.Second)
		if b.allSends() != 20 {
			t.Errorf("%d sent after it is over: %v", b.allSends(), b.journal.steps())
		}
		b.stop()
	})
}

// Nobody told this instance that the pause is over, or it died before it brought back everything: a sweep each minute
// finds it.
func TestWhatIsParkedIsAskedAboutEachMinute(t *testing.T) {
	inTime(t, func(t *testing.T) {
		b, said, _ := pausedBatch(t, 2)
		b.start()
		time.Sleep(time.Second)
		said.batch.Store("")
		said.follows.Store(2)
		time.Sleep(time.Minute + time.Second)
		if b.allSends() != 2 {
			t.Errorf("%d sent: %v", b.allSends(), b.journal.steps())
		}
		b.stop()
	})
}

// While nobody knows what is in force, nothing is brought back.
func TestNothingIsBroughtBackWhileNobodyKnows(t *testing.T) {
	inTime(t, func(t *testing.T) {
		b, said, _ := pausedBatch(t, 2)
		b.start()
		time.Sleep(time.Second)
		said.batch.Store("")
		said.why.Store(acts.NotFresh)
		b.Loop.Sweep()
		time.Sleep(2 * time.Minute)
		if b.journal.steps()[payout.StepParked] != 1 {
			t.Errorf("brought back: %v", b.journal.steps())
		}
		b.stop()
	})
}

// Whoever has read less of the actions than somebody else parks nothing. It doesn't send either, and doesn't keep Redis
// busy.
func TestOldNewsParkNothing(t *testing.T) {
	inTime(t, func(t *testing.T) {
		b, said, _ := pausedBatch(t, 20)
		b.journal.followed = 5
		b.start()
		time.Sleep(10 * time.Second)
		if b.allSends() != 10 || b.journal.steps()[payout.StepParked] != 0 {
			t.Errorf("%d sent, %v", b.allSends(), b.journal.steps())
		}
		if n := b.journal.called("peek"); n > 700 {
			t.Errorf("%d looks in ten seconds", n)
		}
		said.follows.Store(5)
		time.Sleep(time.Second)
		if b.allSends() != 10 || b.journal.steps()[payout.StepParked] != 10 {
			t.Errorf("%d sent, %v", b.allSends(), b.journal.steps())
		}
		b.stop()
	})
}

// Bringing back stops while too many payouts are open, and goes on as they end.
func TestBringingBackWaitsForRoom(t *testing.T) {
	inTime(t, func(t *testing.T) {
		b, said, _ := pausedBatch(t, 40)
		b.config.MaxOpen = 3
		b.start()
		time.Sleep(time.Second)
		hold := make(chan struct{})
		said.batch.Store("")
		said.follows.Store(2)
		b.decider.send = func(context.Context, []payout.Payout) error { <-hold; return nil }
		b.Loop.Sweep()
		time.Sleep(5 * time.Second)
		close(hold)
		time.Sleep(time.Minute)
		if b.allSends() != 40 || b.Loop.KeptParked() {
			t.Errorf("%d sent, %v, still full: %v", b.allSends(), b.journal.steps(), b.Loop.KeptParked())
		}
		b.stop()
	})
}

// Something that is stopped for ever costs a group nothing more: no look, and no more leases than without it. Once a
// lane meets some of it, it looks until it meets none any more.
func TestWhatIsStoppedElsewhereCostsNoLook(t *testing.T) {
	scripts := func(others int64) (leases, looks int) {
		inTime(t, func(t *testing.T) {
			b, said, _ := pausedBatch(t, 0)
			said.batch.Store("")
			said.others.Store(others)
			b.start()
			add := func(name, batch string) {
				p := order(name, "a")
				p.BatchID, p.Due = batch, time.Now()
				b.journal.mu.Lock()
				b.journal.rows[name] = &row{Payout: p}
				b.journal.mu.Unlock()
				b.Loop.Nudge()
				time.Sleep(time.Second)
			}
			for i := range 20 {
				add(fmt.Sprint("p", i), "goes on")
			}
			leases, looks = b.journal.called("lease send"), b.journal.called("peek")
			if others == 1 {
				said.batch.Store("paused")
				add("stopped", "paused")
				if b.journal.steps()[payout.StepParked] != 1 || b.journal.called("peek") == 0 {
					t.Errorf("not parked: %v", b.journal.steps())
				}
				add("q0", "goes on")
				after := b.journal.called("peek")
				for i := range 10 {
					add(fmt.Sprint("q", 1+i), "goes on")
				}
				if n := b.journal.called("peek"); n != after {
					t.Errorf("%d looks after it was parked", n-after)
				}
			}
			if n := b.sends("stopped"); n != 0 || b.sends("p19") != 1 || b.journal.get("stopped").Sends != 0 {
				t.Errorf("%d sends of what is stopped", n)
			}
			b.stop()
		})
		return leases, looks
	}
	leases, looks := scripts(0)
	if l, p := scripts(1); p != 0 || looks != 0 || l != leases || l < 20 {
		t.Errorf("%d leases and %d looks, without it %d and %d", l, p, leases, looks)
	}
	if l, p := scripts(stoppedNamed); p != 0 || l != leases {
		t.Errorf("%d leases and %d looks where many are stopped", l, p)
	}
	if _, p := scripts(stoppedNamed + 1); p < 20 {
		t.Errorf("%d looks where more are stopped than a lease can be told of", p)
	}
}

// A cancelled batch is ended by reviews, whether its payouts are due, parked, or not due yet for long.
func TestACancelledBatchEnds(t *testing.T) {
	for _, first := range []string{"due", "parked"} {
		inTime(t, func(t *testing.T) {
			b, said, all := pausedBatch(t, 20)
			doubtful := order("doubtful", "a")
			doubtful.BatchID, doubtful.Sends, doubtful.Account = "paused", 1, testPolicy().Account
			b.journal.rows["doubtful"] = &row{Payout: doubtful}
			said.cancel.Store(first == "due")
			b.start()
			time.Sleep(10 * time.Second)
			said.cancel.Store(true)
			said.follows.Store(2)
			b.Loop.Sweep()
			time.Sleep(10 * time.Second)
			for _, p := range all {
				if got := b.journal.forgotten(p.TradeNo); p.BatchID == "paused" && got != payout.StateRejected || p.BatchID != "paused" && got != payout.StatePaid {
					t.Errorf("%s: %s of %q ended as %v: %+v", first, p.TradeNo, p.BatchID, got, b.journal.get(p.TradeNo))
				}
			}
			if got := b.journal.get("doubtful"); got.State != payout.StateHeld || b.sends("doubtful") != 0 {
				t.Errorf("%s: what may have been sent before is %v: %q", first, got.State, got.Reason)
			}
			b.stop()
		})
	}
}

// Where much is paused and little is not, the little isn't hidden behind the much.
func TestALargePausedBatchHidesNobody(t *testing.T) {
	inTime(t, func(t *testing.T) {
		var all []payout.Payout
		for i := range 5000 {
			p := order(fmt.Sprintf("p%05d", i), "a")
			p.BatchID, p.Due = "paused", time.Now().Add(-time.Hour)
			all = append(all, p)
		}
		all = append(all, order("z", "a"))
		b := newBench(t, all...)
		said := &pausable{}
		said.batch.Store("paused")
		said.narrow.Store(true)
		b.config.Actions, b.config.MaxOpen = said, 1000
		b.start()
		time.Sleep(time.Second)
		if b.sends("z") != 1 || b.allSends() != 1 || b.journal.steps()[payout.StepParked] != 5000 {
			t.Errorf("%d sent: %v", b.allSends(), b.journal.steps())
		}
		b.stop()
	})
}
