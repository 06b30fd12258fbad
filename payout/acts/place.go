package acts

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
)

// Place is where an action stands in the topic: an offset in a generation of it. The zero Place is none. A topic
// that was made anew begins at offset 0 again, so it needs another generation (protocol A1).
type Place struct {
	Generation int64  `json:"generation,omitempty"` // 0 until a person has renewed the topic
	Offset     int64  `json:"offset"`
	ID         string `json:"id"`
}

// Any tells that it is one.
func (p Place) Any() bool { return p.ID != "" }

// After tells whether it is later than another place. Every place is later than none.
func (p Place) After(o Place) bool {
	if !p.Any() || !o.Any() {
		return p.Any()
	}
	return cmp.Or(cmp.Compare(p.Generation, o.Generation), cmp.Compare(p.Offset, o.Offset)) > 0
}

// Denies tells that both can't be right: another action stands at the same offset.
func (p Place) Denies(o Place) bool {
	return p.Any() && o.Any() && !p.After(o) && !o.After(p) && p.ID != o.ID
}

// Text writes it for the journal; ParsePlace reads it.
func (p Place) Text() string {
	if !p.Any() {
		return ""
	}
	return fmt.Sprintf("%d:%d:%s", p.Generation, p.Offset, p.ID)
}

// ParsePlace reads what Text has written. What can't be read is none.
func ParsePlace(text string) Place {
	parts := strings.SplitN(text, ":", 3)
	if len(parts) < 3 {
		return Place{}
	}
	generation, err := strconv.ParseInt(parts[0], 10, 64)
	if err != nil {
		return Place{}
	}
	offset, err := strconv.ParseInt(parts[1], 10, 64)
	if err != nil {
		return Place{}
	}
	return Place{generation, offset, parts[2]}
}

// String says it to a person.
func (p Place) String() string {
	if p.Generation == 0 {
		return fmt.Sprintf("the action %s at offset %d", p.ID, p.Offset)
	}
	return fmt.Sprintf("the action %s at offset %d of the topic's generation %d", p.ID, p.Offset, p.Generation)
}

// offsetBits is the room for an offset in an order, and mostGenerations the largest number of a generation.
// Redis counts exactly up to 53 bits.
const (
	offsetBits      = 40
	mostGenerations = 1 << 12
)

// Order grows with each record, also when the topic is renewed; see View.Order.
func (p Place) Order() int64 { return orderOf(p.Generation, p.Offset) }

// orderOf is a number that grows with each record, also when the topic is renewed. It is what is compared with
// what the journal has noted.
func orderOf(generation, offset int64) int64 { return generation<<offsetBits | offset }
