package partition_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"disburser/internal/kafkatest"
	"disburser/internal/partition"
)

// anew makes the topic again, with other records in it.
func anew(t *testing.T, k *kafkatest.Kafka, n, size int) {
	t.Helper()
	ctx := context.Background()
	if res, err := k.Client.DeleteTopics(ctx, &kafka.DeleteTopicsRequest{Topics: []string{"t"}}); err != nil || res.Errors["t"] != nil {
		t.Fatal(err, res)
	}
	made, err := k.Client.CreateTopics(ctx, &kafka.CreateTopicsRequest{Topics: []kafka.TopicConfig{{Topic: "t", NumPartitions: 2, ReplicationFactor: 1}}})
	if err != nil || made.Errors["t"] != nil {
		t.Fatal(err, made)
	}
	for i := range n {
		write(t, k, 1000+i, 1, size)
	}
}

// next reads a page with a reader, after failures that come of the topic's being away.
func next(r *partition.Reader, from int64) (page partition.Page, err error) {
	for range 50 {
		page, err = r.Next(context.Background(), from, wait)
		if other := (*partition.Other)(nil); err == nil || errors.As(err, &other) {
			return page, err
		}
		time.Sleep(100 * time.Millisecond)
	}
	return page, err
}

func isOther(t *testing.T, err error) {
	t.Helper()
	if other := (*partition.Other)(nil); !errors.As(err, &other) || !strings.Contains(err.Error(), "was the topic made anew") {
		t.Fatalf("%v", err)
	}
}

// While there is a backlog, one answer shows what was read last and what follows it: the
// comparison costs no request.
func TestABacklogIsComparedInTheSameAnswer(t *testing.T) {
	setup(t, func(t *testing.T, k *kafkatest.Kafka, s partition.Source) {
		const n = 80 // of 100 KB each: four fetches
		for i := range n {
			write(t, k, i, 1, 100<<10)
		}
		var fetches atomic.Int32
		k.Observe(kmsg.Fetch, func(kmsg.Request) { fetches.Add(1) })
		r := &partition.Reader{Source: s}
		var at int64
		for at < n {
			page, err := r.Next(context.Background(), at, wait)
			if err != nil || page.Next == at {
				t.Fatal(at, err)
			}
			at = page.Next
		}
		if got := fetches.Load(); got < 4 || got > 6 {
			t.Errorf("%d fetches for 8 MB", got)
		}

		r = &partition.Reader{Source: s}
		page, err := r.Next(context.Background(), 0, wait)
		for err == nil && page.Next < 18 { // what is left was fetched with it
			page, err = r.Next(context.Background(), page.Next, wait)
		}
		if err != nil {
			t.Fatal(err)
		}
		anew(t, k, n, 100<<10)
		for err == nil && page.Next < 30 {
			page, err = next(r, page.Next)
		}
		isOther(t, err)
	})
}

// A page may end where its batch does, without anybody having seen that it is the end.
func TestAPageIsEmptyOnlyAtTheEnd(t *testing.T) {
	setup(t, func(t *testing.T, k *kafkatest.Kafka, s partition.Source) {
		for i := range 6 {
			write(t, k, 2*i, 2, 600<<10)
		}
		r := &partition.Reader{Source: s}
		for at := int64(0); at < 12; {
			page, err := r.Next(context.Background(), at, wait)
			if err != nil || page.Next == at {
				t.Fatal(at, err)
			}
			at = page.Next
		}
	}, kfake.BrokerConfigs(map[string]string{"message.max.bytes": "8000000"}))
}

func TestAnIdlePartitionIsComparedToo(t *testing.T) {
	setup(t, func(t *testing.T, k *kafkatest.Kafka, s partition.Source) {
		for i := range 3 {
			write(t, k, i, 1, 1)
		}
		r := &partition.Reader{Source: s}
		page, err := r.Next(context.Background(), 0, wait)
		if err != nil || page.Next != 3 {
			t.Fatal(page.Next, err)
		}
		anew(t, k, 3, 1)
		began := time.Now()
		for err == nil && time.Since(began) < time.Minute {
			page, err = next(r, 3)
		}
		isOther(t, err)
	})
}

// A marker of a transaction, or a record that is gone in a batch that isn't, may stand
// before the position.
func TestWhatWasLearnedIsRecognised(t *testing.T) {
	setup(t, func(t *testing.T, k *kafkatest.Kafka, s partition.Source) {
		ctx := context.Background()
		write(t, k, 0, 5, 1)
		write(t, k, 5, 5, 1)
		for _, before := range []int64{0, 3, 5, 7, 10, 12} {
			a, err := s.Learn(ctx, before)
			if err != nil || a.Topic != "t" || (before == 0 || before > 10) != (a.Offset < 0) {
				t.Fatal(before, a, err)
			}
			if err := s.Check(ctx, a); err != nil {
				t.Error(before, err)
			}
			if before > 10 {
				continue
			}
			r := &partition.Reader{Source: s, Anchor: a}
			if page, err := r.Next(ctx, before, wait); err != nil || len(page.Records) != int(10-before) {
				t.Error(before, len(page.Records), err)
			}
		}
		page := fetch(t, s, 0)
		if learned, err := s.Learn(ctx, 10); err != nil || page.Anchor != learned {
			t.Errorf("read %v, learned %v, %v", page.Anchor, learned, err)
		}
		if err := k.DeleteRecords("t", 1, 10); err != nil {
			t.Fatal(err)
		}
		if err := s.Check(ctx, page.Anchor); err != nil { // deleted: can't be looked at
			t.Error(err)
		}
	})
}
