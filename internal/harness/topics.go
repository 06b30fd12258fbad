package harness

import (
	"context"
	"fmt"
	"time"

	"github.com/segmentio/kafka-go"

	"disburser/internal/partition"
)

// CreateTopics makes topics with so many partitions each, and waits until the broker serves
// all of them.
func CreateTopics(ctx context.Context, client *kafka.Client, partitions map[string]int, settings ...kafka.ConfigEntry) error {
	var request kafka.CreateTopicsRequest
	for topic, n := range partitions {
		request.Topics = append(request.Topics, kafka.TopicConfig{Topic: topic, NumPartitions: n, ReplicationFactor: 1, ConfigEntries: settings})
	}
	res, err := client.CreateTopics(ctx, &request)
	if err != nil {
		return err
	}
	for topic, err := range res.Errors {
		if err != nil {
			return fmt.Errorf("create %s: %w", topic, err)
		}
	}
	return Until(ctx, 30*time.Second, "the topics are known", func() bool { return known(ctx, client, request.Topics) })
}

func known(ctx context.Context, client *kafka.Client, topics []kafka.TopicConfig) bool {
	for _, want := range topics {
		if n, err := partition.Count(ctx, client, want.Topic); err != nil || n != want.NumPartitions {
			return false
		}
		for p := range want.NumPartitions {
			if _, _, err := (partition.Source{Client: client, Topic: want.Topic, Partition: p}).Bounds(ctx); err != nil {
				return false
			}
		}
	}
	return true
}
