package consumer

import (
	"context"
	"time"

	"disburser/payout"
)

const (
	// carryAtOnce bounds how many payouts of a merchant and partition are published again at a time.
	// The next ones follow in the next round.
	carryAtOnce = 200

	// carryEvery is the longest pause between two rounds.
	carryEvery = time.Minute
)

// Old is what the consumer needs of the journal to find payouts that are open for long.
type Old interface {
	Lingering(ctx context.Context, partition, n int) ([]payout.Payout, error)
}

// Carrier publishes the commands of payouts again; nil means acknowledged.
type Carrier interface {
	Carry(ctx context.Context, payouts []payout.Payout) error
}

// carry publishes the commands of open payouts again that are older than CarryAfter. The insert of the
// new command moves the payout's offset there. So the safe mark moves on, though a payout waits for
// long. And no topic needs a longer retention than the deduplication window (protocol I5).
func (c *Consumer) carry(ctx context.Context, partitions []int) {
	for sleep(ctx, min(carryEvery, c.CarryAfter/4)) {
		for _, p := range partitions {
			if !c.isRecognised(p) { // payees must not be written into another topic
				continue
			}
			if err := c.carryPartition(ctx, p); err != nil {
				c.refused(ctx, err)
			}
		}
	}
}

func (c *Consumer) carryPartition(ctx context.Context, number int) error {
	lingering, err := c.Old.Lingering(ctx, number, carryAtOnce)
	if err != nil {
		return err
	}
	var old []payout.Payout
	for _, p := range lingering {
		if since := p.Source.Time; !since.IsZero() && time.Since(since) > c.CarryAfter {
			old = append(old, p)
		}
	}
	if len(old) == 0 {
		return nil
	}
	if err := c.Carrier.Carry(ctx, old); err != nil {
		return err
	}
	c.Logger.Info().Int("payouts", len(old)).Int("partition", number).Dur("older_than", c.CarryAfter).Msg("still open: published again, so that they don't hold the safe mark back")
	return nil
}
