package paypro

import (
	"bytes"
	"compress/gzip"
	"io"
	"strings"
)

const problemTooLong = "the answer is longer than 1 MiB"

// unzip returns a body without its content encoding, or the problem. Requests ask for no
// encoding, but a gateway may use gzip anyway. The result has the same limit as every body: a
// small gzip can expand to fill the memory.
func unzip(body []byte, encodings []string) (text []byte, problem string) {
	packed := false
	for name := range strings.SplitSeq(strings.Join(encodings, ","), ",") {
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "", "identity":
		case "gzip", "x-gzip":
			if packed {
				return nil, "the answer is packed twice, which was not asked for"
			}
			packed = true
		default:
			return nil, "the answer has an encoding that was not asked for and is not gzip"
		}
	}
	if !packed {
		return body, ""
	}
	unpacker, err := gzip.NewReader(bytes.NewReader(body))
	if err == nil {
		text, err = io.ReadAll(io.LimitReader(unpacker, maxAnswer+1))
	}
	switch {
	case err != nil:
		return nil, "the answer says that it is gzip and can't be unpacked"
	case len(text) > maxAnswer:
		return nil, problemTooLong
	}
	return text, ""
}
