package partition

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/compress"
	"github.com/segmentio/kafka-go/protocol"
)

// old reads the records of a message in a format from before Kafka 0.11. No producer of
// today writes it; where such a message holds others, all of them are unpacked at once.
func old(b recordBatch) ([]Record, error) {
	records, err := unpackOld(b)
	if err != nil {
		return nil, fmt.Errorf("the message at %d in the old format %d: %w", b.last, b.format, err)
	}
	if n := len(records); b.format == 0 && n > 0 && b.attributes.Compression() != 0 && b.last != 0 {
		// The library takes all offsets inside of a packed message for relative ones. In
		// format 0 they are absolute.
		for i := range records {
			records[i].Offset -= b.last - int64(n-1)
		}
	}
	return records, inOrder(records, b.last)
}

// inOrder makes sure that offsets ascend, up to the last one of the message that holds them.
// Records that stand elsewhere would be left out in silence.
func inOrder(records []Record, last int64) error {
	before := int64(-1)
	for i, r := range records {
		if r.Offset <= before || r.Offset > last {
			return fmt.Errorf("the record %d of %d in the message at %d: its offset is %d, not in %d to %d", i+1, len(records), last, r.Offset, before+1, last)
		}
		before = r.Offset
	}
	if before != last {
		return fmt.Errorf("the message at %d holds %d records, whose last offset is %d", last, len(records), before)
	}
	return nil
}

// unpackOld has the library read a message. It believes the lengths inside, and panics at some that can't be: no
// broker's bytes may end this program.
func unpackOld(b recordBatch) (records []Record, err error) {
	defer func() {
		if trouble := recover(); trouble != nil {
			records, err = nil, fmt.Errorf("it can't be read: %v", trouble)
		}
	}()
	if method := b.attributes.Compression(); method >= compress.Zstd { // no old format knows more
		return nil, fmt.Errorf("packed by the unknown method %d", method)
	}
	sized := binary.BigEndian.AppendUint32(make([]byte, 0, 4+len(b.raw)), uint32(len(b.raw)))
	var set protocol.RecordSet
	if _, err := set.ReadFrom(bytes.NewReader(append(sized, b.raw...))); err != nil {
		return nil, err
	}
	if set.Records == nil {
		return nil, nil
	}
	for {
		r, err := set.Records.ReadRecord()
		if errors.Is(err, io.EOF) {
			return records, nil
		}
		if err != nil {
			return nil, err
		}
		record, err := copied(r)
		if err != nil {
			return nil, err
		}
		if b.attributes&logAppendTime != 0 {
			record.Time = time.UnixMilli(b.most).UTC()
		}
		records = append(records, record)
	}
}

// copied copies a record: the library's is valid until the next read only.
func copied(r *kafka.Record) (Record, error) {
	key, err := kafka.ReadAll(r.Key)
	if err != nil {
		return Record{}, err
	}
	value, err := kafka.ReadAll(r.Value)
	if err != nil {
		return Record{}, err
	}
	return Record{Offset: r.Offset, Time: r.Time, Key: key, Value: value, Headers: r.Headers}, nil
}
