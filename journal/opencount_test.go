package journal

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"disburser/payout/intake"
)

// OpenCount says how many are open, and refuses an offset before which something is wanted.
func TestOpenCountTakesNothingIn(t *testing.T) {
	eachRedis(t, func(t *testing.T, client redis.UniversalClient) {
		ctx := context.Background()
		j := newJournal(t, client, time.Hour)
		insert(t, j, 10, order("a", "1"), order("b", "1"))
		for _, offset := range []int64{0, 10} {
			if open, err := j.OpenCount(ctx, 0, offset); open != 2 || err != nil {
				t.Errorf("at %d: %d are open, %v", offset, open, err)
			}
		}
		if _, err := j.OpenCount(ctx, 0, 11); !errors.Is(err, intake.ErrPosition) {
			t.Errorf("behind the position: %v", err)
		}
		if at, err := j.Position(ctx, 0, 0, false); at != 10 || err != nil {
			t.Errorf("the position is %d, %v", at, err)
		}
	})
}
