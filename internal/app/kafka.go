package app

import (
	"fmt"
	"time"

	"github.com/rs/zerolog"
	"github.com/segmentio/kafka-go"

	"disburser/config"
	"disburser/internal/link"
)

const (
	// metadataTTL is how old what is known of leaders may be. The library asks again by time
	// only, never because a leader says that it isn't one any more.
	metadataTTL = time.Second

	// dialTimeout covers connecting, TLS and logging in.
	dialTimeout = 5 * time.Second

	// coordinatorTimeout bounds calls to the group's coordinator.
	coordinatorTimeout = 10 * time.Second
)

// kafkaLinks are the two ways in which the library connects; both get the same TLS and
// SASL.
type kafkaLinks struct {
	transport *kafka.Transport
	client    *kafka.Client
	dialer    *kafka.Dialer
}

func newKafka(c config.Kafka, instance string, dial Dial) (kafkaLinks, error) {
	tlsConfig, err := link.TLS(c.TLS)
	if err != nil {
		return kafkaLinks{}, fmt.Errorf("%w: %w", ErrSetup, err)
	}
	mechanism, err := link.SASL(c.SASL)
	if err != nil {
		return kafkaLinks{}, fmt.Errorf("%w: %w", ErrSetup, err)
	}
	transport := &kafka.Transport{
		Dial: dial, DialTimeout: dialTimeout, IdleTimeout: 30 * time.Second, MetadataTTL: metadataTTL, ClientID: instance,
		MetadataTopics: []string{c.Topics.Commands, c.Topics.Results, c.Topics.Decisions, c.Topics.DeadLetter, c.Topics.Actions},
		TLS:            tlsConfig, SASL: mechanism,
	}
	return kafkaLinks{
		transport: transport,
		client:    &kafka.Client{Addr: kafka.TCP(c.Brokers...), Transport: transport},
		dialer: &kafka.Dialer{
			ClientID: instance, Timeout: dialTimeout, DualStack: true, DialFunc: dial, TLS: tlsConfig, SASLMechanism: mechanism,
		},
	}, nil
}

// groupConfig is how this instance belongs to the consumer group. A dead one's
// partitions move within the session timeout; heartbeats three times as often.
func groupConfig(c config.Kafka, dialer *kafka.Dialer, logger zerolog.Logger) kafka.ConsumerGroupConfig {
	return kafka.ConsumerGroupConfig{
		ID: c.Group, Brokers: c.Brokers, Dialer: dialer, Topics: []string{c.Topics.Commands},
		HeartbeatInterval: min(time.Second, c.SessionTimeout/3), SessionTimeout: c.SessionTimeout,
		RebalanceTimeout: c.SessionTimeout, JoinGroupBackoff: 300 * time.Millisecond, Timeout: coordinatorTimeout,
		StartOffset: kafka.FirstOffset, WatchPartitionChanges: true, PartitionWatchInterval: 30 * time.Second,
		ErrorLogger: kafka.LoggerFunc(func(text string, args ...any) {
			logger.Debug().Str("kafka", fmt.Sprintf(text, args...)).Msg("consumer group")
		}),
	}
}
