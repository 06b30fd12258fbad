// Package kafkatest promises a Kafka in the test's process with a kafka-go client on
// it, both gone when the test ends. It works in testing/synctest. For tests only.
package kafkatest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"disburser/internal/embedded"
	"disburser/internal/partition"
)

// MetadataTTL is how old what the client knows of leaders may be: as in production.
const MetadataTTL = time.Second

// Kafka is a cluster and a client on it.
type Kafka struct {
	*embedded.Kafka
	Transport *kafka.Transport
	Client    *kafka.Client
}

// Start makes a cluster of the given topics and partitions each.
func Start(t testing.TB, topics map[string]int, options ...kfake.Opt) *Kafka {
	t.Helper()
	cluster, err := embedded.NewKafka(topics, options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	k := &Kafka{Kafka: cluster}
	k.Transport = k.NewTransport(t)
	k.Client = &kafka.Client{Addr: kafka.TCP(k.Brokers()...), Transport: k.Transport, Timeout: 10 * time.Second}
	return k
}

// NewTransport makes one more transport, as another process would have.
func (k *Kafka) NewTransport(t testing.TB) *kafka.Transport {
	transport := &kafka.Transport{Dial: k.Dial, MetadataTTL: MetadataTTL}
	t.Cleanup(transport.CloseIdleConnections)
	return transport
}

// Brokers are the addresses to begin with.
func (k *Kafka) Brokers() []string { return k.ListenAddrs() }

// Dialer is what a consumer group takes.
func (k *Kafka) Dialer() *kafka.Dialer {
	return &kafka.Dialer{DialFunc: k.Dial, Timeout: 3 * time.Second}
}

// Record makes one to write.
func Record(key, value string, headers ...kafka.Header) kafka.Record {
	return kafka.Record{Key: kafka.NewBytes([]byte(key)), Value: kafka.NewBytes([]byte(value)), Headers: headers}
}

// Write appends records in one batch and answers the first one's offset.
func (k *Kafka) Write(t testing.TB, topic string, number int, records ...kafka.Record) int64 {
	t.Helper()
	res, err := k.Client.Produce(context.Background(), &kafka.ProduceRequest{
		Topic: topic, Partition: number, RequiredAcks: kafka.RequireAll, Records: kafka.NewRecordReader(records...),
	})
	if err == nil {
		err = res.Error
	}
	if err != nil {
		t.Fatalf("write to %s/%d: %v", topic, number, err)
	}
	return res.BaseOffset
}

// Read answers all that a partition holds.
func (k *Kafka) Read(t testing.TB, topic string, number int) []partition.Record {
	t.Helper()
	source := partition.Source{Client: k.Client, Topic: topic, Partition: number}
	from, end, err := source.Bounds(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	var all []partition.Record
	for from < end {
		page, err := source.Fetch(context.Background(), from, 100*time.Millisecond)
		if err != nil || page.Next == from {
			t.Fatalf("read %s/%d at %d of %d: %v", topic, number, from, end, err)
		}
		all, from = append(all, page.Records...), page.Next
	}
	return all
}

// Header answers a header's value, "" if there is none, and fails if there are two.
func Header(t testing.TB, headers []kafka.Header, key string) string {
	t.Helper()
	value, found := "", false
	for _, h := range headers {
		if h.Key == key && found {
			t.Fatalf("the header %s stands twice", key)
		}
		if h.Key == key {
			value, found = string(h.Value), true
		}
	}
	return value
}

// Committed answers the group's offset of a partition, -1 if there is none.
func (k *Kafka) Committed(group, topic string, number int) int64 {
	info := k.GroupInfo(group)
	if info == nil {
		return -1
	}
	commit, found := info.Commits[topic][int32(number)]
	if !found {
		return -1
	}
	return commit.Offset
}

// Fail makes requests of a kind fail with a Kafka error until the handle is removed;
// count -1 means always.
func (k *Kafka) Fail(key kmsg.Key, topic string, err *kerr.Error, count int, partitions ...int32) *kfake.FaultHandle {
	return k.Fault(kfake.Fault{Keys: []kmsg.Key{key}, Topic: topic, Partitions: partitions, Err: err, Count: count})
}

// Observe looks at every request of a kind and lets it pass.
func (k *Kafka) Observe(key kmsg.Key, look func(kmsg.Request)) {
	k.ControlKey(int16(key), func(r kmsg.Request) (kmsg.Response, error, bool) {
		k.KeepControl()
		look(r)
		return nil, nil, false
	})
}

// ErrTest is an error of a test's own making.
var ErrTest = errors.New("made by the test")
