package partition

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/klauspost/compress/zstd"
)

// zstdWindow bounds the memory for unpacking Zstandard. A decoder takes as much as a record batch says
// that it looks back, up to half a gigabyte. 8 MiB is what every decoder must take (RFC 8878), and
// what the levels up to 19 need.
const zstdWindow = 8 << 20

// decoders are kept for the next record batch: each has a window of its own.
var decoders sync.Pool

// zstdReader unpacks Zstandard. Kafka-go's own has no bound.
type zstdReader struct{ decoder *zstd.Decoder }

func unpackZstd(packed io.Reader) (*zstdReader, error) {
	if d, ok := decoders.Get().(*zstd.Decoder); ok {
		return &zstdReader{d}, d.Reset(packed)
	}
	d, err := zstd.NewReader(packed, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(zstdWindow))
	return &zstdReader{d}, err
}

// Read unpacks some more.
func (z *zstdReader) Read(p []byte) (int, error) {
	n, err := z.decoder.Read(p)
	if errors.Is(err, zstd.ErrWindowSizeExceeded) || errors.Is(err, zstd.ErrDecoderSizeExceeded) {
		err = fmt.Errorf("packed by Zstandard with a window of more than %d MiB: its producer must take a level of 19 or less: %w", zstdWindow>>20, err)
	}
	return n, err
}

// Close gives the decoder back. It must not hold on to what it has read.
func (z *zstdReader) Close() error {
	err := z.decoder.Reset(strings.NewReader(""))
	decoders.Put(z.decoder)
	return err
}
