package partition

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"strconv"
	"time"

	"github.com/segmentio/kafka-go"
)

// atWait is how long At waits for a record that must be there already.
const atWait = 500 * time.Millisecond

// At answers the record at an offset; found is false where there is none, because it was
// compacted away, or isn't there any more, or not yet.
func (s Source) At(ctx context.Context, offset int64) (r Record, found bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, atWait+spare)
	defer cancel()
	res, err := s.Client.Fetch(ctx, &kafka.FetchRequest{
		Topic: s.Topic, Partition: s.Partition, Offset: offset, MinBytes: 1, MaxBytes: 1, MaxWait: atWait, // a broker gives a whole batch at least
	})
	if err == nil {
		err = res.Error
	}
	if errors.Is(err, kafka.OffsetOutOfRange) {
		return r, false, nil
	}
	page := Page{Next: offset}
	if err == nil {
		err = page.read(res.Records, offset)
	}
	if err != nil {
		return r, false, fmt.Errorf("%s/%d: fetch the record at offset %d: %w", s.Topic, s.Partition, offset, err)
	}
	if len(page.Records) == 0 || page.Records[0].Offset != offset {
		return r, false, nil
	}
	return page.Records[0], true, nil
}

// Sum is a checksum of what the record says: two lives of a topic have other records at
// the same offset. Its time isn't part of it: a broker may be told to stamp its own.
func (r Record) Sum() string {
	h := fnv.New64a()
	_, _ = h.Write(r.Key)
	_, _ = h.Write([]byte{0})
	_, _ = h.Write(r.Value)
	return strconv.FormatUint(h.Sum64(), 16)
}
