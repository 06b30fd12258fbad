package journal

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"disburser/payout"
	"disburser/payout/epochs"
	"disburser/payout/intake"
)

// newShards opens an epoch in each of several shards, at a position of its own in partition 0.
func newShards(t *testing.T, client redis.UniversalClient, positions ...int64) Shards {
	t.Helper()
	ctx := context.Background()
	s := NewShards(client, len(positions), Options{Namespace: "test-" + NewToken(), Window: time.Hour}, func() {})
	for n, j := range s.All() {
		t.Cleanup(func() { wipe(t, client, j) })
		e := epochs.Epoch{Number: 1, ID: fmt.Sprint("epoch-of-", n)}
		if err := j.Build(ctx, e.ID, "", time.Minute); err != nil {
			t.Fatal(err)
		}
		if err := j.OpenEpoch(ctx, epochs.Opening{Epoch: e, Shards: len(positions)}); err != nil {
			t.Fatal(err)
		}
		j.Believe(e.ID)
		if _, err := j.Position(ctx, 0, positions[n], false); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// in is a payout under a tradeNo that belongs to a shard; its command was written just now.
func (s Shards) in(shard int, p payout.Payout) payout.Payout {
	for s.Of(p.TradeNo) != shard {
		p.TradeNo += "a" // an odd letter: it changes the lowest bit of the hash
	}
	p.Source.Time = time.Now()
	return p
}

// A shard that is behind the others, or whose payout is open, holds back what is read and
// what is committed.
func TestMarksAreTheSmallestOfAllShards(t *testing.T) {
	eachRedis(t, func(t *testing.T, client redis.UniversalClient) {
		ctx := context.Background()
		s := newShards(t, client, 9, 5)
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
		p := s.in(1, order("a", "300"))
		p.Source.Offset = 3
		if _, _, err := s.Insert(ctx, intake.Range{From: 3, To: 4}, []intake.Entry{{Payout: p}}); err != nil {
			t.Fatal(err)
		}
		marks(intake.Mark{Position: 5, Safe: 3})
	})
}

// Outcomes come in the order of the entries, whatever their shards; counts are of all.
func TestWhatShardsAnswerIsPutTogether(t *testing.T) {
	eachRedis(t, func(t *testing.T, client redis.UniversalClient) {
		ctx := context.Background()
		s := newShards(t, client, 0, 0)
		told := 0
		s.inserted = func() { told++ }
		a, b, other := s.in(0, order("a", "300")), s.in(1, order("b", "300")), s.in(0, order("a", "301"))
		a.Source.Offset, a.Source.Time, a.ReceivedAt = 1, a.Source.Time.Add(-time.Minute), a.ReceivedAt.Add(-time.Minute)
		b.Source.Offset = 2
		outcomes, open, err := s.Insert(ctx, intake.Range{To: 3}, []intake.Entry{{Payout: b}, {Payout: a}, {Payout: b}, {Payout: other}})
		if want := []intake.Outcome{intake.Added, intake.Added, intake.Known, intake.Conflicted}; err != nil || open != 2 || !slices.Equal(outcomes, want) {
			t.Fatalf("%c, %d open, %v; want %c", outcomes, open, err, want)
		}
		if told != 1 {
			t.Errorf("told %d times of new payouts", told)
		}
		c, err := s.Count(ctx, []int{0})
		if err != nil || c.Open != 2 || c.States[a.Merchant][payout.StateReceived] != 2 {
			t.Errorf("%+v, %v", c, err)
		}
		if !c.Oldest[a.Merchant].Equal(a.ReceivedAt.Truncate(time.Millisecond)) || !c.OldestIn[0].Equal(a.Source.Time.Truncate(time.Millisecond)) {
			t.Errorf("the oldest is of %v, %v", c.Oldest, c.OldestIn)
		}
	})
}
