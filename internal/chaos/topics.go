package chaos

import (
	"context"
	"fmt"
	"time"

	"github.com/segmentio/kafka-go"

	"disburser/internal/harness"
	"disburser/internal/partition"
	"disburser/internal/trial"
	"disburser/message"
)

func (r *run) createTopics(ctx context.Context) (err error) {
	kept := kafka.ConfigEntry{ConfigName: "retention.ms", ConfigValue: "-1"}
	topics := map[string]int{r.topics.Commands: 6, r.topics.Results: 3, r.topics.Decisions: 3, r.topics.DeadLetter: 2}
	if r.scenario.brokers <= 1 {
		topics[r.topics.Actions] = 1
	}
	if err := harness.CreateTopics(ctx, r.broker.client, topics, kept); err != nil || r.scenario.brokers <= 1 {
		return err
	}
	if err := r.broker.coordinates(ctx); err != nil {
		return err
	}
	r.say("   starting %d more brokers", len(copies)-1)
	if r.cluster, err = joinBrokers(ctx, r.broker, r.dir); err != nil {
		return err
	}
	return r.createCopied(ctx, r.topics.Actions, kept, kafka.ConfigEntry{ConfigName: "min.insync.replicas", ConfigValue: "2"})
}

// createCopied makes a topic of one partition with a copy on each broker.
func (r *run) createCopied(ctx context.Context, topic string, settings ...kafka.ConfigEntry) error {
	res, err := r.broker.client.CreateTopics(ctx, &kafka.CreateTopicsRequest{Topics: []kafka.TopicConfig{{
		Topic: topic, NumPartitions: -1, ReplicationFactor: -1, ReplicaAssignments: []kafka.ReplicaAssignment{{Partition: 0, Replicas: copies}}, ConfigEntries: settings,
	}}})
	if err == nil {
		err = res.Errors[topic]
	}
	if err != nil {
		return fmt.Errorf("create %s with copies: %w", topic, err)
	}
	return r.cluster.whole(ctx, topic)
}

// records reads all there is in a topic, partition by partition.
func (r *run) records(ctx context.Context, topic string) (all []partition.Record, err error) {
	n, err := partition.Count(ctx, r.broker.client, topic)
	if err != nil {
		return nil, err
	}
	for p := range n {
		source := partition.Source{Client: r.broker.client, Topic: topic, Partition: p}
		from, end, err := source.Bounds(ctx)
		if err != nil {
			return nil, err
		}
		for from < end {
			page, err := source.Fetch(ctx, from, time.Second)
			if err != nil {
				return nil, err
			}
			all, from = append(all, page.Records...), page.Next
		}
	}
	return all, nil
}

// ordered is what must come of the commands that stand in the topic. A publisher that
// wrote twice because the broker died is no riddle that way.
func (r *run) ordered(ctx context.Context) (trial.Expected, error) {
	records, err := r.records(ctx, r.topics.Commands)
	if err != nil {
		return trial.Expected{}, err
	}
	lines := make([]string, len(records))
	for i, record := range records {
		lines[i] = string(record.Value)
	}
	e := trial.Expect(lines)
	for tradeNo, c := range r.extra.Commands {
		e.TradeNos[tradeNo], e.Commands[tradeNo] = c.Merchant, c
	}
	return e, nil
}

// decided are all decisions.
func (r *run) decided(ctx context.Context) (all []message.Decision, err error) {
	records, err := r.records(ctx, r.topics.Decisions)
	for _, record := range records {
		if d, err := message.DecodeDecision(record.Value); err == nil {
			all = append(all, d)
		}
	}
	return all, err
}
