package journal

import (
	"context"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"disburser/payout"
	"disburser/payout/epochs"
	"disburser/payout/leases"
)

// ends has an action of the payout's own name end it, as a cancel does.
func (a actor) ends(tradeNo string) leases.Claim {
	a.Helper()
	ctx := context.Background()
	b, err := a.j.LeaseByName(ctx, leases.ByName{TradeNos: []string{tradeNo}, States: []payout.State{payout.StateReceived}, For: time.Minute})
	if err != nil || b.Payouts[0].Found != leases.NamedLeased {
		a.Fatalf("%+v %v", b, err)
	}
	after, err := b.Payouts[0].Payout.Cancel(payout.Cancellation{By: "alice", Action: tradeNo}, time.Now().Add(-time.Second))
	if err != nil {
		a.Fatal(err)
	}
	a.act.ID = tradeNo
	claim := a.see("one").Claim
	c := leases.Change{Token: b.Token, Epoch: b.Epoch, Before: payout.StateReceived, After: after}
	for range 2 { // a lost reply
		if got, err := a.j.CarryAct(ctx, claim, c); err != nil || got != leases.CarriedOut {
			a.Fatalf("%c %v", got, err)
		}
	}
	return claim
}

// announces has the journal forget everything that waits for its announcement.
func (a actor) announces() {
	a.Helper()
	b := lease(a.T, a.j, payout.StepAnnounce, "", 99)
	for _, p := range b.Payouts {
		apply(a.T, a.j, leases.Change{Token: b.Token, Epoch: b.Epoch, Before: p.State, After: p, Forget: true})
	}
}

// undecided are the payouts that keep the watermarks back.
func (a actor) undecided(client redis.UniversalClient) []string {
	return slices.Sorted(maps.Keys(client.HGetAll(context.Background(), a.j.prefix+"undecided").Val()))
}

// What an action has ended is decided only in the epoch that wrote it. A later one makes it held, unless it was noted
// as decided, or the replay finds its decision (protocol A5).
func TestAnActionsEndOutlivesNoEpoch(t *testing.T) {
	eachAct(t, func(client redis.UniversalClient, a actor) {
		names := []string{"announced", "by a batch", "decided", "found", "lost", "unknown here"}
		var all []payout.Payout
		for i, name := range names {
			all = append(all, at(name, int64(3+i)))
		}
		insert(a.T, a.j, 20, all...)
		a.ends("announced")
		a.announces() // and it is never marked
		for _, name := range []string{"found", "lost", "unknown here"} {
			a.ends(name)
		}
		if !a.mark(a.ends("decided"), leases.MarkDone) {
			a.Fatal("not marked")
		}
		a.cancelledByABatch("by a batch")
		if got := a.undecided(client); !slices.Equal(got, []string{"found", "lost", "unknown here"}) {
			a.Fatalf("undecided: %q", got)
		}
		checks(a.T, client, a.j)
		forgets(a, client, "unknown here")

		found := was(epochs.WasEnded, "found", payout.StateRejected)
		found.By, found.Action = "alice", "found"
		open(a.T, a.j, build(a.T, a.j, found))
		if got := a.undecided(client); len(got) != 0 {
			a.Errorf("undecided in the next epoch: %q", got)
		}
		p := show(a.T, client, a.j, "lost")
		if p.State != payout.StateHeld || p.Step != payout.StepAnnounce || p.By != "" || p.Own() || !p.MaybeShown() || p.Sends < 1 || p.Reason == "" || p.HeldAt.IsZero() {
			a.Errorf("%+v", p)
		}
		for _, name := range []string{"by a batch", "decided", "found"} {
			if p := show(a.T, client, a.j, name); p.State != payout.StateRejected || p.By != "alice" || !p.Own() {
				a.Errorf("%s: %+v", name, p)
			}
		}
		checks(a.T, client, a.j)
		open(a.T, a.j, build(a.T, a.j)) // what was found once needs no vouching again
		if p := show(a.T, client, a.j, "found"); p.State != payout.StateRejected {
			a.Errorf("%+v", p)
		}
	})
}

// cancelledByABatch ends a payout as a review does for its batch's cancel.
func (a actor) cancelledByABatch(tradeNo string) {
	a.Helper()
	if _, err := a.j.Move(context.Background(), leases.Move{To: payout.StepReview, Follows: 1}, []string{tradeNo}); err != nil {
		a.Fatal(err)
	}
	b := lease(a.T, a.j, payout.StepReview, "", 9)
	if len(b.Payouts) != 1 {
		a.Fatalf("%+v", b.Payouts)
	}
	after, err := b.Payouts[0].Cancel(payout.Cancellation{By: "alice", Action: "batch"}, time.Now())
	if err != nil {
		a.Fatal(err)
	}
	apply(a.T, a.j, leases.Change{Token: b.Token, Epoch: b.Epoch, Before: payout.StateReceived, After: after})
}

// forgets takes a payout away, as if its record were lost.
func forgets(a actor, client redis.UniversalClient, tradeNo string) {
	a.Helper()
	ctx := context.Background()
	client.Del(ctx, a.j.prefix+"p:"+tradeNo)
	client.ZRem(ctx, a.j.prefix+"due:n", tradeNo)
	client.ZRem(ctx, a.j.prefix+"open:0:eg", tradeNo)
	client.HIncrBy(ctx, a.j.prefix+"count", "eg\nR", -1)
	client.Decr(ctx, a.j.prefix+"total")
}

// While an end by an action stands undecided no watermark passes its decision. Otherwise the replay wouldn't find it,
// and would hold what was said to be done (protocol A5). What a batch's cancel ends keeps none back.
func TestWatermarksWaitForAnUndecidedEnd(t *testing.T) {
	eachAct(t, func(client redis.UniversalClient, a actor) {
		ctx := context.Background()
		to := func(at int64, want bool) {
			a.Helper()
			if moved, err := a.j.Watermark(ctx, map[int]int64{0: at}, map[int]int64{0: at}); err != nil || moved != want {
				a.Errorf("to %d: moved %v, %v", at, moved, err)
			}
			s, err := a.j.Standing(ctx)
			if err != nil || (s.Decisions[0] == at) != want || (s.Results[0] == at) != want {
				a.Errorf("to %d: %+v %v", at, s, err)
			}
		}
		insert(a.T, a.j, 20, at("b1", 3), at("p1", 4), at("p2", 5), at("p3", 6))
		a.cancelledByABatch("b1")
		to(1, true)
		first := a.ends("p1")
		to(2, false)
		a.announces()
		to(3, true)
		if !a.mark(first, leases.MarkDone) {
			a.Error("not marked")
		}
		second := a.ends("p2")
		to(4, false)
		if err := a.j.Witness(ctx, map[string]string{"x": "y"}); err != nil {
			a.Error(err)
		}
		if s, _ := a.j.Standing(ctx); s.Witnesses["x"] != "y" {
			a.Error("a witness waits too")
		}
		a.mark(second, leases.MarkDone)
		to(5, true)
		a.ends("p3")
		open(a.T, a.j, build(a.T, a.j))
		to(6, true)
	})
}
