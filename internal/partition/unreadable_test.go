package partition

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/segmentio/kafka-go/compress"
)

// oldMessage writes a message in format 0 or 1, with any offset.
func oldMessage(format byte, offset int64, attributes byte, value []byte) []byte {
	body := []byte{format, attributes}
	if format == 1 {
		body = binary.BigEndian.AppendUint64(body, 77)
	}
	body = binary.BigEndian.AppendUint32(body, 0xffffffff) // no key
	body = binary.BigEndian.AppendUint32(body, uint32(len(value)))
	body = append(body, value...)
	m := binary.BigEndian.AppendUint64(nil, uint64(offset))
	m = binary.BigEndian.AppendUint32(m, uint32(len(body)+4))
	m = binary.BigEndian.AppendUint32(m, crc32.ChecksumIEEE(body))
	return append(m, body...)
}

// holding writes a message that holds others, packed, at the offsets that it says.
func holding(t testing.TB, format byte, at int64, how compress.Compression, offsets ...int64) []byte {
	t.Helper()
	var all []byte
	for _, o := range offsets {
		all = append(all, oldMessage(format, o, 0, []byte("v"))...)
	}
	return oldMessage(format, at, byte(how), pack(t, how, all))
}

// In format 0 the offsets in a packed message are absolute, in format 1 they are relative.
// What would be left out, or stand at another's offset, is an error.
func TestOffsetsInAnOldMessage(t *testing.T) {
	for name, c := range map[string]struct {
		raw  []byte
		want string // the offsets, or an error
	}{
		"format 0":                            {holding(t, 0, 12, compress.Gzip, 10, 11, 12), "[10 11 12]"},
		"format 0, at the beginning":          {holding(t, 0, 2, compress.Snappy, 0, 1, 2), "[0 1 2]"},
		"format 0, the first record":          {holding(t, 0, 0, compress.Gzip, 0), "[0]"},
		"format 0, not packed":                {append(oldMessage(0, 10, 0, []byte("v")), oldMessage(0, 11, 0, []byte("v"))...), "[10 11]"},
		"format 0, some gone":                 {holding(t, 0, 12, compress.Gzip, 7, 12), "[7 12]"},
		"format 0, an end that isn't its":     {holding(t, 0, 13, compress.Gzip, 10, 11, 12), "whose last offset is 12"},
		"format 0, one behind its end":        {holding(t, 0, 12, compress.Gzip, 10, 13), "its offset is 13"},
		"format 0, the same twice":            {holding(t, 0, 12, compress.Gzip, 11, 11, 12), "its offset is 11"},
		"format 1":                            {holding(t, 1, 12, compress.Gzip, 0, 1, 2), "[10 11 12]"},
		"format 1, some gone":                 {holding(t, 1, 12, compress.Gzip, 0, 3), "its offset is 14"},
		"format 1, backwards":                 {holding(t, 1, 12, compress.Gzip, 1, 0), "its offset is 11"},
		"format 1, absolute ones":             {holding(t, 1, 12, compress.Gzip, 10, 11, 12), "its offset is 20"},
		"format 1, one that holds nothing":    {holding(t, 1, 12, compress.Gzip), "holds 0 records"},
		"format 1, packed by what came later": {oldMessage(1, 12, byte(compress.Zstd), []byte("v")), "unknown method 4"},
	} {
		records, err := readAll(c.raw, 0, nil)
		var offsets []int64
		for _, r := range records {
			offsets = append(offsets, r.Offset)
		}
		if got := fmt.Sprint(offsets); err == nil && got != c.want || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %s, %v", name, got, err)
		}
	}
}

// repacked puts other bytes in the place of a batch's records, packed by Zstandard.
func repacked(t testing.TB, plain []byte, option zstd.EOption) []byte {
	t.Helper()
	var packed bytes.Buffer
	w, err := zstd.NewWriter(&packed, option, zstd.WithEncoderConcurrency(1))
	if err != nil {
		t.Fatal(err)
	}
	for rest := plain[headSize:]; len(rest) > 0; rest = rest[min(len(rest), 4096):] { // of unknown length to the packer
		if _, err := w.Write(rest[:min(len(rest), 4096)]); err != nil {
			t.Fatal(err)
		}
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	raw := append(bytes.Clone(plain[:headSize]), packed.Bytes()...)
	binary.BigEndian.PutUint32(raw[8:], uint32(len(raw)-prefix))
	raw[22] |= byte(compress.Zstd)
	binary.BigEndian.PutUint32(raw[17:], crc32.Checksum(raw[21:], castagnoli))
	return raw
}

// A batch says itself how much memory unpacking it takes: up to a bound it is believed.
func TestTheWindowOfAPackedBatchIsBounded(t *testing.T) {
	plain := made{base: 0, values: values(50, 1000)}.bytes(t)
	for window, fits := range map[int]bool{1 << 20: true, 8 << 20: true, 16 << 20: false, 128 << 20: false} {
		for range 2 { // also by a decoder that has seen another batch
			records, err := readAll(repacked(t, plain, zstd.WithWindowSize(window)), 0, nil)
			if fits && (err != nil || len(records) != 50) {
				t.Errorf("%d: %d records, %v", window, len(records), err)
			}
			if !fits && (err == nil || len(records) > 0 || !strings.Contains(err.Error(), "a window of more than 8 MiB")) {
				t.Errorf("%d: %d records, %v", window, len(records), err)
			}
		}
	}
}

// What can't be read is told from what fails by the way.
func TestWhatCanNotBeReadIsUnreadable(t *testing.T) {
	log := &cutter{}
	log.add(t, "a")
	log.add(t, "b")
	log.batches[1][len(log.batches[1])-3] ^= 1
	_, err := log.reader().Next(t.Context(), 1, 0)
	unreadable := (*Unreadable)(nil)
	if !errors.As(err, &unreadable) || unreadable.Offset != 1 || !strings.Contains(err.Error(), "t/0: read at offset 1: the checksum is") {
		t.Error(err)
	}
}
