package app

import (
	"context"
	"time"

	"disburser/actions"
	"disburser/decisions"
	"disburser/disburse"
	"disburser/journal"
	"disburser/payout"
	"disburser/payout/acts"
	"disburser/payout/leases"
)

// oneShots is with what a shard carries out what is carried out once.
func (a *App) oneShots(shard, shards int, j *journal.Journal, l *decisions.Log) *disburse.OneShots {
	return &disburse.OneShots{
		Shard: shard, Shards: shards, Owns: func(tradeNo string) bool { return a.shards.Of(tradeNo) == shard },
		View: a.actions.View, Journal: j, Unfenced: l.Unfenced, Tell: a.tellOutcome, Stands: a.tellThatItStands,
		Review: func(ctx context.Context, tradeNos []string) (int, error) {
			moved, err := j.Move(ctx, leases.Move{To: payout.StepReview}, tradeNos)
			return moved.N, err
		},
	}
}

// tellThatItStands writes that a batch's cancel can't be refused any more.
func (a *App) tellThatItStands(ctx context.Context, cancel string) error {
	record, err := acts.StandsFor(cancel, time.Now(), a.config.Actions.Key)
	if err != nil {
		return err
	}
	_, err = actions.Write(ctx, a.kafka.client, a.config.Kafka.Topics.Actions, record)
	return err
}

// tellOutcome writes what became of an action.
func (a *App) tellOutcome(ctx context.Context, e acts.Ended) error {
	record, err := e.Record(a.config.Actions.Key)
	if err != nil {
		return err
	}
	_, err = actions.Write(ctx, a.kafka.client, a.config.Kafka.Topics.Actions, record)
	return err
}
