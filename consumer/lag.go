package consumer

import (
	"context"
	"time"

	"disburser/internal/partition"
)

// measureEvery is how often the lag is looked up apart from reading.
const measureEvery = 5 * time.Second

// measure keeps the lag true where nothing is read: while the journal is full, or a
// partition stands still. Each page that is read tells it too, and sooner.
func (c *Consumer) measure(ctx context.Context, partitions []int) {
	for sleep(ctx, measureEvery) {
		marks, err := c.Inbox.Marks(ctx, partitions)
		if err != nil {
			continue // without the journal nobody knows what has been read
		}
		for _, p := range partitions {
			_, end, err := partition.Source{Client: c.Client, Topic: c.topic, Partition: p}.Bounds(ctx)
			if position := marks[p].Position; err == nil && position >= 0 {
				c.Metrics.lag(c.topic, p, end-position, end)
			}
		}
	}
}
