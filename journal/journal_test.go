package journal

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"disburser/payout"
	"disburser/payout/epochs"
	"disburser/payout/intake"
	"disburser/payout/leases"
)

func TestInsertKnowsEachTradeNoOnce(t *testing.T) {
	eachRedis(t, func(t *testing.T, client redis.UniversalClient) {
		j := newJournal(t, client, time.Hour)
		if got := insert(t, j, 4, order("a", "300"), order("b", "300"), order("a", "300.00"), order("a", "301")); got != "nndc" {
			t.Errorf("outcomes %q, want nndc", got)
		}
		rejected := payout.Begin(payout.Command{TradeNo: "c", Merchant: "nobody"}, "", payout.Source{}, "merchant is unknown", time.Now())
		if got := insert(t, j, 4, rejected, order("b", "300")); got != "rd" {
			t.Errorf("outcomes %q, want rd", got)
		}
	})
}

func TestInsertHoldsWhatIsUnknownAndOld(t *testing.T) {
	eachRedis(t, func(t *testing.T, client redis.UniversalClient) {
		j := newJournal(t, client, time.Hour)
		old := order("old", "1")
		old.Source.Time = time.Now().Add(-2 * time.Hour)
		entries := []intake.Entry{{Payout: old}}
		outcomes, open, err := j.Insert(context.Background(), intake.Range{To: 1}, entries)
		if err != nil || open != 1 || intake.Outcome(outcomes[0]) != intake.TooOld {
			t.Fatalf("outcomes %q, open %d, %v", outcomes, open, err)
		}
		if b := lease(t, j, payout.StepSend, "eg", 9); len(b.Payouts) != 0 {
			t.Fatalf("an old and unknown payout was leased to be sent")
		}
		b := lease(t, j, payout.StepAnnounce, "", 9)
		if len(b.Payouts) != 1 || b.Payouts[0].State != payout.StateHeld || b.Payouts[0].Reason == "" {
			t.Fatalf("to announce: %+v", b.Payouts)
		}
	})
}

func TestInsertRefusesARangeBeyondThePosition(t *testing.T) {
	eachRedis(t, func(t *testing.T, client redis.UniversalClient) {
		j := newJournal(t, client, time.Hour)
		insert(t, j, 10, order("a", "1"))
		_, _, err := j.Insert(context.Background(), intake.Range{From: 11, To: 12}, nil)
		if !errors.Is(err, intake.ErrPosition) {
			t.Fatalf("want payout.ErrPosition, got %v", err)
		}
		if got := insert(t, j, 5); got != "" { // an old range never moves it back
			t.Fatal(got)
		}
		m, err := j.Marks(context.Background(), []int{0, 7})
		if err != nil || m[0] != (intake.Mark{Position: 10, Safe: 3}) || m[7] != (intake.Mark{Position: -1, Safe: -1}) {
			t.Fatalf("marks %v, %v", m, err)
		}
	})
}

func TestInsertOfManyChunksMovesThePositionAtTheEndOnly(t *testing.T) {
	eachRedis(t, func(t *testing.T, client redis.UniversalClient) {
		j := newJournal(t, client, time.Hour)
		many := make([]payout.Payout, 2*chunk+1)
		for i := range many {
			many[i] = order(fmt.Sprintf("t%d", i), "300")
		}
		if got := insert(t, j, 4, many...); len(got) != len(many) {
			t.Fatalf("%d outcomes for %d payouts", len(got), len(many))
		}
		c, err := j.Count(context.Background(), []int{0})
		if err != nil || c.Open != len(many) || c.States["eg"][payout.StateReceived] != len(many) || c.Oldest["eg"].IsZero() {
			t.Fatalf("census %+v, %v", c, err)
		}
	})
}

func TestLeaseForASendWritesSendingAndOnlyOneGetsIt(t *testing.T) {
	eachRedis(t, func(t *testing.T, client redis.UniversalClient) {
		j := newJournal(t, client, time.Hour)
		insert(t, j, 4, order("a", "300"))
		b := lease(t, j, payout.StepSend, "eg", 5)
		if len(b.Payouts) != 1 {
			t.Fatalf("leased %d", len(b.Payouts))
		}
		p := b.Payouts[0]
		if p.State != payout.StateSending || p.Sends != 1 || p.LastSentAt.IsZero() || p.SendBy.Sub(p.LastSentAt) != time.Minute {
			t.Errorf("leased %v sends=%d sentAt=%v sendBy=%v", p.State, p.Sends, p.LastSentAt, p.SendBy)
		}
		if p.Payee.Field("walletId") != "01123456789" || p.Remark != "salary" || p.Fingerprint != p.Command.Fingerprint() {
			t.Errorf("the record lost something of the command")
		}
		for _, step := range []payout.Step{payout.StepSend, payout.StepAsk} {
			if again := lease(t, j, step, "eg", 5); len(again.Payouts) != 0 {
				t.Errorf("leased twice, for %v", step)
			}
		}
	})
}

func TestARepeatedLeaseAnswersTheSameBatch(t *testing.T) {
	eachRedis(t, func(t *testing.T, client redis.UniversalClient) {
		j := newJournal(t, client, time.Hour)
		insert(t, j, 4, order("a", "300"), order("b", "300"), order("c", "300"))
		args := []any{"s", "eg", "token-token-", 2, 60000, noAccount}
		first, err := j.run(context.Background(), "lease", args...)
		if err != nil {
			t.Fatal(err)
		}
		again, err := j.run(context.Background(), "lease", args...)
		if err != nil || !slices.Equal(batchOf(first), batchOf(again)) || len(batchOf(again)) != 4 {
			t.Fatalf("first %v\nagain %v\n%v", first, again, err)
		}
		for tradeNo, record := range handed(again) {
			if stored := client.Get(context.Background(), j.prefix+"p:"+tradeNo).Val(); stored != record {
				t.Errorf("stored is %q, handed out was %q", stored, record)
			}
		}
	})
}

// batchOf lists what a lease's answer hands out: tradeNos and records by turns.
func batchOf(answer []any) (all []string) {
	for tradeNo, record := range handed(answer) {
		all = append(all, tradeNo, record)
	}
	return all
}

func TestAnExpiredLeaseIsTakenOverByAskingNotSending(t *testing.T) {
	eachRedis(t, func(t *testing.T, client redis.UniversalClient) {
		j := newJournal(t, client, time.Hour)
		insert(t, j, 4, order("a", "300"))
		lost, err := j.Lease(context.Background(), leases.Request{Step: payout.StepSend, Merchant: "eg", N: 1, For: time.Millisecond})
		if err != nil || len(lost.Payouts) != 1 {
			t.Fatal(lost, err)
		}
		time.Sleep(5 * time.Millisecond) // Redis' clock, which no test can turn
		if b := lease(t, j, payout.StepSend, "eg", 1); len(b.Payouts) != 0 {
			t.Fatal("handed out to be sent again")
		}
		taken := lease(t, j, payout.StepAsk, "eg", 1)
		if len(taken.Payouts) != 1 || taken.Payouts[0].State != payout.StateSending || taken.Payouts[0].Sends != 1 {
			t.Fatalf("taken over: %+v", taken.Payouts)
		}
		late := lost.Payouts[0]
		late.State = payout.StateProcessing
		if got := apply(t, j, leases.Change{Token: lost.Token, Epoch: lost.Epoch, Before: payout.StateSending, After: late}); got[0] {
			t.Fatal("the zombie's late result was written")
		}
	})
}

func TestApplyIsGuardedAndRepeatable(t *testing.T) {
	eachRedis(t, func(t *testing.T, client redis.UniversalClient) {
		j := newJournal(t, client, time.Hour)
		insert(t, j, 4, order("a", "300"))
		b := lease(t, j, payout.StepSend, "eg", 1)
		p := b.Payouts[0]
		p.State, p.Step, p.Due, p.Asks, p.Status = payout.StateProcessing, payout.StepAsk, time.Now().Add(-time.Second), 7, "0015"
		wrongState := leases.Change{Token: b.Token, Epoch: b.Epoch, Before: payout.StateReceived, After: p}
		wrongToken := leases.Change{Token: NewToken(), Epoch: b.Epoch, Before: payout.StateSending, After: p}
		right := leases.Change{Token: b.Token, Epoch: b.Epoch, Before: payout.StateSending, After: p}
		if got := apply(t, j, wrongState, wrongToken, right, right); !reflect.DeepEqual(got, []bool{false, false, true, true}) {
			t.Fatalf("applied %v", got)
		}
		again := lease(t, j, payout.StepAsk, "eg", 1)
		if len(again.Payouts) != 1 || again.Payouts[0].Asks != 7 || again.Payouts[0].Status != "0015" {
			t.Fatalf("leased %+v", again.Payouts)
		}
		if got := apply(t, j, right); got[0] {
			t.Fatal("an old token wrote after a new lease")
		}
	})
}

func TestForgetKeepsWhatDeduplicationNeeds(t *testing.T) {
	eachRedis(t, func(t *testing.T, client redis.UniversalClient) {
		j := newJournal(t, client, time.Hour)
		insert(t, j, 4, order("a", "300"))
		b := lease(t, j, payout.StepSend, "eg", 1)
		p := b.Payouts[0]
		p.State, p.Step, p.Due = payout.StatePaid, payout.StepAnnounce, time.Now().Add(-time.Second)
		apply(t, j, leases.Change{Token: b.Token, Epoch: b.Epoch, Before: payout.StateSending, After: p})
		b = lease(t, j, payout.StepAnnounce, "", 1)
		forget := leases.Change{Token: b.Token, Epoch: b.Epoch, Before: payout.StatePaid, After: b.Payouts[0], Forget: true}
		if got := apply(t, j, forget, forget); !got[0] || !got[1] {
			t.Fatalf("forgotten %v", got)
		}
		if got := insert(t, j, 9, order("a", "300"), order("a", "5")); got != "dc" {
			t.Fatalf("outcomes %q after forgetting, want dc", got)
		}
		if m, _ := j.Marks(context.Background(), []int{0}); m[0].Position != 4 {
			t.Fatalf("the position moved to %d before the conflict was a dead letter", m[0].Position)
		}
		insert(t, j, 9)
		m, _ := j.Marks(context.Background(), []int{0})
		c, _ := j.Count(context.Background(), []int{0})
		if m[0] != (intake.Mark{Position: 9, Safe: 9}) || c.Open != 0 || c.States["eg"][payout.StatePaid] != 0 {
			t.Fatalf("marks %v, census %+v", m, c)
		}
	})
}

func TestGiveBackMakesItSendableAgain(t *testing.T) {
	eachRedis(t, func(t *testing.T, client redis.UniversalClient) {
		j := newJournal(t, client, time.Hour)
		insert(t, j, 4, order("a", "300"))
		b := lease(t, j, payout.StepSend, "eg", 1)
		p, err := b.Payouts[0].GiveBack(b.LatestJournalTime(time.Now()), false)
		if err != nil {
			t.Fatal(err)
		}
		p.Due = p.Due.Add(-time.Second) // or this process' clock may be a millisecond ahead of Redis'
		apply(t, j, leases.Change{Token: b.Token, Epoch: b.Epoch, Before: payout.StateSending, After: p})
		again := lease(t, j, payout.StepSend, "eg", 1)
		if len(again.Payouts) != 1 || again.Payouts[0].Sends != 1 {
			t.Fatalf("after giving back: %+v", again.Payouts)
		}
	})
}

func TestAnExpiredPayoutIsLeasedToExpireAndNeverToSend(t *testing.T) {
	eachRedis(t, func(t *testing.T, client redis.UniversalClient) {
		j := newJournal(t, client, time.Hour)
		p := order("a", "300")
		p.ExpiresAt = time.Now().Add(-time.Millisecond)
		later := order("b", "300")
		later.ExpiresAt = time.Now().Add(time.Hour)
		insert(t, j, 4, p, later)
		if b := lease(t, j, payout.StepSend, "eg", 9); len(b.Payouts) != 1 || b.Payouts[0].TradeNo != "b" {
			t.Fatalf("leased to be sent: %+v", b.Payouts)
		}
		b := lease(t, j, payout.StepReview, "", 9)
		if len(b.Payouts) != 1 || b.Payouts[0].State != payout.StateReceived {
			t.Fatalf("leased to expire: %+v", b.Payouts)
		}
		expired, err := b.Payouts[0].NotSendable(time.Now(), b.Payouts[0].Account)
		if err != nil || expired.State != payout.StateRejected {
			t.Fatal(expired.State, err)
		}
		if got := apply(t, j, leases.Change{Token: b.Token, Epoch: b.Epoch, Before: payout.StateReceived, After: expired}); !got[0] {
			t.Fatal("not written")
		}
		a, err := j.Due(context.Background(), []string{"eg"})
		if err != nil || len(a.Due) != 1 || a.Due[leases.Lane{Step: payout.StepAnnounce}] != 1 {
			t.Fatalf("agenda %+v, %v", a, err)
		}
	})
}

// What has expired by this clock alone goes back: it may be sent, and it may expire.
func TestAnExpiryIsGivenBack(t *testing.T) {
	eachRedis(t, func(t *testing.T, client redis.UniversalClient) {
		j := newJournal(t, client, time.Hour)
		p := order("a", "300")
		p.ExpiresAt = time.Now().Add(-time.Millisecond)
		insert(t, j, 4, p)
		b := lease(t, j, payout.StepReview, "", 9)
		if len(b.Payouts) != 1 {
			t.Fatal("not leased")
		}
		after := b.Payouts[0]
		after.Step, after.Due = payout.StepSend, time.Now().Add(time.Hour)
		if got := apply(t, j, leases.Change{Token: b.Token, Epoch: b.Epoch, Before: payout.StateReceived, After: after}); !got[0] {
			t.Fatal("not written")
		}
		a, err := j.Due(context.Background(), []string{"eg"})
		if err != nil || len(a.Due) != 1 || a.Due[leases.Lane{Step: payout.StepReview}] != 1 || a.Next.UnixMilli() != after.Due.UnixMilli() {
			t.Fatalf("agenda %+v, %v", a, err)
		}
	})
}

func TestDueCountsPerMerchantAndStep(t *testing.T) {
	eachRedis(t, func(t *testing.T, client redis.UniversalClient) {
		j := newJournal(t, client, time.Hour)
		scheduled, other := order("later", "300"), order("other", "300")
		scheduled.Due, other.Due = time.Now().Add(time.Hour).Truncate(time.Millisecond), time.Now().Add(2*time.Hour).Truncate(time.Millisecond)
		other.Merchant = "br"
		insert(t, j, 4, order("a", "300"), order("b", "300"), scheduled, other)
		a, err := j.Due(context.Background(), []string{"eg", "br"})
		if err != nil || len(a.Due) != 1 || a.Due[sends("eg")] != 2 || !a.Next.Equal(other.Due) {
			t.Fatalf("agenda %+v, %v", a, err)
		}
		if lanes, err := j.MayBeDue(context.Background()); err != nil || len(lanes) != 1 || lanes[0] != sends("eg") {
			t.Fatalf("%v, %v", lanes, err)
		}
		lease(t, j, payout.StepSend, "eg", 9) // both will be asked about
		for range 2 {                         // the first look finds that the bound of the lane was too early
			if a, err = j.Due(context.Background(), []string{"eg", "br"}); err != nil || len(a.Due) != 0 || a.Next.After(scheduled.Due) || a.Next.Before(a.Now) {
				t.Fatalf("agenda %+v, %v", a, err)
			}
		}
		if lanes, err := j.MayBeDue(context.Background()); err != nil || len(lanes) != 0 {
			t.Fatalf("%v, %v", lanes, err)
		}
		checks(t, client, j)
	})
}

// sends is the lane of a merchant's sends.
func sends(merchant string) leases.Lane {
	return leases.Lane{Step: payout.StepSend, Merchant: merchant}
}

func TestEvidenceIsKeptPerMerchant(t *testing.T) {
	eachRedis(t, func(t *testing.T, client redis.UniversalClient) {
		j := newJournal(t, client, time.Hour)
		at := time.UnixMilli(1_700_000_000_000).UTC()
		served := []leases.Served{{Merchant: "eg", At: at, About: "x", Settled: true}, {Merchant: "eg", At: at.Add(time.Second), About: "y"}, {Merchant: "eg", At: at, About: "z"}}
		if _, err := j.Apply(context.Background(), nil, served); err != nil {
			t.Fatal(err)
		}
		if got := lease(t, j, payout.StepAsk, "eg", 1).Evidence; got != (leases.Evidence{ServedAt: at.Add(time.Second), About: "y", Settled: "x"}) {
			t.Fatalf("evidence %+v", got)
		}
	})
}

func TestAnotherEpochIsRefusedByEveryScript(t *testing.T) {
	eachRedis(t, func(t *testing.T, client redis.UniversalClient) {
		j := newJournal(t, client, time.Hour)
		insert(t, j, 4, order("a", "300"))
		s, err := j.Standing(context.Background())
		if err != nil || !s.Open() || s.Epoch.Number != 1 || s.Fences[3] != 7 {
			t.Fatalf("standing %+v, %v", s, err)
		}
		for _, step := range []string{"building", "opened"} {
			if step == "building" {
				if err := j.Build(context.Background(), "next", s.Epoch.ID, time.Minute); err != nil {
					t.Fatal(err)
				}
				if err := j.Build(context.Background(), "other", "", time.Minute); !errors.Is(err, epochs.ErrOver) {
					t.Fatalf("a second builder was let in: %v", err)
				}
			} else if err := j.OpenEpoch(context.Background(), epochs.Opening{Epoch: epochs.Epoch{Number: 2, ID: "next"}, Shards: 1}); err != nil {
				t.Fatal(err)
			}
			for _, script := range Scripts {
				if unbelieving[script] {
					continue
				}
				if _, err := j.run(context.Background(), script, "s", "eg", "token-token-", "1", "1"); !errors.Is(err, epochs.ErrOver) {
					t.Errorf("%s while %s: %v", script, step, err)
				}
			}
		}
		j.Believe("next")
		if b := lease(t, j, payout.StepSend, "eg", 1); len(b.Payouts) != 1 {
			t.Fatal("the next epoch lost the payout")
		}
	})
}
