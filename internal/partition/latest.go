package partition

import (
	"context"
	"fmt"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
	"github.com/segmentio/kafka-go/protocol/listoffsets"
)

// End is where a partition ended at some moment, as its leader says.
type End struct {
	Offset int64 // that the next record will get
	Epoch  int32 // of the leader: the next leader has a larger one; negative if the broker doesn't tell
}

// Latest asks the leader where the partition ends. Each record that was acknowledged before it was asked stands
// before that offset, where the broker knows version 5 of this request (KIP-207). A new leader says then that it
// doesn't know yet. Unlike Ends it takes only an answer that is about this partition.
func (s Source) Latest(ctx context.Context) (End, error) {
	transport := s.Client.Transport
	if transport == nil {
		transport = kafka.DefaultTransport
	}
	message, err := transport.RoundTrip(ctx, s.Client.Addr, &listoffsets.Request{
		ReplicaID: -1,
		Topics: []listoffsets.RequestTopic{{Topic: s.Topic, Partitions: []listoffsets.RequestPartition{{
			Partition: int32(s.Partition), CurrentLeaderEpoch: -1, Timestamp: kafka.LastOffset,
		}}}},
	})
	if err != nil {
		return End{}, fmt.Errorf("%s/%d: ask for the end: %w", s.Topic, s.Partition, err)
	}
	answer, ok := message.(*listoffsets.Response)
	if !ok {
		return End{}, fmt.Errorf("%s/%d: ask for the end: the answer is a %T", s.Topic, s.Partition, message)
	}
	for _, t := range answer.Topics {
		for _, p := range t.Partitions {
			if t.Topic != s.Topic || p.Partition != int32(s.Partition) {
				continue
			}
			if p.ErrorCode != 0 {
				return End{}, fmt.Errorf("%s/%d: ask for the end: %w", s.Topic, s.Partition, kafka.Error(p.ErrorCode))
			}
			return End{p.Offset, p.LeaderEpoch}, nil
		}
	}
	return End{}, fmt.Errorf("%s/%d: ask for the end: the answer doesn't name the partition", s.Topic, s.Partition)
}

// leastListOffsets is the version of ListOffsets from which on a new leader says that it doesn't know the end yet.
const leastListOffsets = 5

// TellsLatest tells whether the brokers answer Latest as it is meant, by the versions that one of them knows.
func TellsLatest(ctx context.Context, client *kafka.Client) (bool, error) {
	res, err := client.ApiVersions(ctx, &kafka.ApiVersionsRequest{})
	if err == nil {
		err = res.Error
	}
	if err != nil {
		return false, fmt.Errorf("ask which versions the brokers know: %w", err)
	}
	for _, api := range res.ApiKeys {
		if api.ApiKey == int(protocol.ListOffsets) {
			return api.MaxVersion >= leastListOffsets, nil
		}
	}
	return false, nil
}
