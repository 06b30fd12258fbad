package disburse

import (
	"sync/atomic"
	"testing"
	"time"

	"disburser/payout"
)

func awaiting(tradeNo string) payout.Payout {
	p := order(tradeNo, "new")
	p.Country = ""
	return p.AwaitMerchant()
}

// A payout of an unknown merchant waits; it is rejected only after the grace, and looked at
// seldom until then.
func TestAPayoutOfAnUnknownMerchantWaits(t *testing.T) {
	inTime(t, func(t *testing.T) {
		expiring := awaiting("a2")
		expiring.ExpiresAt = time.Now().Add(time.Minute)
		b := newBench(t, awaiting("a1"), expiring)
		b.config.Grace = 5 * time.Minute
		b.start()
		time.Sleep(5*time.Minute - time.Second)
		if b.journal.get("a1").State != payout.StateReceived {
			t.Errorf("%v within its grace", b.journal.get("a1").State)
		}
		if b.journal.forgotten("a2") != payout.StateRejected {
			t.Error("waits beyond its expiresAt")
		}
		if n := b.journal.called("lease expire"); n > 30 {
			t.Errorf("%d looks", n)
		}
		time.Sleep(20 * time.Second)
		b.stop()
		if b.journal.forgotten("a1") != payout.StateRejected || b.logged(payout.NotConfigured) == 0 {
			t.Errorf("after its grace it is %v", b.journal.get("a1").State)
		}
	})
}

// Once an instance knows the merchant, its payouts are what their commands mean there: sent,
// or rejected for what is wrong with them.
func TestAMerchantBecomesKnown(t *testing.T) {
	inTime(t, func(t *testing.T) {
		later := awaiting("a2")
		later.NotBefore = time.Now().Add(10 * time.Minute)
		bad := awaiting("a3")
		b := newBench(t, awaiting("a1"), later, bad)
		var known atomic.Bool
		b.config.Grace = 5 * time.Minute
		b.config.Resolve = func(c payout.Command) (payout.Command, string, string) {
			switch {
			case !known.Load():
				return c, "", payout.NotConfigured
			case c.TradeNo == "a3":
				return c, "egypt", "payee.walletId has too few digits"
			}
			c.Merchant, c.Remark = "a", "filled in"
			return c, "egypt", ""
		}
		b.start()
		time.Sleep(2 * time.Minute)
		known.Store(true)
		time.Sleep(20 * time.Second)
		if p := b.journal.get("a2"); p.Step != payout.StepSend || p.Remark != "filled in" || p.Fingerprint != later.Fingerprint || !p.Due.Equal(later.NotBefore) {
			t.Errorf("%+v", p)
		}
		if b.sends("a1") != 1 || b.sends("a2") != 0 || b.sends("a3") != 0 {
			t.Errorf("sends: %d, %d, %d", b.sends("a1"), b.sends("a2"), b.sends("a3"))
		}
		time.Sleep(15 * time.Minute)
		b.stop()
		for no, want := range map[string]payout.State{"a1": payout.StatePaid, "a2": payout.StatePaid, "a3": payout.StateRejected} {
			if b.journal.forgotten(no) != want {
				t.Errorf("%s: %v, want %v", no, b.journal.forgotten(no), want)
			}
		}
	})
}

// A clock that is set rejects nobody early.
func TestTheGraceGoesByBothClocks(t *testing.T) {
	for name, ahead := range map[string]time.Duration{"ahead": time.Hour, "behind": -time.Hour} {
		t.Run("Redis' clock is "+name, func(t *testing.T) {
			inTime(t, func(t *testing.T) {
				p := awaiting("a1")
				p.Due = p.Due.Add(-2 * time.Hour)
				b := newBench(t, p)
				b.config.Grace = 5 * time.Minute
				b.journal.setClock(ahead)
				b.start()
				time.Sleep(4 * time.Minute)
				b.stop()
				if b.journal.get("a1").State != payout.StateReceived {
					t.Error("rejected early")
				}
			})
		})
	}
}

// After a time without an epoch nobody has looked whether its merchant is known. What was
// received long ago waits for the grace all the same.
func TestTheGraceBeginsWithTheEpoch(t *testing.T) {
	inTime(t, func(t *testing.T) {
		p := awaiting("a1")
		p.ReceivedAt = p.ReceivedAt.Add(-24 * time.Hour)
		b := newBench(t, p)
		b.config.Grace = 5 * time.Minute
		b.start()
		time.Sleep(4 * time.Minute)
		if b.journal.get("a1").State != payout.StateReceived {
			t.Error("rejected at the first look")
		}
		time.Sleep(2 * time.Minute)
		b.stop()
		if b.journal.forgotten("a1") != payout.StateRejected {
			t.Errorf("after its grace it is %v", b.journal.get("a1").State)
		}
	})
}
