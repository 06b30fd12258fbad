package partition

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
)

// cutter answers fetches as a broker does, and as kfake doesn't. An answer begins with the
// record batch that holds the offset, and is cut at the length that was asked for. The first
// record batch is whole.
type cutter struct {
	batches [][]byte
	lasts   []int64 // the last offset of each batch
	fetches int
}

// add puts a batch at the end.
func (c *cutter) add(t testing.TB, values ...string) {
	t.Helper()
	base := c.end()
	c.batches = append(c.batches, made{base: base, values: values, most: base}.bytes(t))
	c.lasts = append(c.lasts, base+int64(len(values))-1)
}

func (c *cutter) end() int64 {
	if len(c.lasts) == 0 {
		return 0
	}
	return c.lasts[len(c.lasts)-1] + 1
}

// RoundTrip answers a fetch.
func (c *cutter) RoundTrip(_ context.Context, _ net.Addr, req kafka.Request) (kafka.Response, error) {
	c.fetches++
	asked, ok := req.(*rawFetch)
	if !ok {
		return nil, fmt.Errorf("a %T", req)
	}
	from, most := asked.Topics[0].Partitions[0].FetchOffset, int(asked.Topics[0].Partitions[0].PartitionMaxBytes)
	var raw []byte
	for i := sort.Search(len(c.lasts), func(i int) bool { return c.lasts[i] >= from }); i < len(c.batches) && len(raw) < most; i++ {
		first := len(raw) == 0
		raw = append(raw, c.batches[i]...)
		if !first {
			raw = raw[:min(len(raw), most)]
		}
	}
	body := binary.BigEndian.AppendUint32(nil, 1) // topics
	body = append(binary.BigEndian.AppendUint16(body, 1), 't')
	body = binary.BigEndian.AppendUint32(body, 1) // partitions
	body = binary.BigEndian.AppendUint32(body, 0)
	body = binary.BigEndian.AppendUint16(body, 0) // no error
	body = binary.BigEndian.AppendUint64(body, uint64(c.end()))
	body = binary.BigEndian.AppendUint32(body, uint32(len(raw)))
	return &rawAnswer{body: append(body, raw...)}, nil
}

func (c *cutter) reader() *Reader {
	return &Reader{Source: Source{Client: &kafka.Client{Transport: c}, Topic: "t"}}
}

// readsAll reads to the end, and sees that each record comes once and whole.
func (c *cutter) readsAll(t *testing.T, size func(offset int64) int) {
	t.Helper()
	r := c.reader()
	for at := int64(0); at < c.end(); {
		p, err := r.Next(context.Background(), at, time.Millisecond)
		if err != nil || p.Next == at {
			t.Fatalf("at %d of %d: next %d, %v", at, c.end(), p.Next, err)
		}
		for _, record := range p.Records {
			if record.Offset != at || len(record.Value) != size(at) {
				t.Fatalf("%d with %d bytes, want %d with %d", record.Offset, len(record.Value), at, size(at))
			}
			at++
		}
		if p.Next != at || p.Anchor.Offset != at-1 {
			t.Fatalf("next %d, anchor %v, at %d", p.Next, p.Anchor, at)
		}
	}
}

// A broker cuts the last batch of nearly every answer. Wherever that is, and wherever a
// page ends, it is no error, and nothing is left out.
func TestAnAnswerThatIsCutIsReadToItsEnd(t *testing.T) {
	for _, c := range []struct{ size, more, n int }{
		{500, 300, 4000}, {8_000, 500, 2000}, {10_000, 500, 2000}, {12_000, 500, 2000}, {20_000, 1000, 1000}, {50_000, 2000, 400},
		{150_000, 9000, 200}, {400_000, 1, 40}, {600_000, 1, 40}, {700_000, 1, 40}, {700_000, 300_000, 40}, {900_000, 1, 40}, {1_000_000, 1, 40}, {3_000_000, 1, 5},
	} {
		t.Run(fmt.Sprint(c.size, "+", c.more), func(t *testing.T) {
			value := strings.Repeat("v", c.size+c.more)
			random := uint32(c.size)
			log := &cutter{}
			sizes := make([]int, c.n)
			for i := range sizes {
				random = random*1664525 + 1013904223
				sizes[i] = c.size + int(random>>16)%c.more
				log.add(t, value[:sizes[i]])
			}
			log.readsAll(t, func(at int64) int { return sizes[at] })
		})
	}
}

// Batches of several records each: a page may end inside of one.
func TestBatchesOfSeveralRecordsThatAreCut(t *testing.T) {
	log := &cutter{}
	random := uint32(7)
	next := func() int { random = random*1664525 + 1013904223; return int(random >> 16) }
	var sizes []int
	for log.end() < 20_000 {
		var list []string
		for range next()%10 + 1 {
			sizes = append(sizes, 500+next()%300)
			list = append(list, strings.Repeat("v", sizes[len(sizes)-1]))
		}
		log.add(t, list...)
	}
	log.readsAll(t, func(at int64) int { return sizes[at] })
}

// What is cut is an error only where nothing whole brings the reading on.
func TestACutBatchAloneIsAnError(t *testing.T) {
	first, second := made{base: 0, values: values(1, 10)}.bytes(t), made{base: 1, values: values(1, 10)}.bytes(t)
	for name, c := range map[string]struct {
		raw  []byte
		from int64
		want string
	}{
		"behind a whole one":                   {append(bytes.Clone(first), second[:40]...), 0, ""},
		"behind a whole one, a few bytes":      {append(bytes.Clone(first), second[:3]...), 0, ""},
		"alone":                                {second[:40], 1, "cut off"},
		"behind one that ends before":          {append(bytes.Clone(first), second[:40]...), 1, "cut off"},
		"a broken one behind a whole one":      {append(bytes.Clone(first), make([]byte, 40)...), 0, "a batch of 0 bytes"},
		"nothing behind a whole one, as usual": {first, 0, ""},
	} {
		r := (&cutter{}).reader()
		r.keep(answer{records: c.raw}, c.from)
		at, err := c.from, error(nil)
		for r.unread.holds(at) && err == nil {
			var p Page
			if p, err = r.unread.page(); err == nil {
				at = p.Next
			}
		}
		if c.want == "" && (err != nil || at != 1) || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: at %d, %v", name, at, err)
		}
	}
}

// The anchor behind which a damaged batch begins is the good one's: once the damage is
// gone, the partition is recognised.
func TestADamagedBatchLeavesTheAnchorBeforeIt(t *testing.T) {
	log := &cutter{}
	log.add(t, "a")
	log.add(t, "b", "c")
	good := log.batches[1]
	log.batches[1] = bytes.Clone(good)
	log.batches[1][len(good)-3] ^= 1
	r := log.reader()
	p, err := r.Next(context.Background(), 0, time.Millisecond)
	if err != nil || p.Next != 1 {
		t.Fatal(p.Next, err)
	}
	first, _, err := head(log.batches[0])
	if err != nil || p.Anchor != first.anchor("t", 0) || r.Anchor != p.Anchor {
		t.Errorf("anchor %v, want %v", p.Anchor, first.anchor("t", 0))
	}
	other := (*Other)(nil)
	if _, err := r.Next(context.Background(), 1, time.Millisecond); err == nil || errors.As(err, &other) || !strings.Contains(err.Error(), "checksum") {
		t.Error(err)
	}
	log.batches[1] = good
	if p, err = r.Next(context.Background(), 1, time.Millisecond); err != nil || p.Next != 3 {
		t.Errorf("once it is mended: next %d, %v", p.Next, err)
	}
}

// Working through what a fetch brought may take long. Meanwhile the topic may have become
// another one, whose offsets must not be committed by what is known of this one.
func TestWhatIsStillPackedIsHandedOutOnlyOfTheSameTopic(t *testing.T) {
	log := &cutter{}
	for range 3 {
		log.add(t, strings.Repeat("v", 600_000))
	}
	r := log.reader()
	p, err := r.Next(context.Background(), 0, time.Millisecond)
	if err != nil || p.Next != 2 || !r.unread.holds(2) {
		t.Fatal(p.Next, err)
	}
	fetches := log.fetches
	r.checked = time.Now().Add(-checkEvery)
	if err := r.Recheck(context.Background()); err != nil || log.fetches != fetches+1 {
		t.Fatal("the same topic", err, log.fetches)
	}
	if err := r.Recheck(context.Background()); err != nil || log.fetches != fetches+1 {
		t.Fatal("it was looked at a moment ago", err, log.fetches)
	}
	made := &cutter{}
	for range 3 {
		made.add(t, strings.Repeat("w", 600_000))
	}
	log.batches = made.batches
	r.checked = time.Now().Add(-checkEvery)
	other := (*Other)(nil)
	if p, err := r.Next(context.Background(), 2, time.Millisecond); !errors.As(err, &other) {
		t.Errorf("next %d, %v", p.Next, err)
	}
}
