package journal

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"disburser/payout"
	"disburser/payout/epochs"
	"disburser/payout/leases"
)

// firstLook is the first look in an epoch. It puts all lanes into the index.
func firstLook(t *testing.T, j *Journal) {
	t.Helper()
	if _, err := j.Due(context.Background(), []string{"eg", "br", ""}); err != nil {
		t.Fatal(err)
	}
}

// The index of lanes may be late, as after a version that doesn't keep it. Then the first look in an
// epoch finds everything, and later ones within the time of a sweep.
func TestALateIndexIsHealed(t *testing.T) {
	eachRedis(t, func(t *testing.T, client redis.UniversalClient) {
		ctx := context.Background()
		for _, n := range []int{1, 700} {
			j := newJournal(t, client, time.Hour)
			merchants := make([]string, n)
			for i := range merchants {
				merchants[i] = fmt.Sprint("m", i)
			}
			last := order("a", "300")
			last.Merchant = merchants[n-1]
			insert(t, j, 4, last)
			late := func(index string) {
				var err error
				if index == "gone" {
					err = client.Del(ctx, j.prefix+"lanes").Err()
				} else {
					err = client.ZAdd(ctx, j.prefix+"lanes", redis.Z{Score: float64(time.Now().Add(time.Hour).UnixMilli()), Member: "s:" + last.Merchant}).Err()
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			found := func() bool {
				t.Helper()
				a, err := j.Due(ctx, merchants)
				if err != nil {
					t.Fatal(err)
				}
				return a.Due[sends(last.Merchant)] == 1
			}
			for _, index := range []string{"gone", "wrong"} {
				late(index)
				j.sweeps = sweeps{} // as another process begins
				if !found() {
					t.Errorf("%d merchants, %s: the first look misses it", n, index)
				}
				late(index)
				looks, whole := 0, max(sweepTime, time.Duration(2*n+2)*time.Second/sweepRate)
				for swept := time.Duration(0); !found(); swept += time.Second {
					if looks++; swept > whole+time.Second {
						t.Fatalf("%d merchants, %s: missed for more than %v", n, index, whole)
					}
					j.sweeps.last = j.sweeps.last.Add(-time.Second) // as if a second passed
				}
				if looks == 0 {
					t.Errorf("%d merchants, %s: all lanes are swept in each look", n, index)
				}
			}
			checks(t, client, j)
		}
	})
}

// The bound of a lane is the earliest time of a call, wherever it stands in it, and of all calls.
func TestTheEarliestOfACallCounts(t *testing.T) {
	eachRedis(t, func(t *testing.T, client redis.UniversalClient) {
		j := newJournal(t, client, time.Hour)
		in := func(tradeNo string, d time.Duration) payout.Payout {
			p := order(tradeNo, "300")
			p.Due = time.Now().Add(d)
			return p
		}
		insert(t, j, 4, in("a", 3*time.Hour), in("b", time.Hour), in("c", 2*time.Hour))
		checks(t, client, j)
		insert(t, j, 5, in("d", 4*time.Hour))
		checks(t, client, j)
	})
}

// A merchant's lane leaves the index with its last payout, not before. So nothing has to be looked at when
// leases would end that are over long before.
func TestALaneLeavesTheIndexWithItsLastPayout(t *testing.T) {
	eachRedis(t, func(t *testing.T, client redis.UniversalClient) {
		j := newJournal(t, client, time.Hour)
		insert(t, j, 4, order("a", "300"), order("b", "300"))
		lease(t, j, payout.StepSend, "eg", 1)
		if h := checks(t, client, j); len(h.index) != 2 {
			t.Errorf("one of two is leased: %v", h.index)
		}
		b := lease(t, j, payout.StepSend, "eg", 1)
		if h := checks(t, client, j); len(h.index) != 1 {
			t.Errorf("both are leased: %v", h.index)
		}
		ended := b.Payouts[0]
		ended.State, ended.Step = payout.StatePaid, payout.StepAnnounce
		apply(t, j, leases.Change{Token: b.Token, Epoch: b.Epoch, Before: payout.StateSending, After: ended})
		if _, listed := checks(t, client, j).index["due:a:eg"]; !listed {
			t.Error("one of two has ended, and nobody looks for the other")
		}
	})
}

// A lease that takes all that is due leaves the bound at what comes due next. That is before the lease's
// end here.
func TestALeaseOfAllThatIsDuePutsTheBoundRight(t *testing.T) {
	eachRedis(t, func(t *testing.T, client redis.UniversalClient) {
		j := newJournal(t, client, time.Hour)
		insert(t, j, 4, order("a", "300"), order("b", "300"))
		b := lease(t, j, payout.StepSend, "eg", 2)
		next := time.Now().Add(10 * time.Second)
		for i, due := range []time.Time{time.Now().Add(-time.Second), next} {
			asked := b.Payouts[i]
			asked.State, asked.Step, asked.Due = payout.StateProcessing, payout.StepAsk, due
			apply(t, j, leases.Change{Token: b.Token, Epoch: b.Epoch, Before: payout.StateSending, After: asked})
		}
		if b = lease(t, j, payout.StepAsk, "eg", 2); len(b.Payouts) != 1 {
			t.Fatalf("%d are due", len(b.Payouts))
		}
		if bound := checks(t, client, j).index["due:a:eg"]; bound != float64(next.UnixMilli()) {
			t.Errorf("the bound is %.0f, the next ask comes due at %d", bound, next.UnixMilli())
		}
	})
}

// A bound is early after a write that puts a payout off, and after a lease of an older version.
func TestALookPutsAnEarlyBoundRight(t *testing.T) {
	eachRedis(t, func(t *testing.T, client redis.UniversalClient) {
		ctx := context.Background()
		j := newJournal(t, client, time.Hour)
		later := order("a", "300")
		later.Due = time.Now().Add(10 * time.Minute)
		insert(t, j, 4, later)
		early := redis.Z{Score: float64(time.Now().Add(-time.Minute).UnixMilli()), Member: "s:eg"}
		if err := client.ZAdd(ctx, j.prefix+"lanes", early).Err(); err != nil {
			t.Fatal(err)
		}
		if a, err := j.Due(ctx, nil); err != nil || len(a.Due) != 0 || a.Next.UnixMilli() != later.Due.UnixMilli() {
			t.Errorf("%+v, %v", a, err)
		}
		if bound := checks(t, client, j).index["due:s:eg"]; bound != float64(later.Due.UnixMilli()) {
			t.Errorf("the bound is %.0f, not %d", bound, later.Due.UnixMilli())
		}
	})
}

// What the caller can't work on isn't counted, and is found again as soon as it can.
func TestALookLeavesOutWhatItIsTold(t *testing.T) {
	eachRedis(t, func(t *testing.T, client redis.UniversalClient) {
		ctx := context.Background()
		j := newJournal(t, client, time.Hour)
		other := order("b", "300")
		other.Merchant = "br"
		insert(t, j, 4, order("a", "300"), other)
		firstLook(t, j)
		for _, c := range []struct {
			leftOut []leases.Lane
			eg, br  int
		}{{nil, 1, 1}, {[]leases.Lane{sends("eg"), {Step: payout.StepReview}}, 0, 1}, {[]leases.Lane{sends("eg"), sends("br")}, 0, 0}, {nil, 1, 1}} {
			a, err := j.DueBut(ctx, []string{"eg", "br"}, c.leftOut)
			if err != nil || a.Due[sends("eg")] != c.eg || a.Due[sends("br")] != c.br {
				t.Errorf("without %v: %v, %v", c.leftOut, a.Due, err)
			}
		}
	})
}

// What a rebuild restores is among the lanes at once.
func TestARestoredPayoutIsSeen(t *testing.T) {
	eachRedis(t, func(t *testing.T, client redis.UniversalClient) {
		j := newJournal(t, client, time.Hour)
		p := order("a", "300")
		p.Due = time.Now().Add(time.Hour)
		insert(t, j, 4, p)
		open(t, j, build(t, j, was(epochs.WasDecided, "a", 0))) // it is sending, and asked about from now on
		checks(t, client, j)
	})
}

// A lane that nobody here works on hides no other one.
func TestALaneOfNobodyHidesNothing(t *testing.T) {
	eachRedis(t, func(t *testing.T, client redis.UniversalClient) {
		j := newJournal(t, client, time.Hour)
		gone, p := order("gone", "300"), order("a", "300")
		gone.Merchant, gone.Due, p.Due = "gone", time.Now().Add(-time.Hour), time.Now()
		insert(t, j, 4, gone)
		insert(t, j, 5, p)
		a, err := j.Due(context.Background(), []string{"eg"})
		if err != nil || a.Due[sends("eg")] != 1 || a.Due[sends("gone")] != 1 {
			t.Fatalf("%+v, %v", a, err)
		}
		if lanes, err := j.MayBeDue(context.Background()); err != nil || len(lanes) != 2 {
			t.Fatalf("%v, %v", lanes, err)
		}
	})
}

// The look that isn't believed notices a journal that was wiped, and one of another epoch.
func TestACheapLookNoticesAnotherEpoch(t *testing.T) {
	eachRedis(t, func(t *testing.T, client redis.UniversalClient) {
		ctx := context.Background()
		j := newJournal(t, client, time.Hour)
		if _, err := j.MayBeDue(ctx); err != nil {
			t.Fatal(err)
		}
		if err := client.HSet(ctx, j.prefix+"epoch", "id", "another").Err(); err != nil {
			t.Fatal(err)
		}
		if _, err := j.MayBeDue(ctx); !errors.Is(err, epochs.ErrOver) {
			t.Errorf("another epoch: %v", err)
		}
		wipe(t, client, j)
		if _, err := j.MayBeDue(ctx); !errors.Is(err, epochs.ErrOver) {
			t.Errorf("wiped: %v", err)
		}
	})
}

func TestLanesHaveNames(t *testing.T) {
	merchants := []string{"a", "b:c"}
	seen := map[string]bool{}
	for i := range 2*len(merchants) + 2 {
		name := laneAt(i, merchants)
		la := laneOf(name)
		if "due:"+name != dueSet(la.Step, la.Merchant) || seen[name] {
			t.Errorf("%q is %+v", name, la)
		}
		seen[name] = true
	}
	if la := laneOf(""); la.Step != 0 || la != laneOf(":x") {
		t.Errorf("%+v", la)
	}
	if la := laneOf("s:b:c"); la.Step != payout.StepSend || la.Merchant != "b:c" {
		t.Errorf("%+v", la)
	}
}
