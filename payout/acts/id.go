package acts

import "time"

// crockford are the digits of an id: no letter that is taken for another one.
const crockford = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

// NewID makes the id of an action: a ULID, which sorts by time. random is 10 bytes that nobody can guess.
func NewID(now time.Time, random [10]byte) string {
	var raw [16]byte
	ms := uint64(now.UnixMilli())
	for i := range 6 {
		raw[i] = byte(ms >> (40 - 8*i))
	}
	copy(raw[6:], random[:])
	var text [26]byte
	for i := range text { // 128 bits in 26 digits of 5 bits, so that the first has three
		var digit byte
		for bit := 5 * i; bit < 5*i+5; bit++ {
			digit <<= 1
			if at := bit - 2; at >= 0 {
				digit |= raw[at/8] >> (7 - at%8) & 1
			}
		}
		text[i] = crockford[digit]
	}
	return string(text[:])
}
