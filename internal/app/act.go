package app

import (
	"context"
	"errors"
	"fmt"

	"github.com/segmentio/kafka-go"

	"disburser/actions"
	"disburser/config"
	"disburser/internal/partition"
	"disburser/payout/acts"
)

// Act has an action written and acknowledged, signed where there is a key. Its record says how many people it needs by this
// configuration: a shorter list of two_people later doesn't do what waits for somebody today. It answers the offset.
func Act(ctx context.Context, c config.Config, o Options, action acts.Action) (offset int64, err error) {
	o = o.withDefaults()
	links, err := newKafka(c.Kafka, o.Instance, o.DialKafka)
	if err != nil {
		return 0, err
	}
	defer links.transport.CloseIdleConnections()
	topic := c.Kafka.Topics.Actions
	if err := actable(ctx, links.client, topic); err != nil {
		return 0, err
	}
	action.Needs = rulesOf(c).People(action)
	record, err := acts.Write(action, c.Actions.Key)
	if err != nil {
		return 0, err
	}
	if _, result, why := acts.Parse(record, keysOf(c.Actions)); result != acts.Obeyed { // what no instance would obey isn't written
		return 0, errors.New("the action would be skipped: " + why)
	}
	return actions.Write(ctx, links.client, topic, record)
}

// actable refuses a topic that no disburser reads.
func actable(ctx context.Context, client *kafka.Client, topic string) error {
	count, err := partition.Count(ctx, client, topic)
	switch {
	case err != nil:
		return err
	case count == 0:
		return fmt.Errorf("%w: kafka has no topic %s: create it with one partition, or correct kafka.topics.actions", ErrSetup, topic)
	case count > 1:
		return fmt.Errorf("%w: kafka: topic %s has %d partitions: no disburser reads it", ErrSetup, topic, count)
	}
	return nil
}
