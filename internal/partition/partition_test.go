package partition_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/goleak"

	"disburser/internal/kafkatest"
	"disburser/internal/partition"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const wait = 250 * time.Millisecond

// setup runs a test in virtual time on a topic "t" of two partitions.
func setup(t *testing.T, test func(t *testing.T, k *kafkatest.Kafka, s partition.Source), options ...kfake.Opt) {
	synctest.Test(t, func(t *testing.T) {
		k := kafkatest.Start(t, map[string]int{"t": 2}, options...)
		test(t, k, partition.Source{Client: k.Client, Topic: "t", Partition: 1})
	})
}

func write(t *testing.T, k *kafkatest.Kafka, from, n, size int) {
	t.Helper()
	records := make([]kafka.Record, n)
	for i := range records {
		records[i] = kafkatest.Record(fmt.Sprint("k", from+i), fmt.Sprint(from+i, " ", strings.Repeat("x", size)), kafka.Header{Key: "h", Value: []byte(fmt.Sprint(from + i))})
	}
	k.Write(t, "t", 1, records...)
}

func fetch(t *testing.T, s partition.Source, from int64) partition.Page {
	t.Helper()
	page, err := s.Fetch(context.Background(), from, wait)
	if err != nil {
		t.Fatal(err)
	}
	return page
}

func TestFetchKeepsOrderAcrossPagesAndLeavesNothingOut(t *testing.T) {
	setup(t, func(t *testing.T, k *kafkatest.Kafka, s partition.Source) {
		const batches, each = 12, 9 // about 11 MB: several pages
		for b := range batches {
			write(t, k, b*each, each, 100<<10)
		}
		var at int64
		pages := 0
		for at < batches*each {
			page := fetch(t, s, at)
			pages++
			for _, r := range page.Records {
				if r.Offset != at || string(r.Key) != fmt.Sprint("k", at) || !strings.HasPrefix(string(r.Value), fmt.Sprint(at, " ")) ||
					kafkatest.Header(t, r.Headers, "h") != fmt.Sprint(at) || r.Time.IsZero() {
					t.Fatalf("at %d: got offset %d, key %s", at, r.Offset, r.Key)
				}
				at++
			}
			if page.Next != at || page.Start != 0 || page.End != batches*each {
				t.Fatalf("page ends %d (read to %d), bounds %d–%d", page.Next, at, page.Start, page.End)
			}
		}
		if pages < 2 {
			t.Fatalf("%d page: the test must need several", pages)
		}
	})
}

func TestFetchBeginsInsideABatch(t *testing.T) {
	setup(t, func(t *testing.T, k *kafkatest.Kafka, s partition.Source) {
		write(t, k, 0, 10, 1)
		page := fetch(t, s, 7)
		if len(page.Records) != 3 || page.Records[0].Offset != 7 || page.Next != 10 {
			t.Fatalf("%d records, next %d", len(page.Records), page.Next)
		}
	})
}

func TestFetchAtTheEndWaitsAndBringsNothing(t *testing.T) {
	setup(t, func(t *testing.T, k *kafkatest.Kafka, s partition.Source) {
		write(t, k, 0, 3, 1)
		began := time.Now()
		page := fetch(t, s, 3)
		if took := time.Since(began); len(page.Records) != 0 || page.Next != 3 || page.End != 3 || took < wait || took > 2*wait {
			t.Fatalf("%d records, next %d, took %v", len(page.Records), page.Next, took)
		}
	})
}

func TestFetchEndsWithItsContext(t *testing.T) {
	setup(t, func(t *testing.T, k *kafkatest.Kafka, s partition.Source) {
		fetch(t, s, 0)
		ctx, cancel := context.WithCancel(context.Background())
		time.AfterFunc(30*time.Millisecond, cancel)
		began := time.Now()
		if _, err := s.Fetch(ctx, 0, 10*time.Second); !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		if took := time.Since(began); took > 50*time.Millisecond {
			t.Fatalf("took %v", took)
		}
	})
}

func TestAGapNamesItsOffsets(t *testing.T) {
	setup(t, func(t *testing.T, k *kafkatest.Kafka, s partition.Source) {
		write(t, k, 0, 10, 1)
		if err := k.DeleteRecords("t", 1, 6); err != nil {
			t.Fatal(err)
		}
		_, err := s.Fetch(context.Background(), 2, wait)
		gap := (*partition.Gap)(nil)
		if !errors.As(err, &gap) || *gap != (partition.Gap{Topic: "t", Partition: 1, Wanted: 2, Start: 6, End: 10}) {
			t.Fatalf("%v", err)
		}
		if !strings.Contains(err.Error(), "t/1: the offsets 2 to 5 were deleted") {
			t.Fatal(err)
		}
		if page := fetch(t, s, 6); len(page.Records) != 4 || page.Start != 6 {
			t.Fatalf("%+v", page)
		}
		if start, end, err := s.Bounds(context.Background()); start != 6 || end != 10 || err != nil {
			t.Fatal(start, end, err)
		}
	})
}

func TestPastTheEndIsAGapToo(t *testing.T) {
	setup(t, func(t *testing.T, k *kafkatest.Kafka, s partition.Source) {
		write(t, k, 0, 2, 1)
		_, err := s.Fetch(context.Background(), 9, wait)
		gap := (*partition.Gap)(nil)
		if !errors.As(err, &gap) || gap.Wanted != 9 || gap.End != 2 || !strings.Contains(err.Error(), "offset 9 is past the end 2") {
			t.Fatal(err)
		}
	})
}

func TestOutOfRangeByABrokerThatLagsIsNoGap(t *testing.T) {
	setup(t, func(t *testing.T, k *kafkatest.Kafka, s partition.Source) {
		write(t, k, 0, 2, 1)
		k.Fail(kmsg.Fetch, "t", kerr.OffsetOutOfRange, 1)
		_, err := s.Fetch(context.Background(), 1, wait)
		if gap := (*partition.Gap)(nil); err == nil || errors.As(err, &gap) {
			t.Fatal(err)
		}
		fetch(t, s, 1)
	})
}

func TestTransactionMarkersAreStepsAndNotRecords(t *testing.T) {
	setup(t, func(t *testing.T, k *kafkatest.Kafka, s partition.Source) {
		id, err := k.Client.InitProducerID(context.Background(), &kafka.InitProducerIDRequest{TransactionalID: "tx", TransactionTimeoutMs: 60_000, ProducerID: -1, ProducerEpoch: -1})
		if err != nil || id.Error != nil {
			t.Fatal(err, id)
		}
		mark := func() { // an empty transaction of the partition: nothing but its marker
			_, err := k.Client.AddPartitionsToTxn(context.Background(), &kafka.AddPartitionsToTxnRequest{
				TransactionalID: "tx", ProducerID: id.Producer.ProducerID, ProducerEpoch: id.Producer.ProducerEpoch,
				Topics: map[string][]kafka.AddPartitionToTxn{"t": {{Partition: 1}}},
			})
			if err != nil {
				t.Fatal(err)
			}
			res, err := k.Client.EndTxn(context.Background(), &kafka.EndTxnRequest{
				TransactionalID: "tx", ProducerID: id.Producer.ProducerID, ProducerEpoch: id.Producer.ProducerEpoch, Committed: true,
			})
			if err != nil || res.Error != nil {
				t.Fatal(err, res)
			}
		}
		write(t, k, 0, 2, 1)
		mark()
		write(t, k, 3, 2, 1)
		mark()
		info := k.PartitionInfo("t", 1)
		if info.HighWatermark != 6 {
			t.Skipf("kfake writes no marker for an empty transaction (end %d)", info.HighWatermark)
		}
		page := fetch(t, s, 0)
		var offsets []int64
		for _, r := range page.Records {
			offsets = append(offsets, r.Offset)
		}
		if fmt.Sprint(offsets) != "[0 1 3 4]" || page.Next != 6 {
			t.Fatalf("%v, next %d", offsets, page.Next)
		}
		for _, marker := range []int64{2, 5} { // only the marker ahead, or first
			if page := fetch(t, s, marker); page.Next <= marker {
				t.Fatalf("stuck at the marker %d", marker)
			}
		}
	})
}

func TestFetchFollowsAMovedLeader(t *testing.T) {
	setup(t, func(t *testing.T, k *kafkatest.Kafka, s partition.Source) {
		write(t, k, 0, 4, 1)
		fetch(t, s, 0)
		node, _, err := k.AddNode(-1, 9999)
		if err != nil {
			t.Fatal(err)
		}
		if err := k.MoveTopicPartition("t", 1, node); err != nil {
			t.Fatal(err)
		}
		deadline := time.Now().Add(5 * kafkatest.MetadataTTL)
		failures := 0
		for {
			page, err := s.Fetch(context.Background(), 2, wait)
			if err == nil {
				if len(page.Records) != 2 || page.Records[0].Offset != 2 {
					t.Fatalf("%+v", page)
				}
				break
			}
			if gap := (*partition.Gap)(nil); errors.As(err, &gap) || time.Now().After(deadline) {
				t.Fatal(err)
			}
			failures++
			time.Sleep(100 * time.Millisecond)
		}
		if failures == 0 {
			t.Fatal("the move wasn't noticed: the test shows nothing")
		}
	})
}

func TestErrorsOfTheBrokerAreErrors(t *testing.T) {
	setup(t, func(t *testing.T, k *kafkatest.Kafka, s partition.Source) {
		k.Fail(kmsg.Fetch, "t", kerr.KafkaStorageError, 1)
		if _, err := s.Fetch(context.Background(), 0, wait); !errors.Is(err, kafka.KafkaStorageError) {
			t.Fatal(err)
		}
		k.Fail(kmsg.ListOffsets, "t", kerr.LeaderNotAvailable, 1)
		if _, _, err := s.Bounds(context.Background()); err == nil {
			t.Fatal("an error of the broker went unseen")
		}
		s.Partition = 7
		if _, err := s.Fetch(context.Background(), 0, wait); err == nil {
			t.Fatal("a partition that isn't there was read")
		}
		if _, _, err := s.Bounds(context.Background()); err == nil {
			t.Fatal("a partition that isn't there has bounds")
		}
	})
}

func TestABatchWithAWrongChecksumIsAnError(t *testing.T) {
	setup(t, func(t *testing.T, k *kafkatest.Kafka, s partition.Source) {
		write(t, k, 0, 3, 1)
		fetch(t, s, 0)
		k.ControlKey(int16(kmsg.Fetch), func(r kmsg.Request) (kmsg.Response, error, bool) {
			return broken(r.(*kmsg.FetchRequest)), nil, true
		})
		if page, err := s.Fetch(context.Background(), 0, wait); err == nil {
			t.Fatalf("%d records of a broken batch were taken", len(page.Records))
		}
		if page := fetch(t, s, 0); len(page.Records) != 3 {
			t.Fatalf("%d records", len(page.Records))
		}
	})
}

// broken answers a fetch with a batch of one record whose checksum is wrong.
func broken(r *kmsg.FetchRequest) kmsg.Response {
	record := kmsg.Record{Key: []byte("k"), Value: []byte("v")}
	body := record.AppendTo(nil)
	record.Length = int32(len(body) - 1)
	batch := kmsg.RecordBatch{Magic: 2, NumRecords: 1, ProducerID: -1, ProducerEpoch: -1, FirstSequence: -1, CRC: 42, Records: record.AppendTo(nil)}
	batch.Length = int32(len(batch.AppendTo(nil)) - 12)
	res := r.ResponseKind().(*kmsg.FetchResponse)
	p := kmsg.NewFetchResponseTopicPartition()
	p.Partition, p.HighWatermark, p.RecordBatches = r.Topics[0].Partitions[0].Partition, 3, batch.AppendTo(nil)
	topic := kmsg.NewFetchResponseTopic()
	topic.Topic, topic.Partitions = r.Topics[0].Topic, []kmsg.FetchResponseTopicPartition{p}
	res.Topics = append(res.Topics, topic)
	return res
}

func TestCount(t *testing.T) {
	setup(t, func(t *testing.T, k *kafkatest.Kafka, _ partition.Source) {
		for topic, want := range map[string]int{"t": 2, "missing": 0} {
			if n, err := partition.Count(context.Background(), k.Client, topic); n != want || err != nil {
				t.Errorf("%s: %d, %v", topic, n, err)
			}
		}
	})
}

// A fence must stand in every partition, also in one that was added a moment ago.
func TestCountIsNotRememberedFromBefore(t *testing.T) {
	setup(t, func(t *testing.T, k *kafkatest.Kafka, _ partition.Source) {
		count := func() int {
			n, err := partition.Count(context.Background(), k.Client, "t")
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
		count()
		res, err := k.Client.CreatePartitions(context.Background(), &kafka.CreatePartitionsRequest{
			Topics: []kafka.TopicPartitionsConfig{{Name: "t", Count: 3, TopicPartitionAssignments: []kafka.TopicPartitionAssignment{{BrokerIDs: []int32{0}}}}},
		})
		if err != nil || res.Errors["t"] != nil {
			t.Fatal(err, res.Errors)
		}
		if n := count(); n != 3 {
			t.Fatalf("%d partitions right after a third one was added", n)
		}
	})
}

func TestABrokerThatIsGoneIsAnErrorInTime(t *testing.T) {
	setup(t, func(t *testing.T, k *kafkatest.Kafka, s partition.Source) {
		fetch(t, s, 0)
		k.Close()
		began := time.Now()
		if _, err := s.Fetch(context.Background(), 0, wait); err == nil {
			t.Fatal("no error")
		}
		if took := time.Since(began); took > 6*time.Second {
			t.Fatalf("took %v", took)
		}
	})
}
