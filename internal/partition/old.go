package partition

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
)

// old reads the records of a message in a format from before Kafka 0.11. No producer of
// today writes it; where such a message holds others, all of them are unpacked at once.
func old(b batch) (records []Record, err error) {
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
		record, err := own(r)
		if err != nil {
			return nil, err
		}
		if b.attributes&logAppendTime != 0 {
			record.Time = time.UnixMilli(b.most).UTC()
		}
		records = append(records, record)
	}
}

// own copies a record: the library's is valid until the next read only.
func own(r *kafka.Record) (Record, error) {
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
