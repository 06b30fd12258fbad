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
	"disburser/payout/intake"
	"disburser/payout/leases"
)

// actor is a journal with an action, as an instance sees it.
type actor struct {
	*testing.T
	j   *Journal
	act leases.Act
}

// see asks for the action under a token, for a minute.
func (a actor) see(token string) leases.Acted {
	a.Helper()
	acted, err := a.j.Act(context.Background(), a.act, token, time.Minute)
	if err != nil {
		a.Fatal(err)
	}
	return acted
}

func (a actor) mark(c leases.Claim, mark leases.Mark) bool {
	a.Helper()
	ok, err := a.j.MarkAct(context.Background(), c, mark, "said")
	if err != nil {
		a.Fatal(err)
	}
	return ok
}

// lapse ends the claim, as if its time were over.
func (a actor) lapse(client redis.UniversalClient) {
	client.HSet(context.Background(), a.j.prefix+"act:"+a.act.ID, "lease", "1")
}

func eachAct(t *testing.T, test func(client redis.UniversalClient, a actor)) {
	eachRedis(t, func(t *testing.T, client redis.UniversalClient) {
		j := newJournal(t, client, time.Hour)
		test(client, actor{t, j, leases.Act{ID: "a1", Order: 5, Recorded: time.Now(), Lasts: time.Minute, Complete: true}})
	})
}

// One instance has an action at a time. Whoever takes it over, the first one can't mark anything any more.
func TestAnActionIsClaimedByOne(t *testing.T) {
	eachAct(t, func(client redis.UniversalClient, a actor) {
		first := a.see("one")
		if !first.Mine || first.Mark != "" || first.Made {
			a.Fatalf("%+v", first)
		}
		if again := a.see("one"); !again.Mine {
			a.Errorf("claimed again: %+v", again)
		}
		if other := a.see("two"); other.Mine || other.Mark != "" {
			a.Fatalf("claimed by two: %+v", other)
		}
		if a.mark(leases.Claim{Action: "a1", Token: "two", Epoch: first.Epoch}, leases.MarkRefused) {
			a.Error("marked by somebody who doesn't have it")
		}
		if ok, err := a.j.NoteAct(context.Background(), first.Claim, "half"); err != nil || !ok {
			a.Fatal(ok, err)
		}
		a.lapse(client)
		second := a.see("two")
		if !second.Mine || second.Note != "half" {
			a.Fatalf("not taken over: %+v", second)
		}
		if a.mark(first.Claim, leases.MarkDone) {
			a.Error("the first one marks what it doesn't have any more")
		}
		if ok, _ := a.j.BeginAct(context.Background(), first.Claim, ""); ok {
			a.Error("the first one begins what it doesn't have any more")
		}
		for range 2 {
			if !a.mark(second.Claim, leases.MarkRefused) {
				a.Error("not marked, or not again after a lost reply")
			}
		}
		if a.mark(second.Claim, leases.MarkDone) {
			a.Error("a mark over a mark")
		}
		if got := a.see("three"); got.Mine || got.Mark != leases.MarkRefused || got.Said != "said" || got.Told || got.MarkedAt.IsZero() {
			a.Errorf("%+v", got)
		}
		if err := a.j.ToldAct(context.Background(), second.Claim); err != nil || !a.see("").Told {
			a.Error(err)
		}
		if ttl := client.TTL(context.Background(), a.j.prefix+"act:a1").Val(); ttl < 6*24*time.Hour {
			a.Errorf("kept for %v", ttl)
		}
	})
}

// The deadline counts from when the action was first seen, for everybody, and never against a claim that lives, or
// against what was made.
func TestAnActionExpires(t *testing.T) {
	eachAct(t, func(client redis.UniversalClient, a actor) {
		ctx, key := context.Background(), a.j.prefix+"act:a1"
		a.act.Complete = false
		if got := a.see("one"); got.Mine || got.Mark != "" {
			a.Fatalf("claimed though somebody must confirm it: %+v", got)
		}
		until := client.HGet(ctx, key, "until").Val()
		a.act.Complete = true
		one := a.see("one")
		if client.HGet(ctx, key, "until").Val() != until || !one.Mine {
			a.Error("the deadline moved with the confirmation")
		}
		client.HSet(ctx, key, "until", "1")
		if got := a.see("two"); got.Mark != "" {
			a.Errorf("expired over a claim that lives: %+v", got)
		}
		if ok, _ := a.j.BeginAct(ctx, one.Claim, ""); ok {
			a.Error("begun after the deadline")
		}
		a.lapse(client)
		if got := a.see("two"); got.Mine || got.Mark != leases.MarkExpired || got.Said == leases.SaidLost {
			a.Errorf("%+v", got)
		}
		if a.mark(one.Claim, leases.MarkDone) {
			a.Error("done over expired")
		}
		made := a
		made.act.ID = "a2"
		one = made.see("one")
		if ok, err := a.j.BeginAct(ctx, one.Claim, "note"); err != nil || !ok {
			a.Fatal(ok, err)
		}
		client.HSet(ctx, a.j.prefix+"act:a2", "until", "1", "lease", "1")
		two := made.see("two")
		if !two.Mine || !two.Made || two.Note != "note" || two.Mark != "" {
			a.Errorf("what was made isn't taken over: %+v", two)
		}
		if made.mark(two.Claim, leases.MarkRefused) || made.mark(two.Claim, leases.MarkExpired) || !made.mark(two.Claim, leases.MarkDone) {
			a.Error("refused or expired is said of what was made")
		}
		old := a
		old.act.ID, old.act.Recorded = "a3", time.Now().Add(-2*time.Minute-time.Second)
		if got := old.see("one"); got.Mine || got.Mark != leases.MarkExpired || got.Said == leases.SaidLost {
			a.Errorf("carried out long after it was said: %+v", got)
		}
	})
}

// opening begins another epoch, whose actions end there.
func opening(t *testing.T, j *Journal, actions int64, decided ...string) {
	t.Helper()
	ctx, id := context.Background(), NewToken()
	s, err := j.Standing(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := j.Build(ctx, id, s.Epoch.ID, time.Minute); err != nil {
		t.Fatal(err)
	}
	for _, action := range decided {
		r := was(epochs.WasEnded, "of "+action, payout.StateRejected)
		r.Action = action
		if err := j.Restore(ctx, id, time.Minute, []epochs.Restored{r}); err != nil {
			t.Fatal(err)
		}
	}
	if err := j.OpenEpoch(ctx, epochs.Opening{Epoch: epochs.Epoch{Number: 2, ID: id}, Shards: 1, Fences: map[int]int64{3: 8}, Actions: actions}); err != nil {
		t.Fatal(err)
	}
	j.Believe(id)
}

// Claimed and lost looks like never claimed. So what was recorded before an epoch began is never carried out in it.
// It is done if the replay found a decision, else nobody knows (protocol A5).
func TestAnActionOfBeforeTheEpochIsNotCarriedOut(t *testing.T) {
	eachAct(t, func(client redis.UniversalClient, a actor) {
		claimed := a.see("one")
		marked := a
		marked.act.ID = "done before"
		marked.mark(marked.see("one").Claim, leases.MarkDone)
		refused := a
		refused.act.ID = "refused before"
		refused.mark(refused.see("one").Claim, leases.MarkRefused)
		cancel := a
		cancel.act.ID, cancel.act.Lasts = "a batch's cancel", 0
		if ok, _ := a.j.BeginAct(context.Background(), cancel.see("one").Claim, "page 7"); !ok {
			a.Fatal("not begun")
		}
		opening(a.T, a.j, 6, "decided", "a batch's cancel")
		_, err := a.j.MarkAct(context.Background(), claimed.Claim, leases.MarkDone, "")
		epochError(a.T, err)
		for id, want := range map[string]leases.Mark{
			"a1": leases.MarkExpired, "never seen": leases.MarkExpired, "refused before": leases.MarkExpired,
			"done before": leases.MarkDone, "decided": leases.MarkDone,
		} {
			old := a
			old.act.ID = id
			for range 2 {
				if got := old.see("two"); got.Mine || got.Mark != want || (got.Said == leases.SaidLost) != (want == leases.MarkExpired) {
					a.Errorf("%s: %+v", id, got)
				}
			}
		}
		if got := cancel.see("two"); !got.Mine || !got.Old || got.Made || got.Note != "" || got.Mark != "" {
			a.Errorf("a batch's cancel doesn't begin again: %+v", got)
		}
		later := a
		later.act.ID, later.act.Order = "later", 6
		if got := later.see("two"); !got.Mine || got.Old {
			a.Errorf("recorded after the epoch began: %+v", got)
		}
		client.HDel(context.Background(), a.j.prefix+"epoch", "actions")
		later.act.ID = "unknown"
		if got := later.see("two"); got.Mark != leases.MarkExpired {
			a.Errorf("nobody has noted where the actions ended: %+v", got)
		}
	})
}

// An effect is made once, by who has the action and the payout, in time. The sets and counts are as after any other
// change.
func TestAnEffectIsCheckedWhereItIsMade(t *testing.T) {
	eachAct(t, func(client redis.UniversalClient, a actor) {
		ctx := context.Background()
		insert(a.T, a.j, 9, at("p1", 3), at("p2", 4))
		by := leases.ByName{TradeNos: []string{"p1"}, States: []payout.State{payout.StateReceived}, For: time.Minute}
		b, err := a.j.LeaseByName(ctx, by)
		if err != nil || len(b.Payouts) != 1 || b.Payouts[0].Found != leases.NamedLeased || b.Payouts[0].Payout.Merchant != "eg" {
			a.Fatalf("%+v %v", b, err)
		}
		checks(a.T, client, a.j)
		if other, err := a.j.LeaseByName(ctx, by); err != nil || other.Payouts[0].Found != leases.NamedBusy {
			a.Errorf("leased by two: %+v %v", other, err)
		}
		if s := lease(a.T, a.j, payout.StepSend, "eg", 9); len(s.Payouts) != 1 || s.Payouts[0].TradeNo != "p2" {
			a.Errorf("leased to be sent: %+v", s.Payouts)
		}
		one := a.see("one")
		after, err := b.Payouts[0].Payout.Reject("cancelled by alice", time.Now())
		if err != nil {
			a.Fatal(err)
		}
		c := leases.Change{Token: b.Token, Epoch: b.Epoch, Before: payout.StateReceived, After: after}
		carry := func(claim leases.Claim, c leases.Change, want leases.Carried, why string) {
			a.Helper()
			if got, err := a.j.CarryAct(ctx, claim, c); err != nil || got != want {
				a.Errorf("%s: %c %v", why, got, err)
			}
		}
		stranger, token, state := one.Claim, c, c
		stranger.Token, token.Token, state.Before = "two", NewToken(), payout.StateHeld
		carry(stranger, c, leases.CarriedLate, "by somebody who doesn't have the action")
		carry(one.Claim, token, leases.CarriedLost, "by somebody who doesn't have the payout")
		carry(one.Claim, state, leases.CarriedLost, "in another state")
		key := a.j.prefix + "act:a1"
		until := client.HGet(ctx, key, "until").Val()
		client.HSet(ctx, key, "until", "1")
		carry(one.Claim, c, leases.CarriedLate, "after the deadline")
		client.HSet(ctx, key, "until", until)
		carry(one.Claim, c, leases.CarriedOut, "in time")
		carry(one.Claim, c, leases.CarriedOut, "the caller repeats")
		checks(a.T, client, a.j)
		if p := show(a.T, client, a.j, "p1"); p.State != payout.StateRejected || p.Step != payout.StepAnnounce {
			a.Errorf("%+v", p)
		}
		if n := lease(a.T, a.j, payout.StepAnnounce, "", 9); len(n.Payouts) != 1 {
			a.Errorf("it isn't announced: %+v", n.Payouts)
		}
		a.lapse(client)
		client.HSet(ctx, key, "until", "1")
		if got := a.see("two"); !got.Mine || !got.Made {
			a.Errorf("what was made expires: %+v", got)
		}
		again, err := a.j.LeaseByName(ctx, leases.ByName{TradeNos: []string{"p1", "p2", "nobody"}, States: by.States, For: time.Minute})
		if err != nil || again.Payouts[0].Found != leases.NamedOther || again.Payouts[1].Found != leases.NamedBusy || again.Payouts[2].Found != leases.NamedUnknown {
			a.Errorf("%+v %v", again, err)
		}
	})
}

// What is asked about by name stays in its lane, and what has ended is only remembered.
func TestALeaseByNameOfWhatIsAskedAbout(t *testing.T) {
	eachRedis(t, func(t *testing.T, client redis.UniversalClient) {
		j := newJournal(t, client, time.Hour)
		ctx := context.Background()
		insert(t, j, 9, at("p1", 3), at("p2", 4))
		b := lease(t, j, payout.StepSend, "eg", 9)
		ended, sent := b.Payouts[1], b.Payouts[0]
		ended.State, ended.Step, ended.Due = payout.StatePaid, payout.StepAnnounce, time.Now().Add(-time.Minute)
		sent.Due = time.Now().Add(time.Hour)
		for _, p := range []payout.Payout{ended, sent} {
			apply(t, j, leases.Change{Token: b.Token, Epoch: b.Epoch, Before: payout.StateSending, After: p})
		}
		n := lease(t, j, payout.StepAnnounce, "", 9)
		if got := apply(t, j, leases.Change{Token: n.Token, Epoch: n.Epoch, Before: payout.StatePaid, After: n.Payouts[0], Forget: true}); !got[0] {
			t.Fatal("not forgotten")
		}
		by := leases.ByName{TradeNos: []string{sent.TradeNo, ended.TradeNo}, States: []payout.State{payout.StateSending, payout.StateHeld}, For: time.Minute}
		got, err := j.LeaseByName(ctx, by)
		if err != nil || got.Payouts[0].Found != leases.NamedLeased || got.Payouts[1].Found != leases.NamedEnded || got.Payouts[1].Payout.State != payout.StatePaid {
			t.Fatalf("%+v %v", got, err)
		}
		p := got.Payouts[0].Payout
		p.Due = time.Now().Add(-time.Second)
		if ok := apply(t, j, leases.Change{Token: got.Token, Epoch: got.Epoch, Before: payout.StateSending, After: p}); !ok[0] {
			t.Fatal("not written under a lease by name")
		}
		checks(t, client, j)
		if a := lease(t, j, payout.StepAsk, "eg", 9); len(a.Payouts) != 1 {
			t.Errorf("%+v", a.Payouts)
		}
	})
}

// What a batch's cancel has touched keeps it from being refused. A refusal that was marked before is void then: whoever
// touches has read that the cancel stands (protocol A10). Each payout counts once: who was to end it may do so again.
func TestACancelOfABatchIsNotRefusedOfWhatItEnded(t *testing.T) {
	eachAct(t, func(client redis.UniversalClient, a actor) {
		ctx, epoch := context.Background(), a.j.epoch.id()
		a.act.Lasts = 0
		for id, first := range map[string]bool{"seen first": true, "touched first": false} {
			a.act.ID = id
			if first {
				a.see("one")
			}
			for _, named := range [][]string{{"p1", "p2"}, {"p2", "p3", "p1"}, nil} {
				if err := a.j.TouchAct(ctx, epoch, id, named); err != nil {
					a.Fatal(err)
				}
			}
			one := a.see("one")
			if one.Touched != 3 || !one.Mine || a.mark(one.Claim, leases.MarkRefused) || !a.mark(one.Claim, leases.MarkDone) {
				a.Errorf("%s: %+v", id, one)
			}
		}
		a.act.ID = "told"
		if err := a.j.TouchAct(ctx, epoch, a.act.ID, []string{"p1"}); err != nil {
			a.Fatal(err)
		}
		names := a.j.prefix + "act:told:touched"
		if left := client.PTTL(ctx, names).Val(); left <= 0 {
			a.Errorf("the names stay for %v", left)
		}
		one := a.see("one")
		if !a.mark(one.Claim, leases.MarkDone) {
			a.Fatal("not marked")
		}
		if err := a.j.ToldAct(ctx, one.Claim); err != nil {
			a.Fatal(err)
		}
		if err := a.j.TouchAct(ctx, epoch, a.act.ID, []string{"p2"}); err != nil { // what comes later for a cancelled batch
			a.Fatal(err)
		}
		if one := a.see(""); one.Touched != 1 || client.Exists(ctx, names).Val() != 0 {
			a.Errorf("counted after its outcome is told: %+v", one)
		}
		a.act.ID = "of nobody"
		if one := a.see("one"); one.Touched != 0 || !a.mark(one.Claim, leases.MarkRefused) {
			a.Error("not refused")
		}
		if err := a.j.TouchAct(ctx, epoch, "of nobody", nil); err != nil {
			a.Error(err)
		}
		if two := a.see("one"); !two.Mine || two.Mark != "" || two.Said != "" || a.mark(two.Claim, leases.MarkRefused) || !a.mark(two.Claim, leases.MarkDone) {
			a.Errorf("refused though it stands: %+v", two)
		}
	})
}

// A pass goes through all open payouts of a batch, of each merchant, page by page. What ends between two pages leaves
// none of the others out.
func TestAPassMeetsEachOpenPayoutOfABatch(t *testing.T) {
	eachRedis(t, func(t *testing.T, client redis.UniversalClient) {
		j := newJournal(t, client, time.Hour)
		var all []payout.Payout
		want := map[string]bool{}
		for i := range 1300 {
			p := at(fmt.Sprintf("p%04d", i), int64(i/100))
			p.BatchID = []string{"b1", "b2"}[i%2]
			if i%3 == 0 {
				p.Merchant = "zz"
			}
			if all = append(all, p); p.BatchID == "b1" {
				want[p.TradeNo] = true
			}
		}
		insert(t, j, 20, all...)
		cursor, pages, got := "", 0, map[string]int{}
		for {
			page, err := j.OpenOf(context.Background(), "b1", cursor, 0)
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range page.Payouts {
				got[p.TradeNo]++
				if !want[p.TradeNo] {
					t.Fatalf("%s is of %s", p.TradeNo, p.BatchID)
				}
			}
			if cursor = page.Next; cursor == "" {
				break
			}
			if pages++; pages > 10 {
				t.Fatal("no end")
			}
			client.ZRem(context.Background(), j.prefix+"open:0:zz", fmt.Sprintf("p%04d", 3*pages)) // it ends meanwhile
		}
		for tradeNo := range want {
			if got[tradeNo] == 0 && tradeNo > "p0050" {
				t.Errorf("%s is left out", tradeNo)
			}
		}
		if pages < 2 {
			t.Errorf("%d pages", pages)
		}
	})
}

// Once a pass for a batch's cancel has begun, whoever hasn't read the cancel inserts nothing: it would wait until it is
// due. Another action's pass asks for nothing (protocol A10).
func TestWhoHasNotReadACancelInsertsNothing(t *testing.T) {
	eachRedis(t, func(t *testing.T, client redis.UniversalClient) {
		j := newJournal(t, client, time.Hour)
		ctx := context.Background()
		offset := int64(0)
		takes := func(follows int64, want bool) {
			t.Helper()
			r := intake.Range{From: offset, To: offset + 1, Follows: follows}
			_, _, err := j.Insert(ctx, r, []intake.Entry{{Payout: at(fmt.Sprint("p", offset), offset)}})
			m, marks := j.Marks(ctx, []int{0})
			if (err == nil) != want || !want && !errors.Is(err, intake.ErrActions) || marks != nil || (m[0].Position > offset) != want {
				t.Errorf("by who has read up to %d: %v, the position is %d", follows, err, m[0].Position)
			}
			if want {
				offset++
			}
		}
		pass := func(cursor string, order int64) {
			t.Helper()
			if _, err := j.OpenOf(ctx, "b1", cursor, order); err != nil {
				t.Fatal(err)
			}
		}
		takes(0, true)
		pass("", 0)
		takes(0, true)
		pass("", 7)
		takes(7, false)
		takes(8, true)
		pass("", 5) // an older one
		takes(6, false)
		pass("eg\n0\n", 9) // not its first page
		takes(8, true)
		if _, err := j.OpenCount(ctx, 0, 3); err != nil {
			t.Errorf("nothing is taken in: %v", err)
		}
		open(t, j, build(t, j))
		takes(7, false)
		takes(8, true)
		checks(t, client, j)
	})
}
