package decisions

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"disburser/internal/kafkatest"
	"disburser/message"
	"disburser/payout/epochs"
)

// What a stale half of a split Redis holds is never published. A foreign fence in any partition ends its epoch,
// not only one in the home's (protocol A5).
func TestNothingIsPublishedBehindAForeignFence(t *testing.T) {
	for home := range 3 {
		inTime(t, func(t *testing.T, k *kafkatest.Kafka) {
			_, client := newRedis(t)
			i := startKeeper(t, k, client, "pod-1", 1)
			e := i.settles(t)
			ctx := context.Background()
			if err := i.Log.Unfenced(ctx, e.ID); err != nil {
				t.Fatal(err)
			}
			if err := i.Log.Unfenced(ctx, "another"); !errors.Is(err, epochs.ErrOver) {
				t.Errorf("another epoch: %v", err)
			}
			fault := k.Fail(kmsg.ListOffsets, topic, kerr.OffsetNotAvailable, -1)
			if err := i.Log.Unfenced(ctx, e.ID); err == nil || errors.Is(err, epochs.ErrOver) {
				t.Errorf("a leader that doesn't know: %v", err)
			}
			fault.Remove()
			decision(t, k, home, message.KindFence, "a later one")
			if err := i.Log.Unfenced(ctx, e.ID); !errors.Is(err, epochs.ErrOver) {
				t.Errorf("a fence in partition %d: %v", home, err)
			}
		})
	}
}

// An epoch notes where people's actions end. Where nobody can tell it doesn't begin: it would carry out again what
// was done and lost.
func TestAnEpochNotesWhereTheActionsEnd(t *testing.T) {
	inTime(t, func(t *testing.T, k *kafkatest.Kafka) {
		_, client := newRedis(t)
		var opened []int64
		var known atomic.Bool
		i := startWith(t, k, client, func(c *KeeperConfig) {
			c.ActionsEnd = func(context.Context) (int64, error) {
				if !known.Load() {
					return 0, errors.New("no leader")
				}
				return 7, nil
			}
			c.Journal = noting{c.Journal, &opened}
		})
		time.Sleep(5 * time.Second)
		if e, why := i.Epoch(); e.ID != "" || len(opened) != 0 {
			t.Fatalf("it began: %s", why)
		}
		known.Store(true)
		i.settles(t)
		if len(opened) != 1 || opened[0] != 7 {
			t.Errorf("noted %v", opened)
		}
	})
}

// noting notes where the actions ended when an epoch opened.
type noting struct {
	Journal
	opened *[]int64
}

func (n noting) OpenEpoch(ctx context.Context, o epochs.Opening) error {
	*n.opened = append(*n.opened, o.Actions)
	return n.Journal.OpenEpoch(ctx, o)
}
