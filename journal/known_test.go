package journal

import (
	"context"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"disburser/internal/embedded"
	"disburser/payout"
	"disburser/payout/epochs"
	"disburser/payout/inquiry"
	"disburser/payout/leases"
)

func found(t *testing.T, j *Journal, tradeNo string) inquiry.Found {
	t.Helper()
	f, err := j.Known(context.Background(), tradeNo)
	if err != nil {
		t.Fatal(err)
	}
	if f.At.IsZero() {
		t.Error("nobody knows as of when")
	}
	return f
}

// An open payout is found wherever it is, with its lane and its lease. Asking changes nothing.
func TestAnOpenPayoutIsFound(t *testing.T) {
	rebuilding(t, func(t *testing.T, client redis.UniversalClient, j *Journal) {
		first, later := at("a", 3), at("b", 4)
		later.Due, later.NotBefore = time.Now().Add(time.Hour).Truncate(time.Millisecond), time.Now().Add(time.Hour)
		insert(t, j, 5, first, later)
		before := heldBy(t, client, j)
		f := found(t, j, "b")
		if f.Place != inquiry.Open || f.Payout.State != payout.StateReceived || f.Payout.Merchant != "eg" || !f.Due.Equal(later.Due) || f.Before != 1 || f.InWork || f.Opens != 2 || f.Doubt != "" {
			t.Errorf("%+v", f)
		}
		for _, tradeNo := range []string{"a", "b", "nobody"} {
			found(t, j, tradeNo)
		}
		if after := heldBy(t, client, j); !reflect.DeepEqual(before, after) {
			t.Errorf("before %v\nafter %v", before, after)
		}
		b := lease(t, j, payout.StepSend, "eg", 1)
		f = found(t, j, "a")
		if f.Place != inquiry.Open || f.Payout.State != payout.StateSending || !f.InWork || f.Until.UnixMilli() != b.EndsAt.UnixMilli() || f.Payout.Sends != 1 {
			t.Errorf("%+v", f)
		}
		write(t, j, b, func(p *payout.Payout) {
			p.State, p.Step, p.Reason, p.HeldAt, p.Due = payout.StateHeld, payout.StepAnnounce, "ask somebody", time.Now(), time.Now().Add(time.Minute)
		})
		if f = found(t, j, "a"); f.Payout.State != payout.StateHeld || f.Payout.Reason != "ask somebody" || f.InWork || time.Until(f.Due) < 50*time.Second {
			t.Errorf("%+v", f)
		}
	})
}

// What is remembered is found too: an end, and what a rebuild has learned.
func TestWhatIsRememberedIsFound(t *testing.T) {
	rebuilding(t, func(t *testing.T, client redis.UniversalClient, j *Journal) {
		decided, held := was(epochs.WasDecided, "sent", 0), was(epochs.WasHeld, "held", 0)
		held.Reason = "no outcome within a day"
		emptied(t, client, j, was(epochs.WasAnnounced, "paid", payout.StatePaid), decided, held)
		if f := found(t, j, "paid"); f.Place != inquiry.Ended || f.Remembered != payout.StatePaid || f.Payout.TradeNo != "paid" {
			t.Errorf("%+v", f)
		}
		if f := found(t, j, "sent"); f.Place != inquiry.AwaitsSent || f.Remembered != payout.StateSending || f.Sent.UnixMilli() != decided.Time.UnixMilli() || f.Payout.Merchant != "eg" {
			t.Errorf("%+v", f)
		}
		if f := found(t, j, "held"); f.Place != inquiry.AwaitsHeld || f.Remembered != payout.StateHeld || f.Payout.Reason != held.Reason || f.Payout.HeldAt.UnixMilli() != held.Time.UnixMilli() {
			t.Errorf("%+v", f)
		}
		if f := found(t, j, "nobody"); f.Place != inquiry.Nowhere || f.Doubt != "" {
			t.Errorf("%+v", f)
		}
		insert(t, j, 4, at("end", 3))
		write(t, j, lease(t, j, payout.StepSend, "eg", 1), func(p *payout.Payout) {
			p.State, p.Step, p.Due = payout.StateRejected, payout.StepAnnounce, time.Now().Add(-time.Second)
		})
		b := lease(t, j, payout.StepAnnounce, "", 1)
		apply(t, j, leases.Change{Token: b.Token, Epoch: b.Epoch, Before: payout.StateRejected, After: b.Payouts[0], Forget: true})
		if f := found(t, j, "end"); f.Place != inquiry.Ended || f.Remembered != payout.StateRejected {
			t.Errorf("%+v", f)
		}
	})
}

// A journal that can't be believed says so, with what it holds all the same.
func TestADoubtIsSaid(t *testing.T) {
	eachRedis(t, func(t *testing.T, client redis.UniversalClient) {
		for name, c := range map[string]struct {
			spoil func(j *Journal)
			says  string
			place inquiry.Place
		}{
			"a rebuild": {func(j *Journal) { build(t, j) }, "being rebuilt", inquiry.Open},
			"wiped":     {func(j *Journal) { wipe(t, client, j) }, "no epoch is open", inquiry.Nowhere},
			"restarted": {func(j *Journal) { restarted(t, client, j) }, "restarted or replaced", inquiry.Open},
			"another layout": {func(j *Journal) {
				if err := client.SetRange(context.Background(), j.prefix+"p:a", 0, "9").Err(); err != nil {
					t.Fatal(err)
				}
			}, "", inquiry.UnreadableHere},
		} {
			j := newJournal(t, client, time.Hour)
			insert(t, j, 4, at("a", 3))
			c.spoil(j)
			if f := found(t, j, "a"); f.Place != c.place || !strings.Contains(f.Doubt, c.says) || (f.Doubt == "") != (c.says == "") || (f.Err != nil) != (c.place == inquiry.UnreadableHere) {
				t.Errorf("%s: %+v", name, f)
			}
		}
	})
	onClock(t, time.Hour, func(t *testing.T, r *embedded.Redis, j *Journal) {
		now := time.Now()
		if _, _, err := j.Clock(context.Background(), j.epoch.id(), now, false); err != nil {
			t.Fatal(err)
		}
		for _, ahead := range []time.Duration{-2 * time.Minute, 61 * time.Minute} {
			r.SetTime(now.Add(ahead))
			if f := found(t, j, "a"); !strings.Contains(f.Doubt, "clock") {
				t.Errorf("%v ahead: %+v", ahead, f)
			}
		}
		r.SetTime(now)
		if f := found(t, j, "a"); f.Doubt != "" {
			t.Errorf("%+v", f)
		}
	})
}

// Shards are asked by the tradeNo; all of them count what is open.
func TestAPayoutIsFoundInItsShard(t *testing.T) {
	eachRedis(t, func(t *testing.T, client redis.UniversalClient) {
		s := newShards(t, client, 0, 0)
		for i := range 2 {
			insert(t, s.journals[i], 4, s.in(i, at("a", 3)))
		}
		tradeNo := s.in(1, at("a", 3)).TradeNo
		if f, err := s.Known(context.Background(), tradeNo); err != nil || f.Place != inquiry.Open || f.Opens != 2 || f.Payout.TradeNo != tradeNo {
			t.Errorf("%+v, %v", f, err)
		}
	})
}

// A parked payout is found with the time at which it would be due.
func TestAParkedPayoutIsFound(t *testing.T) {
	rebuilding(t, func(t *testing.T, _ redis.UniversalClient, j *Journal) {
		insert(t, j, 5, ofBatch("a", "b1", 3), ofBatch("b", "b1", 4))
		due := found(t, j, "a").Due
		move(t, j, payout.StepParked, 7, "a")
		if f := found(t, j, "a"); f.Place != inquiry.Open || f.Payout.Step != payout.StepParked || due.IsZero() || !f.Due.Equal(due) {
			t.Errorf("%+v, due at %v before", f, due)
		}
	})
}
