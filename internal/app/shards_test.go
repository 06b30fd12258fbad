package app

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"disburser/internal/embedded"
	"disburser/journal"
	"disburser/payout"
	"disburser/payout/epochs"
	"disburser/payout/intake"
)

// A shard that is behind the others, or whose payout is open, holds back what is read and
// what is committed.
func TestMarksAreTheSmallestOfAllShards(t *testing.T) {
	ctx := context.Background()
	r, err := embedded.NewRedis()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	client := redis.NewClient(&redis.Options{Dialer: r.Dial})
	defer func() { _ = client.Close() }()
	s := shards{inserted: func() {}}
	for n, position := range []int64{9, 5} {
		j := journal.New(client, journal.Options{Namespace: "test", Shard: n, Window: time.Hour})
		e := epochs.Epoch{Number: 1, ID: fmt.Sprint("epoch-of-", n)}
		if err := j.Build(ctx, e.ID, "", time.Minute); err != nil {
			t.Fatal(err)
		}
		if err := j.OpenEpoch(ctx, epochs.Opening{Epoch: e, Shards: 2}); err != nil {
			t.Fatal(err)
		}
		j.Believe(e.ID)
		if _, err := j.Position(ctx, 0, position, false); err != nil {
			t.Fatal(err)
		}
		s.journals = append(s.journals, j)
	}
	marks := func(want intake.Mark) {
		t.Helper()
		if m, err := s.Marks(ctx, []int{0}); err != nil || m[0] != want {
			t.Errorf("%+v, %v; want %+v", m[0], err, want)
		}
		if p, err := s.Position(ctx, 0, 0, false); err != nil || p != want.Position {
			t.Errorf("position %d, %v; want %d", p, err, want.Position)
		}
	}
	marks(intake.Mark{Position: 5, Safe: 5})
	tradeNo := "a"
	for s.of(tradeNo) != 1 {
		tradeNo += "a"
	}
	p := payout.Begin(payout.Command{TradeNo: tradeNo, Merchant: "eg-main"}, "egypt", payout.Source{Offset: 3, Time: time.Now()}, "", time.Now())
	if _, _, err := s.Insert(ctx, intake.Range{From: 3, To: 4}, []intake.Entry{{Payout: p}}); err != nil {
		t.Fatal(err)
	}
	marks(intake.Mark{Position: 5, Safe: 3})
}
