package journal

import (
	"context"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"disburser/internal/embedded"
	"disburser/payout"
	"disburser/payout/leases"
)

// The sets say what is due, the records what may be done: what stands in a wrong set is
// not handed out.
func TestOnlyWhatIsReceivedIsLeasedToSendOrExpire(t *testing.T) {
	eachRedis(t, func(t *testing.T, client redis.UniversalClient) {
		j := newJournal(t, client, time.Hour)
		for n, state := range payout.States[1:] {
			known(t, j, string(state), int64(n), state)
		}
		for _, c := range []struct {
			step      payout.Step
			set, lane string
			strays    string
		}{
			{payout.StepSend, "due:s:eg", "eg", "sphPQFR"},
			{payout.StepReview, "due:x", "", "sphPQFR"},
			{payout.StepAsk, "due:a:eg", "eg", "hPQFR"}, // a hold is told before it is asked about
			{payout.StepAnnounce, "due:n", "", "sp"},
		} {
			for _, stray := range c.strays {
				if err := client.ZAdd(context.Background(), j.prefix+c.set, redis.Z{Score: 1, Member: string(stray)}).Err(); err != nil {
					t.Fatal(err)
				}
			}
			for _, p := range lease(t, j, c.step, c.lane, 9).Payouts {
				if strings.Contains(c.strays, p.TradeNo) {
					t.Errorf("what was %s is leased to %v", p.TradeNo, c.step)
				}
			}
		}
	})
}

// A repeat may arrive late, as a duplicate on its way. It answers only what the caller still
// has. The rest was taken over by somebody else, or was written back.
func TestARepeatedLeaseLeavesOutWhatIsNotItsAnyMore(t *testing.T) {
	eachRedis(t, func(t *testing.T, client redis.UniversalClient) {
		j := newJournal(t, client, time.Hour)
		insert(t, j, 4, order("back", "300"), order("taken", "300"), order("still", "300"))
		const token = "token-token-"
		args := []any{"s", "eg", token, 3, 60000, noAccount}
		first, err := j.run(context.Background(), "lease", args...)
		if err != nil || len(batchOf(first)) != 6 {
			t.Fatal(first, err)
		}
		back, err := show(t, client, j, "back").GiveBack(time.Now().Add(time.Hour), false)
		if err != nil {
			t.Fatal(err)
		}
		apply(t, j, leases.Change{Token: token, Epoch: j.epoch.id(), Before: payout.StateSending, After: back})
		client.ZAdd(context.Background(), j.prefix+"due:a:eg", redis.Z{Score: 1, Member: "taken"}) // its lease is over
		if b := lease(t, j, payout.StepAsk, "eg", 1); len(b.Payouts) != 1 {
			t.Fatal("not taken over")
		}
		again, err := j.run(context.Background(), "lease", args...)
		if err != nil || len(batchOf(again)) != 2 || batchOf(again)[0] != "still" {
			t.Fatalf("%q %v", again[5:], err)
		}
	})
}

// slowConn reads the next answer as late as it is told to.
type slowConn struct {
	net.Conn
	late *atomic.Int64
}

func (c slowConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	time.Sleep(time.Duration(c.late.Swap(0)))
	return n, err
}

// inVirtualTime runs a test on a Redis whose clock is the bubble's.
func inVirtualTime(t *testing.T, window time.Duration, test func(t *testing.T, j *Journal, late *atomic.Int64)) {
	synctest.Test(t, func(t *testing.T) {
		r, err := embedded.NewRedis()
		if err != nil {
			t.Fatal(err)
		}
		late := &atomic.Int64{}
		client := redis.NewClient(&redis.Options{
			Dialer: func(ctx context.Context, network, address string) (net.Conn, error) {
				c, err := r.Dial(ctx, network, address)
				return slowConn{c, late}, err
			},
			MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}, // it would ask the DNS
		})
		t.Cleanup(func() { _ = client.Close(); r.Close() })
		test(t, newJournal(t, client, window), late)
	})
}

// However late the answer comes, the lease ends where Redis ends it, or before.
func TestALeaseCountsFromBeforeItWasAskedFor(t *testing.T) {
	inVirtualTime(t, time.Hour, func(t *testing.T, j *Journal, late *atomic.Int64) {
		insert(t, j, 4, order("a", "300"))
		began := time.Now()
		late.Store(int64(2 * time.Second))
		b := lease(t, j, payout.StepSend, "eg", 1)
		if len(b.Payouts) != 1 || time.Since(began) < 2*time.Second {
			t.Fatalf("%+v after %v", b.Payouts, time.Since(began))
		}
		// Here the journal's clock is the process' own.
		if now := time.Now(); b.EarliestJournalTime(now).After(now) || b.LatestJournalTime(now).Before(now) {
			t.Errorf("it is %v, taken for %v to %v", now, b.EarliestJournalTime(now), b.LatestJournalTime(now))
		}
		if !b.Asked.Equal(began) || b.Deadline().After(b.EndsAt) {
			t.Errorf("asked %v after it was, it ends %v after its end", b.Asked.Sub(began), b.Deadline().Sub(b.EndsAt))
		}
	})
}

// A lease goes on after a write. Nobody else finds the payout before its end, and its owner may
// end it. A repeat of the write is told that it has been done.
func TestALeaseThatGoesOnAfterAWrite(t *testing.T) {
	eachRedis(t, func(t *testing.T, client redis.UniversalClient) {
		j := newJournal(t, client, time.Hour)
		insert(t, j, 4, order("a", "300"))
		b := lease(t, j, payout.StepSend, "eg", 1)
		p := b.Payouts[0]
		p.State, p.Step, p.SettledAt, p.Due = payout.StatePaid, payout.StepAnnounce, time.Now(), time.Now().Add(-time.Second)
		kept := leases.Change{Token: b.Token, Epoch: b.Epoch, Before: payout.StateSending, After: p, EndsAt: b.EndsAt}
		for range 2 {
			if written := apply(t, j, kept); !written[0] {
				t.Fatal("not written, or the repeat was told so")
			}
		}
		if again := lease(t, j, payout.StepAnnounce, "", 5); len(again.Payouts) != 0 {
			t.Error("somebody else got it while the lease goes on")
		}
		if score := client.ZScore(context.Background(), j.prefix+"due:n", "a").Val(); int64(score) != b.EndsAt.UnixMilli() {
			t.Errorf("it comes due at %v, the lease ends at %v", int64(score), b.EndsAt.UnixMilli())
		}
		other := kept
		other.EndsAt = b.EndsAt.Add(time.Second)
		if written := apply(t, j, other); written[0] {
			t.Error("another end of the lease passed for a repeat")
		}
		forget := leases.Change{Token: b.Token, Epoch: b.Epoch, Before: payout.StatePaid, After: p, Forget: true}
		for range 2 {
			if written := apply(t, j, forget); !written[0] {
				t.Fatal("not forgotten, or the repeat was told so")
			}
		}
		if written := apply(t, j, kept); written[0] {
			t.Error("a late copy of the first write was written after the payout was forgotten")
		}
		if census, err := j.Count(context.Background(), []int{0}); err != nil || census.Open != 0 {
			t.Errorf("%d are open: %v", census.Open, err)
		}
	})
}

// A repeat of a write that has been done says so and does nothing: whatever has come since
// stays.
func TestARepeatIsNotWrittenAgain(t *testing.T) {
	eachRedis(t, func(t *testing.T, client redis.UniversalClient) {
		j := newJournal(t, client, time.Hour)
		insert(t, j, 4, order("a", "300"))
		b := lease(t, j, payout.StepSend, "eg", 1)
		p := b.Payouts[0]
		p.Due, p.Step = time.Now().Add(time.Minute), payout.StepAsk // still sending: the send was unclear
		c := leases.Change{Token: b.Token, Epoch: b.Epoch, Before: payout.StateSending, After: p}
		apply(t, j, c)
		c.After.Due = p.Due.Add(time.Hour)
		if written := apply(t, j, c); !written[0] {
			t.Error("the repeat was told that somebody else has it")
		}
		if score := client.ZScore(context.Background(), j.prefix+"due:a:eg", "a").Val(); int64(score) != p.Due.UnixMilli() {
			t.Errorf("it is due at %v now, not at %v", int64(score), p.Due.UnixMilli())
		}
	})
}
