package partition

import (
	"errors"
	"io"
	"unsafe"
)

// pageBytes bounds a page by what its records take unpacked: a few thousand commands.
const pageBytes = 1 << 20

// recordBytes is what a record takes beside its content.
const recordBytes = int(unsafe.Sizeof(Record{}))

// unread is what a fetch brought and nobody has read yet, still packed.
type unread struct {
	raw        []byte // begins with the record batch that is read now
	at         int64  // where reading goes on
	start, end int64
	unpacker   *unpacker // of the first record batch; nil if it isn't begun, or was closed
	anchor     Anchor    // of the record batch that was read last
	topic      string
}

// holds tells whether reading can go on at an offset.
func (r *unread) holds(from int64) bool { return r.at == from && len(r.raw) > 0 }

// close gives the memory of unpacking back. What is packed stays.
func (r *unread) close() {
	if r.unpacker != nil {
		r.unpacker.close()
		r.unpacker = nil
	}
}

// page takes the next records, until they take pageBytes or nothing is left. An error
// that comes after some records is met again at the next call.
func (r *unread) page() (Page, error) {
	p := Page{Next: r.at, Start: r.start, End: r.end, Anchor: r.anchor}
	size := 0
	for size < pageBytes && len(r.raw) > 0 {
		b, others, err := head(r.raw)
		done := false
		if err == nil && b.last >= r.at {
			done, err = r.batch(b, &p, &size)
		} else if err == nil {
			done = true // it ends before what is wanted
		}
		if err != nil {
			r.close()
			if p.Next > r.at {
				break
			}
			r.raw = nil // to be fetched again
			return Page{}, err
		}
		if done {
			r.close()
			r.raw = others
		}
	}
	if opened.Load() > mostOpen {
		r.close()
	}
	r.at, r.anchor = p.Next, p.Anchor
	return p, nil
}

// batch takes the records of a record batch, and tells whether that was all of it. There are none in the
// markers of transactions, and none where compaction has emptied a record batch.
func (r *unread) batch(b recordBatch, p *Page, size *int) (done bool, err error) {
	done = true
	before := p.Next
	switch {
	case b.attributes.Control():
		p.Holes = p.Holes || b.base > p.Next
	case b.format < 2:
		var records []Record
		if records, err = old(b); err == nil {
			for _, record := range records {
				p.add(record, size)
			}
		}
	default:
		done, err = r.unpack(b, p, size)
	}
	if err == nil && done {
		p.Holes = p.Holes || !b.attributes.Control() && b.last >= p.Next
		p.Next = max(p.Next, b.last+1)
	}
	if p.Next > before { // of a record batch that gave nothing the anchor would be wrong
		p.Anchor = b.anchor(r.topic, p.Next-1)
	}
	return done, err
}

func (r *unread) unpack(b recordBatch, p *Page, size *int) (done bool, err error) {
	if r.unpacker == nil {
		if r.unpacker, err = unpack(b); err != nil {
			return false, err
		}
	}
	for *size < pageBytes {
		record, err := r.unpacker.record()
		if errors.Is(err, io.EOF) {
			return true, nil
		}
		if err != nil {
			return false, err
		}
		p.add(record, size)
	}
	return false, nil
}

// add takes a record, unless it stands before what is wanted: a record batch may begin earlier.
func (p *Page) add(r Record, size *int) {
	if r.Offset < p.Next {
		return
	}
	p.Holes = p.Holes || r.Offset > p.Next
	p.Records = append(p.Records, r)
	p.Next = r.Offset + 1
	*size += len(r.Key) + len(r.Value) + recordBytes
	for _, h := range r.Headers {
		*size += len(h.Key) + len(h.Value) + recordBytes
	}
}
