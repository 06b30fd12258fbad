package books

import (
	"crypto/sha256"
	"encoding/hex"
	"hash"

	"disburser/payout"
)

// A batch's digest is SHA-256 over the lines "tradeNo SP fingerprint LF", sorted by tradeNo bytewise. A line is of a payout that has
// ended and was not rejected, by the fingerprint of its result. So it follows from what was read, and not from when. What comes
// late into a closed batch changes its digest, once it has ended.

// Digest makes a digest of lines that come sorted.
type Digest struct{ sum hash.Hash }

// NewDigest makes an empty one.
func NewDigest() Digest { return Digest{sha256.New()} }

// Add adds a payout's line.
func (d Digest) Add(tradeNo string, f payout.Fingerprint) {
	_, _ = d.sum.Write([]byte(tradeNo + " " + string(f) + "\n")) // a hash takes everything
}

// Text is the digest in lower-case hexadecimal.
func (d Digest) Text() string { return hex.EncodeToString(d.sum.Sum(nil)) }

// line is what a payout adds to the digest of a batch. Where it changes, the digest does.
type line struct {
	BatchID string
	Content Seal
}

// line is the payout's, and none while it adds nothing.
func (v View) line() line {
	if v.Content == "" || v.BatchID == "" {
		return line{}
	}
	return line{v.BatchID, v.Content}
}

// Frozen is Changed of a batch whose digest stays, since its payouts are too old to be kept.
const Frozen = -1
