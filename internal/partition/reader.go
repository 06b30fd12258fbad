package partition

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/segmentio/kafka-go"
)

const (
	// checkEvery is how often it is checked that a partition is still the same one. That is for
	// partitions of which nothing is fetched, or to which nothing is written.
	checkEvery = 10 * time.Second

	// checkWait is how long a check waits for a record that must be there.
	checkWait = 500 * time.Millisecond

	// smallBatch is the largest last record batch that is fetched once more together with the
	// next ones. Fetching it again costs less than a request of its own.
	smallBatch = maxBytes / 8
)

// Reader reads a partition page by page. It keeps what a fetch brought until it is read,
// packed as it is. One goroutine uses it.
type Reader struct {
	Source

	// Anchor is what was read last. With each fetch, before anything of it is handed out, the
	// reader checks that it still stands where it was read. If not, the error is an *Other.
	Anchor Anchor

	unread  unread
	size    int       // of the last record batch that was fetched, in bytes
	behind  bool      // there is more to be fetched
	checked time.Time // when it was last seen to be the same topic
}

// Next reads from an offset on, and waits up to wait for the first record. An empty page
// is no error. After an error the caller looks for where to go on.
func (r *Reader) Next(ctx context.Context, from int64, wait time.Duration) (page Page, err error) {
	defer func() {
		if err != nil {
			r.unread.close()
			r.unread = unread{}
		}
	}()
	defer panicAsError(r.Source, from, &err)
	if r.unread.holds(from) {
		if err = r.Recheck(ctx); err == nil {
			page, err = r.page(from)
		}
	}
	if err == nil && page.Next <= from { // nothing was left
		if err = r.fill(ctx, from, wait); err == nil {
			page, err = r.page(from)
		}
	}
	return page, err
}

func (r *Reader) page(from int64) (Page, error) {
	page, err := r.unread.page()
	if err != nil {
		return Page{}, &Unreadable{Topic: r.Topic, Partition: r.Partition, Offset: from, Err: err}
	}
	if page.Next > from {
		r.Anchor = page.Anchor
	}
	r.behind = page.Next < page.End
	return page, nil
}

// Release gives back the memory that unpacking takes. It is for when nothing is read for some time. To go on costs unpacking the record batch from its beginning.
func (r *Reader) Release() { r.unread.close() }

// panicAsError makes an error of a panic: records that nobody has thought of must not end the process.
func panicAsError(s Source, from int64, err *error) {
	if p := recover(); p != nil {
		*err = &Unreadable{Topic: s.Topic, Partition: s.Partition, Offset: from, Err: fmt.Errorf("a panic: %v\n%s", p, debug.Stack())}
	}
}

// fill fetches from an offset on, and makes sure that it is still the same topic. It looks at the anchor
// after it has fetched. So it notices a topic that is made anew between the two.
func (r *Reader) fill(ctx context.Context, from int64, wait time.Duration) error {
	r.unread.close()
	r.unread = unread{}
	if done, err := r.fetchWithAnchor(ctx, from); done || err != nil {
		return err
	}
	a, err := r.fetch(ctx, from, wait, maxBytes)
	if err != nil {
		return r.gap(ctx, from, err)
	}
	if err := r.compare(ctx, a); err != nil {
		return err
	}
	r.keep(a, from)
	return nil
}

// compare makes sure that an answer is of the topic that was read before. It uses the anchor in
// the answer. Where the answer begins later, it looks the anchor up.
func (r *Reader) compare(ctx context.Context, a answer) error {
	empty := len(a.records) == 0
	if empty && time.Since(r.checked) < checkEvery {
		return nil
	}
	if !empty && r.Anchor.Topic == r.Topic && r.Anchor.Offset >= 0 {
		found, other := r.Anchor.standsIn(a.records)
		if other != "" {
			return r.other(other)
		}
		if found || r.Anchor.Offset < a.start { // deleted by retention: it can't be looked at
			r.checked = time.Now()
			return nil
		}
	}
	r.checked = time.Time{}
	return r.Recheck(ctx)
}

// Recognised notes by what the topic is recognised, and that it was right now.
func (r *Reader) Recognised(a Anchor) { r.Anchor, r.checked = a, time.Now() }

// Recheck looks whether the topic is still the one that was read, unless that was seen a
// moment ago. Who fetches nothing for some time calls it.
func (r *Reader) Recheck(ctx context.Context) error {
	if time.Since(r.checked) < checkEvery {
		return nil
	}
	err := r.Check(ctx, r.Anchor)
	if err == nil {
		r.checked = time.Now()
	}
	return err
}

// fetchWithAnchor fetches from the anchor on, where that costs little, so that one answer shows
// the anchor and what follows it. It answers whether anything follows.
func (r *Reader) fetchWithAnchor(ctx context.Context, from int64) (done bool, err error) {
	if !r.behind || r.Anchor.Topic != r.Topic || r.Anchor.Offset != from-1 || r.size > smallBatch {
		return false, nil
	}
	a, err := r.fetch(ctx, r.Anchor.Offset, 0, maxBytes)
	if errors.Is(err, kafka.OffsetOutOfRange) { // it is deleted, or there is a gap
		return false, nil
	}
	if err != nil {
		return false, err
	}
	found, other := r.Anchor.standsIn(a.records)
	if other != "" {
		return false, r.other(other)
	}
	if !found {
		return false, nil
	}
	r.checked = time.Now()
	r.keep(a, from)
	return r.unread.reaches(from), nil
}

// keep stores an answer. A broker cuts its answer where it is long enough, also inside a record batch. A
// record batch that is cut off is left to the next fetch. Only where no whole one stands before it, it
// stays and becomes an error: fetched again, it would be cut again.
func (r *Reader) keep(a answer, from int64) {
	r.unread = unread{raw: a.records, at: from, start: a.start, end: a.end, topic: r.Topic, anchor: r.Anchor}
	r.size = 0
	whole, onward := 0, false
	for {
		b, _, err := head(a.records[whole:])
		if errors.Is(err, errCut) && onward {
			r.unread.raw = a.records[:whole]
		}
		if err != nil {
			return
		}
		r.size, onward = len(b.raw), onward || b.last >= from
		whole += len(b.raw)
	}
}

// reaches tells whether a whole record batch holds what stands at an offset, or behind it.
func (r *unread) reaches(from int64) bool {
	for raw := r.raw; ; {
		b, others, err := head(raw)
		if err != nil {
			return false
		}
		if b.last >= from {
			return true
		}
		raw = others
	}
}

func (r *Reader) other(found string) error {
	return &Other{Topic: r.Topic, Partition: r.Partition, Read: r.Anchor, Found: found}
}

// Check looks whether what was read once still stands where it was read. What retention
// has deleted since can't be looked at, and passes.
func (s Source) Check(ctx context.Context, a Anchor) error {
	switch {
	case a.Topic == "":
		return nil
	case a.Topic != s.Topic:
		return &Other{Topic: s.Topic, Partition: s.Partition, Read: a}
	case a.Offset < 0:
		return nil
	}
	got, err := s.fetch(ctx, a.Offset, checkWait, 1)
	if errors.Is(err, kafka.OffsetOutOfRange) {
		start, end, err := s.Bounds(ctx)
		switch {
		case err != nil:
			return err
		case a.Offset < start:
			return nil
		case a.Offset >= end:
			return &Other{Topic: s.Topic, Partition: s.Partition, Read: a, Found: fmt.Sprintf("nothing: it ends at %d", end)}
		}
		return fmt.Errorf("%s/%d: offset %d is out of range for the broker that was asked, but not for the partition: try again", s.Topic, s.Partition, a.Offset)
	}
	if err != nil {
		return err
	}
	found, other := a.standsIn(got.records)
	switch {
	case other != "":
		return &Other{Topic: s.Topic, Partition: s.Partition, Read: a, Found: other}
	case found:
		return nil
	case len(got.records) == 0:
		return fmt.Errorf("%s/%d: the broker didn't return the record at %d that was read there: try again", s.Topic, s.Partition, a.Offset)
	}
	return &Other{Topic: s.Topic, Partition: s.Partition, Read: a, Found: "nothing at this offset"}
}

// Learn answers the anchor before an offset: what stands there now. Where nothing does,
// it names the topic only.
func (s Source) Learn(ctx context.Context, before int64) (Anchor, error) {
	none := Anchor{Topic: s.Topic, Offset: -1}
	if before <= 0 {
		return none, nil
	}
	got, err := s.fetch(ctx, before-1, checkWait, 1)
	if errors.Is(err, kafka.OffsetOutOfRange) {
		return none, nil
	}
	if err != nil {
		return Anchor{}, err
	}
	for raw := got.records; ; {
		b, others, err := head(raw)
		if err != nil || b.format == 2 && b.base >= before {
			return none, nil
		}
		if b.last >= before-1 {
			return b.anchor(s.Topic, before-1), nil
		}
		raw = others
	}
}
