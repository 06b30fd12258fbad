package simulation

import (
	"context"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"disburser/internal/partition"
	"disburser/internal/trial"
)

const group = "disburser"

// partitions of each topic.
var partitions = map[string]int{
	trial.DefaultTopics.Commands: 3, trial.DefaultTopics.Results: 2, trial.DefaultTopics.Decisions: 2, trial.DefaultTopics.DeadLetter: 1,
	trial.DefaultTopics.Actions: 1,
}

// broker is a Kafka of three nodes that notes when what was appended, and what was
// committed.
type broker struct {
	*kfake.Cluster
	network   kfake.VirtualNetwork
	transport *kafka.Transport
	client    *kafka.Client // the simulation's own: its connections never fail

	produced chan struct{}
	mu       sync.Mutex
	ends     []end
	commits  []commit
}

// end is where a partition ended from a moment on.
type end struct {
	at    time.Time
	topic string
	info  kfake.PartitionInfo
}

// commit is an offset that some instance asked to be committed, granted or not.
type commit struct {
	at        time.Time
	partition int
	offset    int64
}

func newBroker() (*broker, error) {
	b := &broker{produced: make(chan struct{}, 1)}
	options := []kfake.Opt{kfake.ListenFn(b.network.Listen), kfake.Ports(9092, 9093, 9094), kfake.GroupMinSessionTimeout(time.Second)}
	for topic, n := range partitions {
		options = append(options, kfake.SeedTopics(int32(n), topic))
	}
	var err error
	if b.Cluster, err = kfake.NewCluster(options...); err != nil {
		return nil, err
	}
	b.transport = &kafka.Transport{Dial: b.network.DialContext, MetadataTTL: time.Second}
	b.client = &kafka.Client{Addr: kafka.TCP(b.ListenAddrs()...), Transport: b.transport, Timeout: 10 * time.Second}
	b.observe(kmsg.Produce, func(kmsg.Request) {
		select {
		case b.produced <- struct{}{}:
		default:
		}
	})
	b.observe(kmsg.OffsetCommit, b.committing)
	return b, nil
}

// observe looks at every request of a kind and lets it pass.
func (b *broker) observe(key kmsg.Key, look func(kmsg.Request)) {
	b.ControlKey(int16(key), func(r kmsg.Request) (kmsg.Response, error, bool) {
		b.KeepControl()
		look(r)
		return nil, nil, false
	})
}

func (b *broker) committing(r kmsg.Request) {
	c, ok := r.(*kmsg.OffsetCommitRequest)
	if !ok {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, t := range c.Topics {
		for _, p := range t.Partitions {
			if t.Topic == trial.DefaultTopics.Commands {
				b.commits = append(b.commits, commit{time.Now(), int(p.Partition), p.Offset})
			}
		}
	}
}

// watch notes the ends of the partitions at each produce, to the instant of virtual time.
func (b *broker) watch(ctx context.Context) {
	last := map[string]map[int32]int64{trial.DefaultTopics.Results: {}, trial.DefaultTopics.Decisions: {}, trial.DefaultTopics.Actions: {}}
	for {
		select {
		case <-ctx.Done():
			return
		case <-b.produced:
		}
		at := time.Now()
		time.Sleep(time.Nanosecond) // everybody else comes to rest first: what was asked for has been appended
		for topic, ends := range last {
			for _, info := range b.PartitionInfos(topic) {
				if info.HighWatermark == ends[info.Partition] {
					continue
				}
				ends[info.Partition] = info.HighWatermark
				b.mu.Lock()
				b.ends = append(b.ends, end{at, topic, *info})
				b.mu.Unlock()
			}
		}
	}
}

// appended is when a record was appended.
func (b *broker) appended(topic string, number int, offset int64) time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, e := range b.ends {
		if e.topic == topic && int(e.info.Partition) == number && e.info.HighWatermark > offset {
			return e.at
		}
	}
	return time.Time{}
}

// read answers all that a partition holds from an offset on, and where that ends.
func (b *broker) read(ctx context.Context, topic string, number int, from int64) ([]partition.Record, int64) {
	var all []partition.Record
	source := partition.Source{Client: b.client, Topic: topic, Partition: number}
	for ctx.Err() == nil && from < b.PartitionInfo(topic, int32(number)).HighWatermark {
		page, err := source.Fetch(ctx, from, 10*time.Millisecond)
		if err != nil { // a leader that has just been moved
			time.Sleep(100 * time.Millisecond)
			continue
		}
		all, from = append(all, page.Records...), page.Next
	}
	return all, from
}

// ailments are the errors of a broker, and what of it suffers them. Of those at the end
// the broker says that it failed, and has done it.
var ailments = []struct {
	key    kmsg.Key
	topics []string
	err    *kerr.Error
}{
	{kmsg.Produce, written, kerr.NotLeaderForPartition},
	{kmsg.Produce, written, kerr.NotEnoughReplicas},
	{kmsg.OffsetCommit, nil, kerr.CoordinatorNotAvailable},
	{kmsg.Heartbeat, nil, kerr.UnknownMemberID},
	{kmsg.JoinGroup, nil, kerr.CoordinatorLoadInProgress},
	{kmsg.ListOffsets, written, kerr.LeaderNotAvailable},
	{kmsg.Fetch, []string{trial.DefaultTopics.Commands}, kerr.NotLeaderForPartition},
	{kmsg.Produce, written, kerr.NotEnoughReplicasAfterAppend},
	{kmsg.Produce, written, kerr.RequestTimedOut},
}

// written are the topics that the disburser writes.
var written = []string{trial.DefaultTopics.Results, trial.DefaultTopics.Decisions, trial.DefaultTopics.DeadLetter}

// ail makes the broker suffer an ailment until the returned function is called.
func (b *broker) ail(which int) (cure func()) {
	a := ailments[which]
	var faults []kfake.Fault
	for _, topic := range a.topics {
		faults = append(faults, kfake.Fault{Keys: []kmsg.Key{a.key}, Topic: topic, Err: a.err, Count: -1})
	}
	if len(faults) == 0 {
		faults = []kfake.Fault{{Keys: []kmsg.Key{a.key}, Err: a.err, Count: -1, TopLevel: a.key != kmsg.OffsetCommit}}
	}
	return b.Fault(faults...).Remove
}

func (b *broker) close() {
	b.transport.CloseIdleConnections()
	b.Close()
}
