// Command topics creates the disburser's four topics on a broker at hand, where they are missing.
// It is for trying things on one node: a single copy of everything. A cluster that pays people wants three,
// and min.insync.replicas=2.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/segmentio/kafka-go"
)

// retention is twice the disburser's default dedup_window: what a rebuild reads must outlive what it remembers.
const retention = 60 * 24 * time.Hour

// topics and their partitions, which are what the instances share out among themselves. Nobody shares the dead letters.
var topics = []struct {
	name       string
	partitions int
}{
	{"payout.commands", 6},
	{"payout.results", 6},
	{"payout.decisions", 6},
	{"payout.dead-letter", 1},
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: topics HOST:PORT")
		os.Exit(2)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if err := create(ctx, os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "topics:", err)
		os.Exit(1)
	}
}

func create(ctx context.Context, broker string) error {
	var req kafka.CreateTopicsRequest
	for _, t := range topics {
		req.Topics = append(req.Topics, kafka.TopicConfig{
			Topic: t.name, NumPartitions: t.partitions, ReplicationFactor: 1,
			ConfigEntries: []kafka.ConfigEntry{
				// Compaction would drop commands and decisions that share a key.
				{ConfigName: "cleanup.policy", ConfigValue: "delete"},
				{ConfigName: "retention.ms", ConfigValue: fmt.Sprint(retention.Milliseconds())},
			},
		})
	}
	client := &kafka.Client{Addr: kafka.TCP(broker)}
	res, err := client.CreateTopics(ctx, &req)
	if err != nil {
		return fmt.Errorf("create on %s: %w", broker, err)
	}
	for _, t := range topics {
		switch err := res.Errors[t.name]; {
		case errors.Is(err, kafka.TopicAlreadyExists):
			fmt.Printf("%s: there already\n", t.name)
		case err != nil:
			return fmt.Errorf("create %s: %w", t.name, err)
		default:
			fmt.Printf("%s: created, %d partitions\n", t.name, t.partitions)
		}
	}
	return nil
}
