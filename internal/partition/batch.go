package partition

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
)

const (
	// logAppendTime is the attribute of a record batch whose time is the broker's. Its records still
	// hold what their producer claimed.
	logAppendTime = 1 << 3

	// prefix is what stands before a record batch's content in every format: offset and size.
	prefix = 12

	// magicAt is where the format stands, headSize where the records of the present one begin.
	magicAt, headSize = 16, 61
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// recordBatch is what the head of a record batch says. In the old formats it is a message, which may
// hold others, packed.
type recordBatch struct {
	raw         []byte // all of it
	format      int8
	base, last  int64 // its offsets; of an old message, both are the last one
	sum         uint32
	attributes  protocol.Attributes
	first, most int64 // the first and the largest time of its records, in ms
	count       int
}

// errCut says that the bytes end before the record batch does.
var errCut = errors.New("the batch is cut off")

// head reads the first record batch of what a fetch brought.
func head(raw []byte) (b recordBatch, rest []byte, err error) {
	if len(raw) <= magicAt {
		return b, nil, errCut
	}
	size := int64(int32(binary.BigEndian.Uint32(raw[8:])))
	if size < magicAt+1-prefix {
		return b, nil, fmt.Errorf("a batch of %d bytes", size)
	}
	if prefix+size > int64(len(raw)) {
		return b, nil, errCut
	}
	b.raw, rest = raw[:prefix+size], raw[prefix+size:]
	w := wireReader{rest: b.raw}
	b.base = w.int64()
	w.int32() // size
	switch b.format = int8(raw[magicAt]); b.format {
	case 0, 1:
		b.sum = uint32(w.int32())
		w.int8() // format
		b.attributes = protocol.Attributes(w.int8())
		b.last = b.base
		if b.format == 1 {
			b.first = w.int64()
		}
		b.most = b.first
	case 2:
		w.int32() // leader epoch
		w.int8()  // format
		b.sum = uint32(w.int32())
		b.attributes = protocol.Attributes(w.int16())
		b.last = b.base + int64(w.int32())
		b.first, b.most = w.int64(), w.int64()
		w.bytes(8 + 2 + 4) // who produced it
		b.count = int(w.int32())
	default:
		return b, nil, fmt.Errorf("a batch of the unknown format %d", b.format)
	}
	switch {
	case w.err != nil:
		return b, nil, fmt.Errorf("a batch of %d bytes", size)
	case b.last < b.base || b.base < 0 || b.count < 0:
		return b, nil, fmt.Errorf("a batch of %d records with the offsets %d to %d", b.count, b.base, b.last)
	}
	return b, rest, nil
}

// intact compares the checksum of a record batch in the present format.
func (b recordBatch) intact() error {
	if sum := crc32.Checksum(b.raw[magicAt+1+4:], castagnoli); sum != b.sum {
		return fmt.Errorf("the checksum is %08x, the batch says %08x", sum, b.sum)
	}
	return nil
}

// time is a record's: the broker's where the topic has LogAppendTime, else its producer's claim. By it
// the journal tells which commands are older than what it remembers (protocol I4).
func (b recordBatch) time(delta int64) time.Time {
	if b.attributes&logAppendTime != 0 {
		return time.UnixMilli(b.most).UTC()
	}
	return time.UnixMilli(b.first + delta).UTC()
}

// record reads one, from behind its length. Of a record that was cut it reads key and value as far as
// they are there, and no headers.
func (b recordBatch) record(body []byte, cut bool) (r Record, err error) {
	w := wireReader{rest: body}
	w.int8() // attributes, not in use
	r.Time = b.time(w.varint())
	r.Offset = b.base + w.varint()
	if cut {
		r.Key, r.Value = w.sizedOrCut(), w.sizedOrCut()
		return r, w.err
	}
	r.Key, r.Value = w.sized(), w.sized()
	headers := w.varint()
	if w.err == nil && (headers < 0 || headers > int64(len(w.rest))) {
		return r, fmt.Errorf("%d headers", headers)
	}
	for ; headers > 0 && w.err == nil; headers-- {
		r.Headers = append(r.Headers, kafka.Header{Key: string(w.sized()), Value: w.sized()})
	}
	return r, w.err
}

// sizedOrCut reads bytes behind their length, as far as they were kept.
func (w *wireReader) sizedOrCut() []byte {
	if len(w.rest) == 0 {
		return nil
	}
	n := w.varint()
	if n < 0 {
		return nil
	}
	return w.bytes(min(n, int64(len(w.rest))))
}
