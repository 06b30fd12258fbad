package journal

import (
	"context"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"disburser/payout"
	"disburser/payout/leases"
)

// A payout whose merchant becomes known moves into that merchant's lane, once, with what its
// command means there; its offset and its fingerprint stay.
func TestAPayoutMovesToItsMerchant(t *testing.T) {
	eachRedis(t, func(t *testing.T, client redis.UniversalClient) {
		j := newJournal(t, client, time.Hour)
		ctx := context.Background()
		p := order("a", "300")
		p.Merchant, p.Country, p.Currency, p.ReceivedAt = "new", "", "", time.Now()
		p.Fingerprint = p.Command.Fingerprint()
		p.ExpiresAt = time.Now().Add(time.Hour)
		p = p.AwaitMerchant()
		if got := insert(t, j, 4, p); got != "n" {
			t.Fatal(got)
		}
		b := lease(t, j, payout.StepReview, "", 9)
		if len(b.Payouts) != 1 || b.Payouts[0].Country != "" || b.Payouts[0].Merchant != "new" {
			t.Fatalf("not looked at: %+v", b.Payouts)
		}
		later := b.Payouts[0]
		later.Step, later.Due = payout.StepReview, time.Now().Add(time.Second) // before the lease's end, which stays the lane's bound
		apply(t, j, leases.Change{Token: b.Token, Epoch: b.Epoch, Before: payout.StateReceived, After: later})
		a, err := j.Due(ctx, []string{"new"})
		if err != nil || len(a.Due) != 0 || a.Next.UnixMilli() != later.Due.UnixMilli() {
			t.Fatalf("it is to be looked at at %v, not at %v", a.Next, later.Due)
		}
		again := later
		again.Due = time.Now().Add(-time.Second)
		apply(t, j, leases.Change{Token: b.Token, Epoch: b.Epoch, Before: payout.StateReceived, After: again}) // lost: written before
		if err := client.ZAdd(ctx, j.prefix+"due:x", redis.Z{Score: 1, Member: "a"}).Err(); err != nil {
			t.Fatal(err)
		}
		b = lease(t, j, payout.StepReview, "", 9)
		command := b.Payouts[0].Command
		command.Currency = "KES"
		known := b.Payouts[0].Resolved(command, "kenya", time.Now())
		stranger := b.Lease
		stranger.Token = NewToken()
		if moved, err := j.Resolve(ctx, stranger, []payout.Payout{known}); err != nil || moved[0] {
			t.Fatal("moved under another lease", err)
		}
		carried := known
		carried.Source.Offset = 77
		if moved, err := j.Resolve(ctx, b.Lease, []payout.Payout{carried}); err != nil || moved[0] {
			t.Fatal("moved though its command stands elsewhere now", err)
		}
		for range 2 { // the reply may be lost
			if moved, err := j.Resolve(ctx, b.Lease, []payout.Payout{known}); err != nil || !moved[0] {
				t.Fatal("not moved", err)
			}
		}
		a, err = j.Due(ctx, []string{"new"})
		if err != nil || len(a.Due) != 1 || a.Due[sends("new")] != 1 || a.Next.Before(a.Now) || a.Next.UnixMilli() > p.ExpiresAt.UnixMilli() {
			t.Fatalf("agenda %+v, %v", a, err)
		}
		c, err := j.Count(ctx, []int{0})
		if err != nil || c.States["new"][payout.StateReceived] != 1 || c.States[""][payout.StateReceived] != 0 || c.Open != 1 {
			t.Fatalf("%+v, %v", c, err)
		}
		if m, err := j.Marks(ctx, []int{0}); err != nil || m[0].Safe != 3 {
			t.Fatalf("%+v, %v", m, err)
		}
		if got := insert(t, j, 5, p); got != "d" {
			t.Errorf("a repeat is %s", got)
		}
		sent := lease(t, j, payout.StepSend, "new", 9)
		if len(sent.Payouts) != 1 || sent.Payouts[0].Currency != "KES" || sent.Payouts[0].Country != "kenya" || sent.Payouts[0].Fingerprint != p.Fingerprint {
			t.Fatalf("%+v", sent.Payouts)
		}
	})
}
