package partition

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync/atomic"

	"github.com/segmentio/kafka-go/compress"
)

const (
	// maxRecord is how much of a packed record is unpacked, in bytes. No reader takes a value of more than
	// 1 MiB: it will say of a longer one that it is too large.
	maxRecord = 4 << 20

	// readAhead is how much is unpacked ahead, chunk how much memory records share.
	readAhead, chunk = 64 << 10, 256 << 10

	// mostOpen is how many unpackers stay open between two pages, in the whole process. One
	// takes up to 9 MB (Zstandard). What is above is closed and begins its record batch anew for
	// the next page.
	mostOpen = 4
)

// opened counts the unpackers that are open.
var opened atomic.Int32

// unpacker hands out the records of one record batch in the present format, one after the
// other: what is still packed takes no room.
type unpacker struct {
	recordBatch
	plain  []byte // the records that are left, where nothing is packed
	packed *bufio.Reader
	codec  io.Closer
	read   int
	next   int64  // the smallest offset that the next record may have
	room   []byte // for the records to come
}

func unpack(b recordBatch) (*unpacker, error) {
	if err := b.intact(); err != nil {
		return nil, err
	}
	u := &unpacker{recordBatch: b, next: b.base, plain: b.raw[headSize:]}
	compression := b.attributes.Compression()
	if compression == 0 {
		return u, nil
	}
	r, err := unpacked(compression, bytes.NewReader(u.plain))
	if err != nil {
		return nil, err
	}
	u.packed, u.codec, u.plain = bufio.NewReaderSize(r, readAhead), r, nil
	opened.Add(1)
	return u, nil
}

func unpacked(how compress.Compression, packed io.Reader) (io.ReadCloser, error) {
	if how == compress.Zstd {
		return unpackZstd(packed)
	}
	codec := how.Codec()
	if codec == nil {
		return nil, fmt.Errorf("packed by the unknown method %d", how)
	}
	return codec.NewReader(packed), nil
}

func (u *unpacker) close() {
	if u.codec != nil {
		_ = u.codec.Close() // nothing is written
		u.codec = nil
		opened.Add(-1)
	}
}

// record answers the next one; io.EOF after the last.
func (u *unpacker) record() (Record, error) {
	if u.read == u.count {
		return Record{}, io.EOF
	}
	body, cut, err := u.body()
	if err != nil {
		return Record{}, u.broken(err)
	}
	r, err := u.recordBatch.record(body, cut)
	if err != nil {
		return Record{}, u.broken(err)
	}
	if r.Offset < u.next || r.Offset > u.last { // in silence it would be left out
		return Record{}, u.broken(fmt.Errorf("its offset is %d, not in %d to %d", r.Offset, u.next, u.last))
	}
	u.next = r.Offset + 1
	u.read++
	return r, nil
}

func (u *unpacker) broken(err error) error {
	if errors.Is(err, io.EOF) { // it isn't the regular end
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("the record %d of %d in the batch at %d: %w", u.read+1, u.count, u.base, err)
}

// body reads a record without its length, and tells whether it was cut.
func (u *unpacker) body() (body []byte, cut bool, err error) {
	if u.packed == nil {
		w := wireReader{rest: u.plain}
		body = w.sized()
		if w.err == nil && body == nil {
			w.err = errShort
		}
		u.plain = w.rest
		return body, false, w.err
	}
	size, err := binary.ReadVarint(u.packed)
	if err != nil {
		return nil, false, err
	}
	if size < 0 || size > mostBytes*8 {
		return nil, false, fmt.Errorf("%d bytes", size)
	}
	body = u.take(int(min(size, maxRecord)))
	if _, err := io.ReadFull(u.packed, body); err != nil {
		return nil, false, err
	}
	if over := size - int64(len(body)); over > 0 {
		_, err = io.CopyN(io.Discard, u.packed, over)
		return body, true, err
	}
	return body, false, nil
}

// take answers memory for a record. Records share it: each by itself would cost more.
func (u *unpacker) take(n int) []byte {
	if n > chunk/4 {
		return make([]byte, n)
	}
	if n > len(u.room) {
		u.room = make([]byte, chunk)
	}
	b := u.room[:n:n]
	u.room = u.room[n:]
	return b
}
