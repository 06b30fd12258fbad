package journal

import (
	"context"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"disburser/payout"
	"disburser/payout/intake"
)

func TestTheAnchorMovesWithThePosition(t *testing.T) {
	eachRedis(t, func(t *testing.T, client redis.UniversalClient) {
		ctx := context.Background()
		j := newJournal(t, client, time.Hour)
		anchor := func(learned, want string) {
			t.Helper()
			if got, err := j.Anchor(ctx, 0, learned); err != nil || got != want {
				t.Fatalf("%q, %v; want %q", got, err, want)
			}
		}
		insert := func(from, to int64, text string) {
			t.Helper()
			if _, _, err := j.Insert(ctx, intake.Range{From: from, To: to, Anchor: text}, nil); err != nil {
				t.Fatal(err)
			}
		}
		anchor("", "")
		anchor("learned", "learned")
		anchor("again", "learned")
		insert(0, 5, "five")
		anchor("again", "five")
		insert(0, 3, "three") // an old range
		anchor("", "five")
		insert(5, 6, "") // not known
		anchor("", "five")

		// Whoever has taken the position away has the topic learned anew.
		if err := client.HDel(ctx, j.prefix+"position", "0").Err(); err != nil {
			t.Fatal(err)
		}
		if at, err := j.Position(ctx, 0, 2, false); err != nil || at != 2 {
			t.Fatal(at, err)
		}
		anchor("", "")
	})
}

// The due time of what may be sent at once is Redis' own, and what Redis shows is known
// after the first insert.
func TestWhatIsDueAtOnceIsDueByRedisClock(t *testing.T) {
	eachRedis(t, func(t *testing.T, client redis.UniversalClient) {
		ctx := context.Background()
		j := newJournal(t, client, time.Hour)
		p := payout.Begin(order("a", "1").Command, "egypt", payout.Source{Time: time.Now()}, "", time.Now().Add(time.Hour))
		if _, _, err := j.Insert(ctx, intake.Range{To: 1}, []intake.Entry{{Payout: p}}); err != nil {
			t.Fatal(err)
		}
		if a, err := j.Due(ctx, []string{"eg"}); err != nil || a.Due[sends("eg")] != 1 {
			t.Fatalf("%+v, %v", a, err)
		}
		if off := time.Since(j.Now()).Abs(); off > time.Minute {
			t.Fatalf("%v off", off)
		}
	})
}
