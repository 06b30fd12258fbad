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
			{payout.StepExpire, "due:x", "", "sphPQFR"},
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

// A repeat that arrives late, a duplicate on its way, answers only what the caller still
// has: the rest somebody else has taken over, or it was written back.
func TestARepeatedLeaseLeavesOutWhatIsNotItsAnyMore(t *testing.T) {
	eachRedis(t, func(t *testing.T, client redis.UniversalClient) {
		j := newJournal(t, client, time.Hour)
		insert(t, j, 4, order("back", "300"), order("taken", "300"), order("still", "300"))
		const token = "token-token-"
		args := []any{"s", "eg", token, 3, 60000}
		first, err := j.run(context.Background(), "lease", args...)
		if err != nil || len(first) != 11 {
			t.Fatal(first, err)
		}
		back, err := show(t, client, j, "back").GiveBack(time.Now().Add(time.Hour), false)
		if err != nil {
			t.Fatal(err)
		}
		apply(t, j, payout.Change{Token: token, Epoch: j.epoch.id(), Before: payout.StateSending, After: back})
		client.ZAdd(context.Background(), j.prefix+"due:a:eg", redis.Z{Score: 1, Member: "taken"}) // its lease is over
		if b := lease(t, j, payout.StepAsk, "eg", 1); len(b.Payouts) != 1 {
			t.Fatal("not taken over")
		}
		again, err := j.run(context.Background(), "lease", args...)
		if err != nil || len(again) != 7 || word(again, 5) != "still" {
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
		if now := time.Now(); b.Earliest(now).After(now) || b.Now(now).Before(now) {
			t.Errorf("it is %v, taken for %v to %v", now, b.Earliest(now), b.Now(now))
		}
		if !b.Asked.Equal(began) || b.Deadline().After(b.Until) {
			t.Errorf("asked %v after it was, it ends %v after its end", b.Asked.Sub(began), b.Deadline().Sub(b.Until))
		}
	})
}
