package decisions

import (
	"context"
	"time"

	"github.com/segmentio/kafka-go"

	"disburser/internal/partition"
	"disburser/message"
	"disburser/payout/acts"
)

// OnRecord is what the decisions say of the topic of the actions.
type OnRecord struct {
	Latest  acts.Place  // none if nothing is on record
	InForce []acts.Kept // with the latest action that this is known of
	Left    int         // in force too, and not listed
	Of      acts.Place  // up to which action that is; none if it isn't known
	At      time.Time   // when that was written
}

// Whole tells that all is known that was in force.
func (r OnRecord) Whole() bool { return r.Latest.Any() && r.Of == r.Latest && r.Left == 0 }

// ReadOnRecord reads all decisions that there are, of all shards.
func ReadOnRecord(ctx context.Context, client *kafka.Client, topic string) (found OnRecord, err error) {
	n, err := partition.Count(ctx, client, topic)
	for p := 0; p < n && err == nil; p++ {
		source := partition.Source{Client: client, Topic: topic, Partition: p}
		var start, end int64
		if start, end, err = source.Bounds(ctx); err != nil {
			break
		}
		err = walk(ctx, source, start, end, func(_ int64, r message.Decision) {
			if r.Latest == nil {
				return
			}
			found.Latest = latestAction(found.Latest, *r.Latest)
			if r.Kept && !found.Of.After(*r.Latest) {
				found.InForce, found.Left, found.Of, found.At = r.InForce, r.Left, *r.Latest, r.Time
			}
		})
	}
	return found, err
}
