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

// At answers the record at an offset. Found is false where there is none: it was compacted away,
// or isn't there any more, or not yet.
func (s Source) At(ctx context.Context, offset int64) (r Record, found bool, err error) {
	a, err := s.fetch(ctx, offset, atWait, 1) // a broker gives a whole record batch at least
	if errors.Is(err, kafka.OffsetOutOfRange) {
		return r, false, nil
	}
	if err != nil {
		return r, false, err
	}
	defer panicAsError(s, offset, &err)
	left := unread{raw: a.records, at: offset, topic: s.Topic}
	defer left.close()
	page, err := left.page()
	if err != nil {
		return r, false, fmt.Errorf("%s/%d: read the record at offset %d: %w", s.Topic, s.Partition, offset, err)
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
