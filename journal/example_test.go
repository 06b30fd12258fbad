package journal_test

import (
	"context"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"disburser/internal/embedded"
	"disburser/journal"
	"disburser/payout"
	"disburser/payout/epochs"
	"disburser/payout/finding"
	"disburser/payout/intake"
	"disburser/payout/leases"
	"disburser/payout/money"
)

// From a command to its first answer: insert makes it known, a lease makes it sending, and
// apply writes what became of it.
func Example() {
	ctx := context.Background()
	server, err := embedded.NewRedis()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer server.Close()
	client := redis.NewClient(&redis.Options{Dialer: server.Dial})
	defer func() { _ = client.Close() }()

	// The decisions' keeper does this: nothing can be written before an epoch is open.
	j := journal.New(client, journal.Options{Namespace: "example", Window: 24 * time.Hour})
	epoch := epochs.Epoch{Number: 1, ID: journal.NewToken()}
	must(j.Build(ctx, epoch.ID, "", time.Minute))
	must(j.OpenEpoch(ctx, epochs.Opening{Epoch: epoch, Shards: 1, Fences: map[int]int64{0: 0}}))
	j.Believe(epoch.ID)

	// The consumer does this, with what it read at offset 0 of partition 0.
	_, err = j.Position(ctx, 0, 0, false)
	must(err)
	amount, err := money.Parse("300")
	must(err)
	p := payout.Begin(payout.Command{
		TradeNo: "t-1", Merchant: "eg-main", Amount: amount, Payee: payout.NewPayee(map[string]string{"walletId": "01123456789"}),
	}, "egypt", payout.Source{Time: time.Now()}, "", time.Now().Add(-time.Second))
	outcomes, open, err := j.Insert(ctx, intake.Range{From: 0, To: 1}, []intake.Entry{{Payout: p}})
	fmt.Printf("inserted: %c, open: %d, %v\n", outcomes[0], open, err)

	// The loop does this. Between lease and call stand the decision, the look and the rate.
	wanted := leases.Request{Step: payout.StepSend, Merchant: "eg-main", N: 10, For: 30 * time.Second}
	batch, err := j.Lease(ctx, wanted)
	must(err)
	before := batch.Payouts[0]
	fmt.Println("leased:", before.TradeNo, before.State)
	after, err := before.After(payout.OwnSend, finding.Finding{Kind: finding.Accepted}, batch.LatestJournalTime(time.Now()), payout.Policy{})
	must(err)
	written, err := j.Apply(ctx, []leases.Change{{Token: batch.Token, Epoch: batch.Epoch, Before: before.State, After: after}}, nil)
	fmt.Println("written:", written[0], after.State, err)

	again, err := j.Lease(ctx, wanted)
	fmt.Println("to be sent again:", len(again.Payouts), err)
	// Output:
	// inserted: n, open: 1, <nil>
	// leased: t-1 sending
	// written: true processing <nil>
	// to be sent again: 0 <nil>
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}
