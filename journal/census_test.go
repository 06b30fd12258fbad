package journal

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"disburser/payout"
	"disburser/payout/epochs"
)

// Merchants without open payouts are forgotten, so that an idle journal costs the same however many
// merchants have ever had one. One that has something open stays.
func TestMerchantsWithoutOpenPayoutsAreForgotten(t *testing.T) {
	eachRedis(t, func(t *testing.T, client redis.UniversalClient) {
		ctx := context.Background()
		j := newJournal(t, client, time.Hour)
		gone, p := order("gone", "300"), at("stays", 5)
		gone.Merchant = "br"
		insert(t, j, 4, gone)
		insert(t, j, 6, p)
		finish(t, j) // of eg all; br isn't worked on
		insert(t, j, 7, at("another", 6))
		names := func() string { return strings.Join(heldBy(t, client, j).lanes, " ") }
		census := func() Census {
			t.Helper()
			c, err := j.Count(ctx, []int{0})
			if err != nil {
				t.Fatal(err)
			}
			checks(t, client, j)
			return c
		}
		if c := census(); c.States["eg"][payout.StateReceived] != 1 || c.States["br"][payout.StateReceived] != 1 || c.Open != 2 || len(heldBy(t, client, j).lanes) != 2 {
			t.Fatalf("%+v, %q", c, names())
		}
		finish(t, j)
		if census(); names() != "br" {
			t.Fatalf("merchants %q are left", names())
		}
		if c := census(); c.States["eg"] != nil {
			t.Errorf("what isn't open is counted for ever: %+v", c)
		}
		insert(t, j, 8, at("again", 7)) // it is noted again
		if c := census(); c.States["eg"][payout.StateReceived] != 1 || len(heldBy(t, client, j).lanes) != 2 {
			t.Errorf("%+v, %q", c, names())
		}
	})
}

// A payout without content stands in no open set. Its merchant stays all the same: when the command
// comes, the safe mark has to see it.
func TestTheMerchantOfAPayoutWithoutContentStays(t *testing.T) {
	eachRedis(t, func(t *testing.T, client redis.UniversalClient) {
		ctx := context.Background()
		j := newJournal(t, client, time.Hour)
		emptied(t, client, j, was(epochs.WasEnded, "a", payout.StateRejected))
		if _, err := j.Count(ctx, []int{0}); err != nil {
			t.Fatal(err)
		}
		checks(t, client, j)
		insert(t, j, 4, at("a", 3)) // it is adopted, and to be announced
		checks(t, client, j)
		if m, err := j.Marks(ctx, []int{0}); err != nil || m[0].Safe != 3 {
			t.Errorf("the safe mark passes its command: %+v, %v", m, err)
		}
	})
}
