package partition

import (
	"fmt"
	"strconv"
	"strings"
)

// Anchor is something that was read of a partition, by which its topic is recognised. A topic
// that was made anew has something else at the offset. The zero Anchor says nothing.
//
// It names a record batch and not the record. The head of a record batch is compared without
// unpacking, and its checksum covers all of its records and their times.
type Anchor struct {
	Topic  string
	Offset int64 // of a record in the record batch; -1 if nothing has been read yet
	Base   int64 // where the record batch begins
	Time   int64 // the largest time in it, in ms
	Sum    uint32
}

func (b recordBatch) anchor(topic string, offset int64) Anchor {
	return Anchor{Topic: topic, Offset: offset, Base: b.base, Time: b.most, Sum: b.sum}
}

// String writes it as the journal keeps it.
func (a Anchor) String() string {
	if a.Topic == "" {
		return ""
	}
	return fmt.Sprintf("%d/%d/%d/%08x/%s", a.Offset, a.Base, a.Time, a.Sum, a.Topic)
}

// ParseAnchor reads what String wrote; false says that it can't be read.
func ParseAnchor(text string) (Anchor, bool) {
	parts := strings.Split(text, "/") // no topic has one in its name
	if text == "" {
		return Anchor{}, true
	}
	if len(parts) != 5 || parts[4] == "" {
		return Anchor{}, false
	}
	var numbers [3]int64
	for i := range numbers {
		n, err := strconv.ParseInt(parts[i], 10, 64)
		if err != nil {
			return Anchor{}, false
		}
		numbers[i] = n
	}
	sum, err := strconv.ParseUint(parts[3], 16, 32)
	return Anchor{Topic: parts[4], Offset: numbers[0], Base: numbers[1], Time: numbers[2], Sum: uint32(sum)}, err == nil
}

// Other is the error of a partition that isn't the one that was read before.
type Other struct {
	Topic     string
	Partition int
	Read      Anchor // what was read
	Found     string // what stands there
}

// Error names both.
func (o *Other) Error() string {
	if o.Read.Topic != o.Topic {
		return fmt.Sprintf("%s/%d: the journal has read the topic %s: this is another one", o.Topic, o.Partition, o.Read.Topic)
	}
	return fmt.Sprintf("%s/%d: at offset %d stands another record than was read there (%s): was the topic made anew, or is it another cluster's?",
		o.Topic, o.Partition, o.Read.Offset, o.Found)
}

// standsIn looks whether the record batch that was read stands in what a fetch brought. found is
// false where it isn't among it; other says what stands in its place.
func (a Anchor) standsIn(raw []byte) (found bool, other string) {
	for {
		b, others, err := head(raw)
		switch {
		case err != nil || b.base > a.Offset && b.base != a.Base:
			return false, ""
		case b.last < a.Offset:
			raw = others
		case b.anchor(a.Topic, a.Offset) != a:
			return true, fmt.Sprintf("a batch that begins at %d with the checksum %08x, not at %d with %08x", b.base, b.sum, a.Base, a.Sum)
		default:
			return true, ""
		}
	}
}
