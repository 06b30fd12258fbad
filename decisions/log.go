package decisions

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"

	"disburser/internal/partition"
	"disburser/payout"
)

const (
	// appendTimeout bounds one write of decisions. A batch that waits longer is given
	// back; its lease is at least three times as long.
	appendTimeout = 5 * time.Second

	// lookWait is how long a look waits for records that must be there already.
	lookWait = 500 * time.Millisecond

	// together is how many waiting decisions go out in one request at most: 64 batches
	// of 128 payouts are half a megabyte.
	together = 64
)

// Log writes decisions of one shard into one partition. Decide is safe for concurrent
// use; one goroutine, Run, writes and looks.
type Log struct {
	client   *kafka.Client
	topic    string
	instance string
	shard    int
	requests chan request

	mu     sync.Mutex
	home   int          // the partition in which this instance decides
	epoch  payout.Epoch // the one that decides; zero while none is joined
	looked int64        // every record of the partition before this offset has been looked at, or stands before the epoch's own fence

	seq int64 // owned by Run
}

type request struct {
	record Record
	answer chan<- error
}

// NewLog makes a log on the topic, for one shard.
func NewLog(client *kafka.Client, topic, instance string, shard int) *Log {
	return &Log{client: client, topic: topic, instance: instance, shard: shard, requests: make(chan request)}
}

// Enter lets the log decide for an epoch, in one of the partitions that hold its fence.
// Instances spread over these by name, so that each meets few records of others when it
// looks.
func (l *Log) Enter(e payout.Epoch, fences map[int]int64) {
	partitions := slices.Sorted(maps.Keys(fences))
	h := fnv.New32a()
	_, _ = h.Write([]byte(l.instance))
	home := partitions[int(h.Sum32()%uint32(len(partitions)))]
	l.mu.Lock()
	defer l.mu.Unlock()
	l.epoch, l.home, l.looked = e, home, fences[home]+1
}

func (l *Log) source(number int) partition.Source {
	return partition.Source{Client: l.client, Topic: l.topic, Partition: number}
}

// Leave ends deciding until the next Enter.
func (l *Log) Leave() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.epoch = payout.Epoch{}
}

// Send writes down that payouts are about to be sent. Only after nil may they be. An
// error that wraps payout.ErrEpoch says that the epoch is over; after any other one the
// record may or may not stand in the log, and the payouts must not be sent on account
// of it.
func (l *Log) Send(ctx context.Context, payouts []payout.Payout) error {
	return l.decide(ctx, recordOf(KindSend, payouts))
}

// Final writes down that payouts ended by our own word. Only after nil may that be
// announced.
func (l *Log) Final(ctx context.Context, payouts []payout.Payout) error {
	return l.decide(ctx, recordOf(KindFinal, payouts))
}

func (l *Log) decide(ctx context.Context, r Record) error {
	answer := make(chan error, 1)
	select {
	case l.requests <- request{r, answer}:
	case <-ctx.Done():
		return fmt.Errorf("decisions: %s not written: %w", r.Kind, context.Cause(ctx))
	}
	select {
	case err := <-answer:
		return err
	case <-ctx.Done():
		return fmt.Errorf("decisions: %s not acknowledged in time: %w", r.Kind, context.Cause(ctx))
	}
}

// Run writes what Send and Final ask for until ctx ends. Whatever waits when it is
// ready to write goes out in one request.
func (l *Log) Run(ctx context.Context) {
	for {
		var batch []request
		select {
		case <-ctx.Done():
			return
		case r := <-l.requests:
			batch = append(batch, r)
		}
	gather:
		for len(batch) < together {
			select {
			case r := <-l.requests:
				batch = append(batch, r)
			default:
				break gather
			}
		}
		err := l.write(ctx, batch)
		for _, r := range batch {
			r.answer <- err
		}
	}
}

func (l *Log) write(ctx context.Context, batch []request) error {
	ctx, cancel := context.WithTimeout(ctx, appendTimeout)
	defer cancel()
	l.mu.Lock()
	epoch, home, looked := l.epoch, l.home, l.looked
	l.mu.Unlock()
	if epoch.ID == "" {
		return fmt.Errorf("decisions: %w: this instance has joined none", payout.ErrEpoch)
	}
	records := make([]Record, len(batch))
	for i := range batch {
		l.seq++
		records[i] = batch[i].record
		records[i].Seq, records[i].Epoch = l.seq, epoch
	}
	base, err := l.append(ctx, home, records)
	if err != nil {
		return err
	}
	return l.look(ctx, epoch, home, looked, base, base+int64(len(batch)))
}

// append writes records and waits for all replicas. Acknowledged means both errors nil:
// the call's and the broker's (protocol S3).
func (l *Log) append(ctx context.Context, number int, records []Record) (base int64, err error) {
	messages := make([]kafka.Record, len(records))
	for i, r := range records {
		r.Instance, r.Shard, r.Time = l.instance, l.shard, time.Now().UTC()
		value, err := json.Marshal(r)
		if err != nil {
			return 0, fmt.Errorf("decisions: encode a record: %w", err)
		}
		messages[i] = kafka.Record{Key: kafka.NewBytes([]byte(l.instance)), Value: kafka.NewBytes(value)}
	}
	res, err := l.client.Produce(ctx, &kafka.ProduceRequest{
		Topic: l.topic, Partition: number, RequiredAcks: kafka.RequireAll, Records: kafka.NewRecordReader(messages...),
	})
	if err == nil {
		err = res.Error
	}
	if err != nil {
		return 0, fmt.Errorf("decisions: write to %s/%d: not acknowledged: %w", l.topic, number, err)
	}
	return res.BaseOffset, nil
}

// look reads what stands between the last look and the own record that begins at base:
// a foreign fence there ends the epoch (protocol S4). Consecutive offsets leave nothing
// to read, which is the common case of an instance alone in its partition.
func (l *Log) look(ctx context.Context, epoch payout.Epoch, home int, looked, base, end int64) error {
	fenced, err := fencedWithin(ctx, l.source(home), l.shard, epoch, looked, base)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.epoch != epoch:
		return fmt.Errorf("decisions: %w: it was left while deciding", payout.ErrEpoch)
	case fenced:
		l.epoch = payout.Epoch{}
		return fmt.Errorf("decisions: %w: a later epoch has fenced %s/%d", payout.ErrEpoch, l.topic, home)
	}
	l.looked = max(l.looked, end)
	return nil
}

// fencedWithin tells whether a foreign fence stands at [from, to) of a partition.
func fencedWithin(ctx context.Context, source partition.Source, shard int, epoch payout.Epoch, from, to int64) (bool, error) {
	for from < to {
		page, err := source.Fetch(ctx, from, lookWait)
		if err != nil {
			return false, fmt.Errorf("decisions: look for a fence: %w", err)
		}
		for _, r := range page.Records {
			if r.Offset < to && foreignFence(r.Value, shard, epoch.ID) {
				return true, nil
			}
		}
		if page.Next == from {
			return false, fmt.Errorf("decisions: look for a fence: %w", errors.New("the broker didn't return records that it has acknowledged"))
		}
		from = page.Next
	}
	return false, nil
}
