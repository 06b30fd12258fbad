// Command topics creates the topics of the disburser and of the back office on a broker at hand, where they are missing.
// It is for trying things on one node: a single copy of everything. A cluster that pays people wants three,
// and min.insync.replicas=2.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/segmentio/kafka-go"

	"disburser/internal/cli"
)

// retention is twice the disburser's default dedup_window: what a rebuild reads must outlive what it remembers.
// What people said stands for ever.
const (
	retention = 60 * 24 * time.Hour
	forEver   = -time.Millisecond
)

// topics and their partitions, which are what the instances share out among themselves. Nobody shares the dead letters.
var topics = []struct {
	name       string
	partitions int
	keeps      time.Duration
}{
	{"payout.commands", 6, retention},
	{"payout.results", 6, retention},
	{"payout.decisions", 6, retention},
	{"payout.dead-letter", 1, retention},
	{"payout.actions", 1, forEver},
	{"payout.batches", 1, retention},
}

// patience is how long the broker may take.
const patience = 30 * time.Second

// options are what the command line says.
type options struct {
	Broker string `arg:"" name:"host:port" help:"Address of a broker."`
}

func (*options) Examples() []cli.Example { return []cli.Example{{Line: "topics 127.0.0.1:9092"}} }

// Run creates them.
func (o *options) Run(ctx context.Context, s cli.Streams) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return create(ctx, o.Broker, s.Out)
}

func program() cli.Program {
	return cli.Program{Name: "topics", About: "topics creates the disburser's topics on one broker, where they are missing.", Grammar: &options{}}
}

func main() { os.Exit(cli.Main(program())) }

func create(ctx context.Context, broker string, out io.Writer) error {
	var req kafka.CreateTopicsRequest
	for _, t := range topics {
		req.Topics = append(req.Topics, kafka.TopicConfig{
			Topic: t.name, NumPartitions: t.partitions, ReplicationFactor: 1,
			ConfigEntries: []kafka.ConfigEntry{
				// Compaction would drop commands and decisions that share a key.
				{ConfigName: "cleanup.policy", ConfigValue: "delete"},
				{ConfigName: "retention.ms", ConfigValue: fmt.Sprint(t.keeps.Milliseconds())},
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
			fmt.Fprintf(out, "%s: there already\n", t.name)
		case err != nil:
			return fmt.Errorf("create %s: %w", t.name, err)
		default:
			fmt.Fprintf(out, "%s: created, %d partitions\n", t.name, t.partitions)
		}
	}
	return nil
}
