package consumer

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
	"github.com/twmb/franz-go/pkg/kmsg"

	"disburser/internal/kafkatest"
	"disburser/internal/partition"
)

// writeUnreadable writes a batch of one record that isn't packed as it says.
func writeUnreadable(t *testing.T, k *kafkatest.Kafka, number int) {
	t.Helper()
	batch := kmsg.RecordBatch{Magic: 2, Attributes: 1, FirstTimestamp: time.Now().UnixMilli(), MaxTimestamp: time.Now().UnixMilli(),
		ProducerID: -1, ProducerEpoch: -1, FirstSequence: -1, NumRecords: 1, Records: []byte("not packed by gzip")}
	batch.Length = int32(len(batch.AppendTo(nil)) - 12)
	raw := batch.AppendTo(nil)
	binary.BigEndian.PutUint32(raw[17:], crc32.Checksum(raw[21:], crc32.MakeTable(crc32.Castagnoli)))
	sized := append(binary.BigEndian.AppendUint32(nil, uint32(len(raw))), raw...)
	res, err := k.Client.RawProduce(context.Background(), &kafka.RawProduceRequest{
		Topic: topic, Partition: number, RequiredAcks: kafka.RequireAll, RawRecords: protocol.RawRecordSet{Reader: bytes.NewReader(sized)},
	})
	if err != nil || res.Error != nil {
		t.Fatal(err, res)
	}
}

// A record batch that can't be read holds up its partition alone, says so to whoever asks, and is
// tried again. The way out is that of docs/operations.md.
func TestABatchThatCanNotBeReadStopsItsPartitionLoudly(t *testing.T) {
	inTime(t, 2, func(t *testing.T, k *kafkatest.Kafka) {
		in := newInbox()
		send(t, k, 0, numbered(0, 3)...)
		writeUnreadable(t, k, 0)
		send(t, k, 0, numbered(3, 5)...)
		send(t, k, 1, numbered(10, 12)...)
		b := start(t, k, in)
		fetches := 0
		eventually(t, "it is said", func() bool { _, why := b.Status(); return strings.Contains(why, "/0: read at offset 3: ") })
		k.Observe(kmsg.Fetch, func(r kmsg.Request) {
			if f, ok := r.(*kmsg.FetchRequest); ok && f.MaxBytes > 1 && f.Topics[0].Partitions[0].Partition == 0 {
				fetches++
			}
		})
		for range 600 { // it stays said while it is tried again
			time.Sleep(100 * time.Millisecond)
			if _, why := b.Status(); !strings.Contains(why, "/0: read at offset 3: ") {
				t.Fatalf("the reason is gone: %q", why)
			}
		}
		if fetches < 10 {
			t.Errorf("tried %d times in a minute", fetches)
		}
		if in.position(0) != 3 || in.position(1) != 2 || in.added() != 5 {
			t.Errorf("positions %d and %d, %d added", in.position(0), in.position(1), in.added())
		}
		if log := b.logged(); strings.Count(log, `"level":"error"`) != 1 || !strings.Contains(log, "A record batch that can't be read") {
			t.Error(log)
		}
		b.stop()
		if err := k.DeleteRecords(topic, 0, 4); err != nil {
			t.Fatal(err)
		}
		commitFor(t, k, 0, 4)
		b = start(t, k, in)
		eventually(t, "what is behind it is read", func() bool { return in.position(0) == 6 && in.added() == 7 })
		if _, why := b.Status(); why != "" {
			t.Error(why)
		}
	})
}

// Once or twice may be an accident of the way.
func TestAFewFailuresAtOnePlaceAreNeeded(t *testing.T) {
	at := func(offset int64) error {
		return &partition.Unreadable{Offset: offset, Err: errors.New("a wrong checksum")}
	}
	var b streak
	for i, c := range []struct {
		err  error
		want bool
	}{
		{at(3), false}, {at(3), false}, {at(5), false}, {at(5), false}, {errors.New("the broker is away"), false}, {at(5), true}, {at(5), true},
		{errors.New("the broker is away"), false}, {at(6), false},
	} {
		if got := b.count(c.err); got != c.want {
			t.Errorf("%d: %v is lasting: %v", i, c.err, got)
		}
	}
}
