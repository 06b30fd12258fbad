package partition

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/compress"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// made are the parts of a batch that tests differ in. Its records are key, value, and the
// time of the batch plus a second each.
type made struct {
	base       int64
	values     []string
	packed     compress.Compression
	attributes int16
	first      int64
	most       int64
	count      int32              // added to the right one
	delta      func(i int) int32  // of a record's offset; nil: its place
	spoil      func(plain []byte) // what is packed
}

// bytes writes it, in the present format.
func (m made) bytes(t testing.TB) []byte {
	t.Helper()
	var plain []byte
	for i, v := range m.values {
		r := kmsg.Record{TimestampDelta64: int64(i) * 1000, OffsetDelta: int32(i), Key: []byte(fmt.Sprint("k", i)), Value: []byte(v),
			Headers: []kmsg.Header{{Key: "h", Value: []byte(fmt.Sprint(i))}}}
		if m.delta != nil {
			r.OffsetDelta = m.delta(i)
		}
		body := r.AppendTo(nil)
		_, size := binary.Varint(body)
		plain = binary.AppendVarint(plain, int64(len(body)-size))
		plain = append(plain, body[size:]...)
	}
	if m.spoil != nil {
		m.spoil(plain)
	}
	b := kmsg.RecordBatch{
		FirstOffset: m.base, Magic: 2, Attributes: m.attributes | int16(m.packed), LastOffsetDelta: int32(len(m.values)-1) + max(0, m.count),
		FirstTimestamp: m.first, MaxTimestamp: m.most, ProducerID: -1, ProducerEpoch: -1, FirstSequence: -1,
		NumRecords: int32(len(m.values)) + m.count, Records: pack(t, m.packed, plain),
	}
	b.Length = int32(len(b.AppendTo(nil)) - 12)
	raw := b.AppendTo(nil)
	binary.BigEndian.PutUint32(raw[17:], crc32.Checksum(raw[21:], castagnoli))
	return raw
}

func pack(t testing.TB, how compress.Compression, plain []byte) []byte {
	t.Helper()
	codec := how.Codec()
	if codec == nil {
		return plain
	}
	var packed bytes.Buffer
	w := codec.NewWriter(&packed)
	if _, err := w.Write(plain); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return packed.Bytes()
}

// oldBatch writes messages in format 1, in one that holds them where they are packed.
func oldBatch(t testing.TB, base int64, packed compress.Compression, attributes int8, at int64, values ...string) []byte {
	t.Helper()
	message := func(offset int64, attributes int8, at int64, value []byte) []byte {
		body := []byte{1, byte(attributes)}
		body = binary.BigEndian.AppendUint64(body, uint64(at))
		body = binary.BigEndian.AppendUint32(body, 0xffffffff) // no key
		body = binary.BigEndian.AppendUint32(body, uint32(len(value)))
		body = append(body, value...)
		m := binary.BigEndian.AppendUint64(nil, uint64(offset))
		m = binary.BigEndian.AppendUint32(m, uint32(len(body)+4))
		m = binary.BigEndian.AppendUint32(m, crc32.ChecksumIEEE(body))
		return append(m, body...)
	}
	var all []byte
	for i, v := range values {
		if packed == 0 {
			all = append(all, message(base+int64(i), attributes, at, []byte(v))...)
			continue
		}
		all = append(all, message(int64(i), 0, 77, []byte(v))...)
	}
	if packed == 0 {
		return all
	}
	return message(base+int64(len(values)-1), attributes|int8(packed), at, pack(t, packed, all))
}

// readAll reads what a fetch brought, from an offset on, page by page.
func readAll(raw []byte, from int64, each func(p Page)) (all []Record, err error) {
	reader := Reader{Source: Source{Topic: "t"}}
	reader.keep(answer{records: raw}, from)
	r := &reader.unread
	defer r.close()
	for r.holds(r.at) {
		before := r.at
		p, err := r.page()
		if err != nil {
			return all, err
		}
		if each != nil {
			each(p)
		}
		all = append(all, p.Records...)
		if p.Next == before && len(r.raw) > 0 {
			return all, errors.New("stuck")
		}
	}
	return all, nil
}

var methods = []compress.Compression{compress.None, compress.Gzip, compress.Snappy, compress.Lz4, compress.Zstd}

func values(n, size int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprint(i, " ", strings.Repeat("x", size))
	}
	return list
}

func TestBatchesOfAllKindsAreReadAlike(t *testing.T) {
	for _, how := range methods {
		t.Run(how.String(), func(t *testing.T) {
			raw := made{base: 5, values: values(3, 10), packed: how, first: 1_000_000, most: 1_002_000}.bytes(t)
			raw = append(raw, made{base: 8, values: []string{"", "b"}, packed: how, attributes: 1 << 5}.bytes(t)...) // markers
			raw = append(raw, made{base: 10, values: values(2, 3), packed: how, first: 2_000_000}.bytes(t)...)
			raw = append(raw, made{base: 12, values: values(2, 3)}.bytes(t)[:70]...) // cut off
			var last Page
			records, err := readAll(raw, 6, func(p Page) { last = p })
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, r := range records {
				got = append(got, fmt.Sprint(r.Offset, " ", string(r.Key), " ", len(r.Value), " ", r.Time.UnixMilli(), " ", string(r.Headers[0].Value)))
			}
			want := []string{"6 k1 12 1001000 1", "7 k2 12 1002000 2", "10 k0 5 2000000 0", "11 k1 5 2001000 1"}
			if fmt.Sprint(got) != fmt.Sprint(want) || last.Next != 12 {
				t.Fatalf("%q, next %d", got, last.Next)
			}
			if b, _, err := head(made{base: 10, values: values(2, 3), packed: how, first: 2_000_000}.bytes(t)); err != nil || last.Anchor != b.anchor("t", 11) {
				t.Errorf("anchor %v, want %v", last.Anchor, b.anchor("t", 11))
			}
		})
	}
}

// What was compacted away is told from what a transaction has marked.
func TestMissingOffsetsAreTold(t *testing.T) {
	large := []string{strings.Repeat("x", pageBytes)}
	bytes := func(all ...made) (raw []byte) {
		for _, m := range all {
			raw = append(raw, m.bytes(t)...)
		}
		return raw
	}
	const marker = 1 << 5
	for name, c := range map[string]struct {
		raw   []byte
		holes []bool // of each page
	}{
		"none":                            {bytes(made{base: 0, values: values(3, 9)}, made{base: 3, values: values(2, 9)}), []bool{false}},
		"two pages":                       {bytes(made{base: 0, values: large}, made{base: 1, values: large}), []bool{false, false}},
		"markers":                         {bytes(made{base: 0, values: values(3, 9)}, made{base: 3, values: []string{""}, attributes: marker}, made{base: 4, values: values(1, 9)}), []bool{false}},
		"a marker behind a page":          {bytes(made{base: 0, values: large}, made{base: 1, values: []string{""}, attributes: marker}, made{base: 2, values: large}), []bool{false, false}},
		"a batch is gone":                 {bytes(made{base: 0, values: values(3, 9)}, made{base: 5, values: values(2, 9)}), []bool{true}},
		"the first batch is gone":         {bytes(made{base: 2, values: values(3, 9)}), []bool{true}},
		"a batch is gone behind a page":   {bytes(made{base: 0, values: large}, made{base: 5, values: large}), []bool{false, true}},
		"a batch before a marker is gone": {bytes(made{base: 0, values: values(3, 9)}, made{base: 5, values: []string{""}, attributes: marker}), []bool{true}},
	} {
		t.Run(name, func(t *testing.T) {
			var got []bool
			at := int64(0)
			if _, err := readAll(c.raw, 0, func(p Page) {
				if p.Next > at {
					got, at = append(got, p.Holes), p.Next
				}
			}); err != nil {
				t.Fatal(err)
			}
			if fmt.Sprint(got) != fmt.Sprint(c.holes) {
				t.Errorf("holes %v, want %v", got, c.holes)
			}
		})
	}
}

// Of the records of a batch some may be gone, and of an emptied one all are.
func TestMissingOffsetsWithinABatchAreTold(t *testing.T) {
	for name, c := range map[string]struct {
		count, step int
	}{"the last record": {2, 1}, "one between": {2, 2}, "all": {0, 1}} {
		count := c.count
		raw := made{base: 0, values: values(count, 9), delta: func(i int) int32 { return int32(c.step * i) }}.bytes(t)
		binary.BigEndian.PutUint32(raw[23:], 2) // its last offset
		binary.BigEndian.PutUint32(raw[17:], crc32.Checksum(raw[21:], castagnoli))
		raw = append(raw, made{base: 3, values: []string{strings.Repeat("x", pageBytes)}}.bytes(t)...)
		holes := false
		records, err := readAll(raw, 0, func(p Page) { holes = holes || p.Holes })
		if err != nil || len(records) != count+1 || !holes {
			t.Errorf("%s: %d records, holes %v, %v", name, len(records), holes, err)
		}
	}
}

func TestOldFormatsAreRead(t *testing.T) {
	for _, how := range []compress.Compression{compress.None, compress.Gzip, compress.Snappy} {
		raw := append(oldBatch(t, 5, how, 0, 1000, "a", "b", "c"), oldBatch(t, 8, how, 0, 2000, "d", "e")...)
		records, err := readAll(raw, 6, nil)
		if err != nil {
			t.Fatal(how, err)
		}
		got := ""
		for _, r := range records {
			got += fmt.Sprint(r.Offset, string(r.Value), " ")
		}
		if got != "6b 7c 8d 9e " {
			t.Errorf("%v: %s", how, got)
		}
	}
}

// A topic with LogAppendTime has the broker's time, though each record still holds what its
// producer claimed. A claim of ten days ahead would be believed even after the payout was
// forgotten.
func TestTheBrokersTimeCountsWhereTheTopicHasIt(t *testing.T) {
	const broker = 1_764_000_000_000
	claim := int64(broker + 10*24*3600*1000)
	for _, how := range methods {
		for name, raw := range map[string][]byte{
			"the present format": made{values: values(3, 5), packed: how, attributes: logAppendTime, first: claim, most: broker}.bytes(t),
			"an old format":      oldBatch(t, 0, min(how, compress.Snappy), logAppendTime, broker, "a", "b", "c"),
		} {
			records, err := readAll(raw, 0, nil)
			if err != nil || len(records) != 3 {
				t.Fatal(how, name, len(records), err)
			}
			for _, r := range records {
				if r.Time.UnixMilli() != broker {
					t.Errorf("%v, %s: %v", how, name, r.Time)
				}
			}
		}
	}
	records, err := readAll(made{values: values(2, 5), first: claim, most: broker}.bytes(t), 0, nil)
	if err != nil || records[1].Time.UnixMilli() != claim+1000 {
		t.Fatal("elsewhere the producer's counts", records, err)
	}
}

// What is unpacked stays small, whatever a batch becomes; to go on after a rest gives the
// same records.
func TestALargeBatchIsUnpackedPageByPage(t *testing.T) {
	for _, how := range methods {
		t.Run(how.String(), func(t *testing.T) {
			raw := made{base: 3, values: values(40_000, 200), packed: how}.bytes(t)
			r := unread{raw: raw, at: 10, topic: "t"}
			want, pages := int64(10), 0
			for r.holds(want) {
				p, err := r.page()
				if err != nil {
					t.Fatal(err)
				}
				size := 0
				for _, record := range p.Records {
					if record.Offset != want || !strings.HasPrefix(string(record.Value), fmt.Sprint(want-3, " ")) {
						t.Fatalf("%d %.20s, want %d", record.Offset, record.Value, want)
					}
					want++
					size += len(record.Value)
				}
				if size > pageBytes || p.Next != want || p.Anchor.Offset != want-1 {
					t.Fatalf("%d bytes in a page, next %d, anchor %v, at %d", size, p.Next, p.Anchor, want)
				}
				if pages++; pages%3 == 0 {
					r.close()
				}
			}
			if want != 40_003 || pages < 8 {
				t.Fatal(want, pages)
			}
		})
	}
}

// Many partitions are read at once: few unpackers stay open, and nothing is left out.
func TestFewUnpackersStayOpen(t *testing.T) {
	raw := made{base: 0, values: values(20_000, 200), packed: compress.Zstd}.bytes(t)
	readers := make([]unread, 3*mostOpen)
	for i := range readers {
		readers[i] = unread{raw: raw, topic: "t"}
	}
	for pages := 0; readers[0].holds(readers[0].at); pages++ {
		for i := range readers {
			if before := readers[i].at; readers[i].holds(before) {
				p, err := readers[i].page()
				if err != nil || len(p.Records) > 0 && p.Records[0].Offset != before {
					t.Fatal(i, before, err)
				}
			}
		}
		if n := opened.Load(); n > mostOpen {
			t.Fatalf("%d are open", n)
		}
	}
	for i := range readers {
		readers[i].close()
		if readers[i].at != 20_000 {
			t.Errorf("%d read", readers[i].at)
		}
	}
	if n := opened.Load(); n != 0 {
		t.Errorf("%d stay open", n)
	}
}

func TestARecordThatNobodyTakesIsCut(t *testing.T) {
	big := strings.Repeat("y", maxRecord+(1<<20))
	raw := made{values: []string{"a", big, "c"}, packed: compress.Zstd}.bytes(t)
	records, err := readAll(raw, 0, nil)
	if err != nil || len(records) != 3 {
		t.Fatal(len(records), err)
	}
	if n := len(records[1].Value); n <= 2<<20 || n > maxRecord || string(records[1].Key) != "k1" || string(records[2].Value) != "c" {
		t.Fatal(n)
	}
}

func TestABrokenBatchIsAnErrorAndNothingIsLeftOut(t *testing.T) {
	good := made{base: 2, values: values(3, 5)}
	for name, c := range map[string]struct {
		raw  []byte
		read int // before the error
		want string
	}{
		"a wrong checksum":          {func() []byte { b := good.bytes(t); b[len(b)-1]++; return b }(), 0, "checksum"},
		"more records than it has":  {made{base: 2, values: good.values, count: 1}.bytes(t), 3, "the record 4 of 4"},
		"less than none":            {made{base: 2, values: good.values, count: -4}.bytes(t), 0, "-1 records"},
		"the same offset twice":     {made{base: 2, values: good.values, delta: func(i int) int32 { return int32(i / 2) }}.bytes(t), 1, "its offset is 2, not in 3 to 4"},
		"an offset behind its last": {made{base: 2, values: good.values, delta: func(i int) int32 { return int32(5 * i) }}.bytes(t), 1, "its offset is 7"},
		"an unknown method":         {made{base: 2, values: good.values, attributes: 6}.bytes(t), 0, "unknown method 6"},
		"an unknown format":         {func() []byte { b := good.bytes(t); b[magicAt] = 3; return b }(), 0, "unknown format 3"},
		"a record too long":         {made{base: 2, values: good.values, spoil: func(p []byte) { p[0] = 0x7e }}.bytes(t), 0, "the record 1 of 3"},
		"not packed as it says":     {made{base: 2, values: good.values, attributes: 4}.bytes(t), 0, "the record 1 of 3"},
		"a cut message, alone":      {good.bytes(t)[:80], 0, "cut off"},
	} {
		records, err := readAll(c.raw, 2, nil)
		if err == nil || !strings.Contains(err.Error(), c.want) || len(records) != c.read {
			t.Errorf("%s: %d records, %v", name, len(records), err)
		}
	}
}

func TestAnAnchorIsComparedInAllItsParts(t *testing.T) {
	raw := append(made{base: 0, values: values(4, 5), most: 9}.bytes(t), made{base: 4, values: values(5, 5), most: 10}.bytes(t)...)
	b, _, err := head(raw[len(made{base: 0, values: values(4, 5), most: 9}.bytes(t)):])
	if err != nil {
		t.Fatal(err)
	}
	read := b.anchor("t", 8)
	other := made{base: 4, values: values(5, 6), most: 10}.bytes(t)
	for name, c := range map[string]struct {
		anchor  Anchor
		raw     []byte
		found   bool
		another bool
	}{
		"the same":             {read, raw, true, false},
		"of an earlier record": {Anchor{"t", 5, 4, read.Time, read.Sum}, raw, true, false},
		"another checksum":     {read, append(bytes.Clone(raw[:len(raw)-len(other)+5]), other...), true, true},
		"another beginning":    {Anchor{"t", 8, 5, read.Time, read.Sum}, raw, true, true},
		"another time":         {Anchor{"t", 8, 4, 11, read.Sum}, raw, true, true},
		"not among it":         {Anchor{"t", 9, 9, read.Time, read.Sum}, raw, false, false},
		"before it":            {read, made{base: 9, values: values(1, 1)}.bytes(t), false, false},
	} {
		if name == "another checksum" {
			c.raw = append(bytes.Clone(raw[:len(made{base: 0, values: values(4, 5), most: 9}.bytes(t))]), other...)
		}
		if found, what := c.anchor.standsIn(c.raw); found != c.found || (what != "") != c.another {
			t.Errorf("%s: %v, %q", name, found, what)
		}
	}
	if again, ok := ParseAnchor(read.String()); !ok || again != read {
		t.Errorf("%v becomes %v", read, again)
	}
	for text, want := range map[string]bool{"": true, "12": false, "1/2/3/4": false, "1/2/3/zz/t": false, "a/2/3/4/t": false, "1/2/3/4/": false, "-1/0/0/00000000/t": true} {
		if _, ok := ParseAnchor(text); ok != want {
			t.Errorf("%q: %v", text, ok)
		}
	}
}

// FuzzBatches reads whatever a broker might answer: no panic, no endless loop, and never
// more in a page than may be unpacked at a time.
func FuzzBatches(f *testing.F) {
	for _, how := range methods {
		f.Add(made{base: 3, values: values(3, 20), packed: how}.bytes(f), int64(4))
		f.Add(append(oldBatch(f, 3, min(how, compress.Snappy), 0, 9, "a", "b"), made{base: 5, values: values(2, 9), packed: how, attributes: 1 << 5}.bytes(f)...), int64(3))
	}
	f.Add(made{base: 3, values: values(2000, 2000), packed: compress.Zstd}.bytes(f), int64(3))
	f.Fuzz(func(t *testing.T, raw []byte, from int64) {
		if len(raw) > 21 && raw[magicAt] == 2 { // so that the checksum doesn't end everything
			if b, _, err := head(raw); err == nil {
				binary.BigEndian.PutUint32(raw[17:], crc32.Checksum(b.raw[21:], castagnoli))
			}
		}
		at := from
		_, _ = readAll(raw, from, func(p Page) {
			size := 0
			for _, r := range p.Records {
				if r.Offset < at {
					t.Fatalf("%d after %d", r.Offset, at-1)
				}
				at = r.Offset + 1
				size += len(r.Key) + len(r.Value)
			}
			if size > pageBytes+2*maxRecord && len(raw) < pageBytes {
				t.Fatalf("%d bytes in a page", size)
			}
		})
	})
}

// FuzzAnswers reads whatever a broker might say to a fetch.
func FuzzAnswers(f *testing.F) {
	res := kmsg.NewPtrFetchResponse()
	p := kmsg.NewFetchResponseTopicPartition()
	p.HighWatermark, p.RecordBatches = 3, made{values: values(3, 9)}.bytes(f)
	topic := kmsg.NewFetchResponseTopic()
	topic.Topic, topic.Partitions = "t", []kmsg.FetchResponseTopicPartition{p}
	res.Topics = append(res.Topics, topic)
	for v := range int16(12) {
		res.Version = v
		f.Add(v, res.AppendTo(nil))
	}
	f.Fuzz(func(t *testing.T, version int16, body []byte) {
		a, err := (&rawAnswer{version: version, body: body}).read("t", 0)
		if err == nil && len(a.records) > len(body) {
			t.Fatal("more records than there are bytes")
		}
	})
}

// Each version of the answer is read as its specification has it.
func TestAnswersOfAllVersions(t *testing.T) {
	for v := range int16(12) {
		res := kmsg.NewPtrFetchResponse()
		other, p := kmsg.NewFetchResponseTopicPartition(), kmsg.NewFetchResponseTopicPartition()
		other.Partition, other.ErrorCode = 1, 3
		p.Partition, p.HighWatermark, p.LogStartOffset, p.RecordBatches = 2, 33, 11, made{values: values(3, 9)}.bytes(t)
		p.AbortedTransactions = append(p.AbortedTransactions, kmsg.NewFetchResponseTopicPartitionAbortedTransaction())
		topic := kmsg.NewFetchResponseTopic()
		topic.Topic, topic.Partitions = "t", []kmsg.FetchResponseTopicPartition{other, p}
		res.Topics = append(res.Topics, topic)
		res.Version = v
		raw := &rawAnswer{version: v, body: res.AppendTo(nil)}
		a, err := raw.read("t", 2)
		if err != nil || a.end != 33 || !bytes.Equal(a.records, p.RecordBatches) || v >= 5 && a.start != 11 {
			t.Errorf("version %d: %v, %+v", v, err, a)
		}
		if _, err := raw.read("t", 1); !errors.Is(err, kafka.UnknownTopicOrPartition) {
			t.Errorf("version %d: %v", v, err)
		}
		if _, err := raw.read("u", 2); err == nil {
			t.Errorf("version %d: another topic's", v)
		}
		for cut := range raw.body {
			if a, err := (&rawAnswer{version: v, body: raw.body[:cut]}).read("t", 2); err == nil {
				t.Fatalf("version %d cut at %d: %+v", v, cut, a)
			}
		}
		if v >= 7 {
			res.ErrorCode = 6
			if _, err := (&rawAnswer{version: v, body: res.AppendTo(nil)}).read("t", 2); !errors.Is(err, kafka.NotLeaderForPartition) {
				t.Errorf("version %d: %v", v, err)
			}
		}
	}
}

// said is a connection on which this was said.
type said struct{ io.Reader }

func (said) Write(b []byte) (int, error) { return len(b), nil }

// An answer that is no answer is refused, and its size isn't believed.
func TestNoAnswerToAFetch(t *testing.T) {
	for name, words := range map[string][]byte{
		"another's":   {0, 0, 0, 8, 0, 0, 0, 9, 0, 0, 0, 0},
		"far too big": {0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 1},
		"too small":   {0, 0, 0, 3, 0, 0, 0, 1},
		"cut":         {0, 0, 0, 9, 0, 0, 0, 1, 0},
	} {
		f := &rawFetch{Request: Source{Topic: "t"}.request(0, time.Second, 1), version: 11}
		if m, err := f.RawExchange(said{bytes.NewReader(words)}); err == nil {
			t.Errorf("%s: %+v", name, m)
		}
	}
}
