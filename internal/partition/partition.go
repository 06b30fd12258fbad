// Package partition promises the records of one Kafka partition in order, none left out in
// silence. A gap that retention tore, an offset past the end and a broken record batch are
// errors that say so. It is what consumer and decisions read with.
//
// It reads the record batches itself. Kafka-go's Reader skips to the first offset when the wanted
// one is gone, checks no checksums, and panics at three empty record batches. Client.Fetch unpacks
// all that a fetch brings, and answers the producer's time where the broker's counts.
package partition

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/segmentio/kafka-go"
)

// Record is one message.
type Record struct {
	Offset     int64
	Time       time.Time // the broker's, where the topic has LogAppendTime
	Key, Value []byte
	Headers    []kafka.Header
}

// Page is a part of what a fetch brought, as much as may be unpacked at a time.
type Page struct {
	Records []Record
	Holes   bool   // offsets are missing that held a record once; markers of transactions never did
	Anchor  Anchor // of what stands right before Next
	Next    int64  // where the next fetch goes on, also past records that carry nothing
	Start   int64  // the first offset that the partition still has
	End     int64  // the offset that the next record will get
}

// Gap is the error of an offset that the partition doesn't have (any more).
type Gap struct {
	Topic              string
	Partition          int
	Wanted, Start, End int64
}

// Error names the gap and what is in it.
func (g *Gap) Error() string {
	if g.Wanted > g.End {
		return fmt.Sprintf("%s/%d: offset %d is past the end %d: was the topic made anew?", g.Topic, g.Partition, g.Wanted, g.End)
	}
	return fmt.Sprintf("%s/%d: the offsets %d to %d were deleted by retention before they were read", g.Topic, g.Partition, g.Wanted, g.Start-1)
}

// Unreadable is the error of what stands in the partition and can't be read: its checksum
// is wrong, or nobody knows how it is packed. Tried again, it is mostly the same.
type Unreadable struct {
	Topic     string
	Partition int
	Offset    int64 // where reading was to go on
	Err       error
}

// Error names the place and what is wrong.
func (u *Unreadable) Error() string {
	return fmt.Sprintf("%s/%d: read at offset %d: %v", u.Topic, u.Partition, u.Offset, u.Err)
}

// Unwrap gives what is wrong.
func (u *Unreadable) Unwrap() error { return u.Err }

// Source is one partition. It has no state: the caller keeps the offset.
type Source struct {
	Client    *kafka.Client
	Topic     string
	Partition int
}

// Fetch reads one page from an offset on, and waits up to wait for the first record. An
// empty page is no error. Who reads on takes a Reader: what stands in a large record batch behind
// the page is fetched and unpacked again by the next Fetch.
func (s Source) Fetch(ctx context.Context, from int64, wait time.Duration) (Page, error) {
	r := Reader{Source: s}
	defer r.Release()
	return r.Next(ctx, from, wait)
}

// gap says more of an offset that the broker hasn't got; other errors stay as they are.
func (s Source) gap(ctx context.Context, from int64, err error) error {
	if !errors.Is(err, kafka.OffsetOutOfRange) {
		return err
	}
	start, end, err := s.Bounds(ctx)
	if err != nil {
		return err
	}
	if from >= start && from <= end {
		return fmt.Errorf("%s/%d: offset %d is out of range for the broker that was asked, but not for the partition: try again", s.Topic, s.Partition, from)
	}
	return &Gap{Topic: s.Topic, Partition: s.Partition, Wanted: from, Start: start, End: end}
}

// Bounds answers the first offset that the partition still has and the one that the
// next record will get.
func (s Source) Bounds(ctx context.Context) (start, end int64, err error) {
	res, err := s.Client.ListOffsets(ctx, &kafka.ListOffsetsRequest{Topics: map[string][]kafka.OffsetRequest{
		s.Topic: {kafka.FirstOffsetOf(s.Partition), kafka.LastOffsetOf(s.Partition)},
	}})
	if err != nil {
		return 0, 0, fmt.Errorf("%s/%d: ask for the first and last offset: %w", s.Topic, s.Partition, err)
	}
	for _, p := range res.Topics[s.Topic] {
		if p.Partition == s.Partition {
			return p.FirstOffset, p.LastOffset, p.Error
		}
	}
	return 0, 0, fmt.Errorf("%s/%d: the broker doesn't know this partition", s.Topic, s.Partition)
}

// Ends answers the offset that the next record of each partition will get, by one request. Where that
// can't be told of all, it answers those that it can, and an error.
func Ends(ctx context.Context, client *kafka.Client, topic string, partitions []int) (ends map[int]int64, err error) {
	requests := make([]kafka.OffsetRequest, len(partitions))
	for i, p := range partitions {
		requests[i] = kafka.LastOffsetOf(p)
	}
	res, err := client.ListOffsets(ctx, &kafka.ListOffsetsRequest{Topics: map[string][]kafka.OffsetRequest{topic: requests}})
	if err != nil {
		return nil, fmt.Errorf("%s: ask for the last offsets: %w", topic, err)
	}
	ends = make(map[int]int64, len(partitions))
	for _, p := range res.Topics[topic] {
		if p.Error != nil {
			err = fmt.Errorf("%s/%d: ask for the last offset: %w", topic, p.Partition, p.Error)
			continue
		}
		ends[p.Partition] = p.LastOffset
	}
	for _, p := range partitions {
		if _, told := ends[p]; !told && err == nil {
			err = fmt.Errorf("%s/%d: the broker doesn't know this partition", topic, p)
		}
	}
	return ends, err
}

// Count answers how many partitions a topic has at this moment; 0 if there is no such
// topic.
func Count(ctx context.Context, client *kafka.Client, topic string) (int, error) {
	all, err := Counts(ctx, client, topic)
	return all[topic], err
}

// Counts answers the same of several topics, each of them 0 or more.
func Counts(ctx context.Context, client *kafka.Client, topics ...string) (map[string]int, error) {
	return ask(ctx, client, topics, func(t kafka.Topic) int { return len(t.Partitions) })
}

// Replicas answers of each topic how many replicas the partition has that has the fewest.
func Replicas(ctx context.Context, client *kafka.Client, topics ...string) (map[string]int, error) {
	return ask(ctx, client, topics, func(t kafka.Topic) (fewest int) {
		for i, p := range t.Partitions {
			if i == 0 || len(p.Replicas) < fewest {
				fewest = len(p.Replicas)
			}
		}
		return fewest
	})
}

func ask(ctx context.Context, client *kafka.Client, topics []string, what func(kafka.Topic) int) (map[string]int, error) {
	names := strings.Join(topics, ", ")
	client, done := uncached(client, topics)
	defer done()
	res, err := client.Metadata(ctx, &kafka.MetadataRequest{Topics: topics})
	if err != nil {
		return nil, fmt.Errorf("%s: ask for the partitions: %w", names, err)
	}
	counts := make(map[string]int, len(topics))
	for _, t := range res.Topics {
		switch {
		case errors.Is(t.Error, kafka.UnknownTopicOrPartition):
		case t.Error != nil:
			return nil, fmt.Errorf("%s: ask for its partitions: %w", t.Name, t.Error)
		default:
			counts[t.Name] = what(t)
		}
	}
	return counts, nil
}

// uncached answers a client that knows nothing yet. A Transport answers metadata requests from what
// it last heard, up to MetadataTTL ago. But an epoch must fence also a partition that was added
// a moment ago (protocol E4).
func uncached(client *kafka.Client, topics []string) (_ *kafka.Client, done func()) {
	t, ok := client.Transport.(*kafka.Transport)
	if !ok {
		return client, func() {}
	}
	own := &kafka.Transport{
		Dial: t.Dial, DialTimeout: t.DialTimeout, IdleTimeout: t.IdleTimeout, ClientID: t.ClientID,
		TLS: t.TLS, SASL: t.SASL, Resolver: t.Resolver, MetadataTopics: topics,
	}
	return &kafka.Client{Addr: client.Addr, Timeout: client.Timeout, Transport: own}, own.CloseIdleConnections
}
