package consumer

import (
	"context"
	"time"

	"disburser/internal/partition"
)

// measureEvery is how often the lag is looked up apart from reading.
const measureEvery = 5 * time.Second

// measure looks up how much isn't read yet. Each fetch tells it too, and sooner. But while the journal is
// full, or a partition can't be read, there is none.
func (c *Consumer) measure(ctx context.Context, partitions []int) {
	for sleep(ctx, measureEvery) {
		untold := c.untold(partitions)
		if len(untold) == 0 {
			continue
		}
		marks, err := c.Inbox.Marks(ctx, untold)
		if err != nil {
			continue // without the journal nobody knows what has been read
		}
		for _, p := range untold {
			_, end, err := partition.Source{Client: c.Client, Topic: c.topic, Partition: p}.Bounds(ctx)
			if position := marks[p].Position; err == nil && position >= 0 {
				c.Metrics.lag(c.topic, p, end-position, end)
			}
		}
	}
}

// untold are the partitions of which no fetch has told anything lately.
func (c *Consumer) untold(partitions []int) (some []int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range partitions {
		if time.Since(c.told[p]) >= measureEvery {
			some = append(some, p)
		}
	}
	return some
}
