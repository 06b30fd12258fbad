package books

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"fmt"

	"disburser/payout"
	"disburser/payout/secrets"
)

// Seal is a fingerprint as the books hold it: encrypted under payee_key. Equal fingerprints have equal seals, so contents can be
// compared. Nobody without the key can try what a payee may be, as it could be done with a plain fingerprint.
type Seal string

// Sealer makes seals and opens them. It is safe for concurrent use.
type Sealer struct{ block cipher.Block }

const (
	sealedFor = "disburser books: fingerprints" // so the key is none that something else uses
	rawLen    = payout.FingerprintLen * 6 / 8   // what stands in a fingerprint; the rest of a block is zeros
)

// NewSealer makes one of the payee_key.
func NewSealer(key secrets.Secret) *Sealer {
	own, err := hkdf.Key(sha256.New, []byte(key.Reveal()), nil, sealedFor, 32)
	if err != nil {
		panic(fmt.Sprintf("books: derive the key of the seals: %v", err)) // 32 bytes can always be derived
	}
	block, err := aes.NewCipher(own)
	if err != nil {
		panic(fmt.Sprintf("books: make the cipher of the seals: %v", err)) // of 32 bytes it can always be made
	}
	return &Sealer{block}
}

// Of seals a fingerprint. What is none, as a stranger may write it, has no seal.
func (s *Sealer) Of(f payout.Fingerprint) Seal {
	var block [aes.BlockSize]byte
	if len(f) != payout.FingerprintLen {
		return ""
	}
	if n, err := base64.RawURLEncoding.Decode(block[:rawLen], []byte(f)); err != nil || n < rawLen { // it skips ends of lines
		return ""
	}
	s.block.Encrypt(block[:], block[:])
	return Seal(base64.RawURLEncoding.EncodeToString(block[:]))
}

// Open answers the fingerprint; false if the seal was made with another key.
func (s *Sealer) Open(seal Seal) (payout.Fingerprint, bool) {
	block, err := base64.RawURLEncoding.DecodeString(string(seal))
	if err != nil || len(block) != aes.BlockSize {
		return "", false
	}
	s.block.Decrypt(block, block)
	for _, b := range block[rawLen:] {
		if b != 0 {
			return "", false
		}
	}
	return payout.Fingerprint(base64.RawURLEncoding.EncodeToString(block[:rawLen])), true
}
