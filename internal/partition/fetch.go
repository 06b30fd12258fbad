package partition

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
	fetchapi "github.com/segmentio/kafka-go/protocol/fetch"
)

const (
	// maxBytes is how much a fetch brings at most, unless a single record batch is larger: two of
	// the largest messages. A reader keeps so much of each partition, packed as it is.
	maxBytes = 2 << 20

	// fetchSlack is how long an answer may take beyond the wait that was asked for.
	fetchSlack = 5 * time.Second

	// mostBytes bounds an answer. No broker takes a record batch that is nearly as large. A longer answer
	// isn't one to what was asked.
	mostBytes = 256 << 20
)

// answer is what the broker said to a fetch of one partition.
type answer struct {
	start, end int64
	records    []byte // record batches, packed as they are; the last one may be cut
}

// fetch asks the partition's leader for what stands from an offset on. Client.Fetch would
// unpack all of it at once: five megabytes of commands can become a gigabyte.
func (s Source) fetch(ctx context.Context, from int64, wait time.Duration, most int) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, wait+fetchSlack)
	defer cancel()
	transport := s.Client.Transport
	if transport == nil {
		transport = kafka.DefaultTransport
	}
	request := &rawFetch{Request: s.request(from, wait, most)}
	if t, ok := transport.(*kafka.Transport); ok {
		request.clientID = t.ClientID
	}
	message, err := transport.RoundTrip(ctx, s.Client.Addr, request)
	if err != nil {
		return answer{}, fmt.Errorf("%s/%d: fetch at offset %d: %w", s.Topic, s.Partition, from, err)
	}
	raw, ok := message.(*rawAnswer)
	if !ok {
		return answer{}, fmt.Errorf("%s/%d: fetch at offset %d: the answer is a %T", s.Topic, s.Partition, from, message)
	}
	a, err := raw.read(s.Topic, s.Partition)
	if err != nil {
		return answer{}, fmt.Errorf("%s/%d: fetch at offset %d: %w", s.Topic, s.Partition, from, err)
	}
	return a, nil
}

func (s Source) request(from int64, wait time.Duration, most int) *fetchapi.Request {
	return &fetchapi.Request{
		ReplicaID: -1, MaxWaitTime: int32(wait.Milliseconds()), MinBytes: 1, MaxBytes: int32(most), SessionID: -1, SessionEpoch: -1,
		Topics: []fetchapi.RequestTopic{{Topic: s.Topic, Partitions: []fetchapi.RequestPartition{{
			Partition: int32(s.Partition), CurrentLeaderEpoch: -1, FetchOffset: from, LogStartOffset: -1, PartitionMaxBytes: int32(most),
		}}}},
	}
}

// rawFetch is a fetch whose answer is kept as the broker wrote it.
type rawFetch struct {
	*fetchapi.Request
	clientID string
	version  int16
}

// Required is asked by the connection, which tells the versions that its broker knows.
func (f *rawFetch) Required(versions map[protocol.ApiKey]int16) bool {
	f.version = versions[protocol.Fetch]
	return true
}

// correlation stands in every request: a connection has only one in flight at a time.
const correlation = 1

// RawExchange writes the request and reads the answer to its end.
func (f *rawFetch) RawExchange(rw io.ReadWriter) (protocol.Message, error) {
	if err := protocol.WriteRequest(rw, f.version, correlation, f.clientID, f.Request); err != nil {
		return nil, err
	}
	var head [8]byte
	if _, err := io.ReadFull(rw, head[:]); err != nil {
		return nil, err
	}
	size, id := int64(binary.BigEndian.Uint32(head[:4]))-4, binary.BigEndian.Uint32(head[4:])
	if size < 0 || size > mostBytes || id != correlation {
		return nil, fmt.Errorf("no answer to the fetch: %d bytes under the number %d", size, id)
	}
	var body bytes.Buffer
	body.Grow(int(min(size+bytes.MinRead, 2*maxBytes)))
	if n, err := io.CopyN(&body, rw, size); err != nil {
		return nil, fmt.Errorf("the answer ends after %d of %d bytes: %w", n, size, err)
	}
	return &rawAnswer{version: f.version, body: body.Bytes()}, nil
}

// rawAnswer is the answer to a rawFetch.
type rawAnswer struct {
	version int16
	body    []byte
}

// ApiKey makes it a message of the library's.
func (*rawAnswer) ApiKey() protocol.ApiKey { return protocol.Fetch }

// read finds the partition in the answer.
func (r *rawAnswer) read(topic string, number int) (answer, error) {
	w := wireReader{rest: r.body}
	if r.version >= 1 {
		w.int32() // throttled for so long
	}
	if r.version >= 7 {
		code := w.int16()
		w.int32() // session
		if code != 0 {
			return answer{}, kafka.Error(code)
		}
	}
	for topics := w.int32(); topics > 0 && w.err == nil; topics-- {
		name := w.text()
		for partitions := w.int32(); partitions > 0 && w.err == nil; partitions-- {
			at, code, a := r.partition(&w)
			switch {
			case w.err != nil || name != topic || at != number:
			case code != 0:
				return answer{}, kafka.Error(code)
			default:
				return a, nil
			}
		}
	}
	if w.err != nil {
		return answer{}, fmt.Errorf("the answer can't be read: %w", w.err)
	}
	return answer{}, errors.New("the answer says nothing of this partition")
}

func (r *rawAnswer) partition(w *wireReader) (number int, code int16, a answer) {
	number, code = int(w.int32()), w.int16()
	a.end = w.int64()
	if r.version >= 4 {
		w.int64() // last stable offset
	}
	if r.version >= 5 {
		a.start = w.int64()
	}
	if r.version >= 4 {
		for aborted := w.int32(); aborted > 0 && w.err == nil; aborted-- {
			w.int64()
			w.int64()
		}
	}
	if r.version >= 11 {
		w.int32() // a replica that would rather be asked
	}
	a.records = w.bytes(int64(max(0, w.int32())))
	return number, code, a
}

// wireReader reads the parts of a message of Kafka's protocol. After an error it reads nothing more.
type wireReader struct {
	rest []byte
	err  error
}

var errShort = errors.New("it is too short")

func (w *wireReader) bytes(n int64) []byte {
	if w.err != nil || n < 0 || n > int64(len(w.rest)) {
		if w.err == nil {
			w.err = errShort
		}
		return nil
	}
	b := w.rest[:n:n]
	w.rest = w.rest[n:]
	return b
}

func (w *wireReader) int8() int8 {
	if b := w.bytes(1); b != nil {
		return int8(b[0])
	}
	return 0
}

func (w *wireReader) int16() int16 {
	if b := w.bytes(2); b != nil {
		return int16(binary.BigEndian.Uint16(b))
	}
	return 0
}

func (w *wireReader) int32() int32 {
	if b := w.bytes(4); b != nil {
		return int32(binary.BigEndian.Uint32(b))
	}
	return 0
}

func (w *wireReader) int64() int64 {
	if b := w.bytes(8); b != nil {
		return int64(binary.BigEndian.Uint64(b))
	}
	return 0
}

func (w *wireReader) text() string { return string(w.bytes(int64(w.int16()))) }

// varint reads a number of variable length in zigzag form, as records hold them.
func (w *wireReader) varint() int64 {
	n, size := binary.Varint(w.rest)
	if w.err != nil || size <= 0 {
		if w.err == nil {
			w.err = errShort
		}
		return 0
	}
	w.rest = w.rest[size:]
	return n
}

// sized reads bytes behind their length, nil for the length -1.
func (w *wireReader) sized() []byte {
	n := w.varint()
	if n < 0 {
		return nil
	}
	return w.bytes(n)
}
