package message

import (
	"bytes"
	"encoding/json"
	"slices"
)

// commonNames are what a bulk may say once for all.
var commonNames = []string{"merchant", "currency", "batchId", "batchSize", "remark", "notBefore", "expiresAt"}

// longestCommon bounds what is copied from a bulk into each of its elements, in bytes. No valid value
// of these names is longer, however it is escaped. A remark may be as long as longestRemark.
const (
	longestCommon = 2 << 10
	longestRemark = 12*MaxRemark + 2
)

// Bulk is the text of a bulk, cut into its elements.
type Bulk struct {
	common   []member
	elements [][]byte
}

// member is one name of an object, as it was written, and its value.
type member struct {
	name       string
	raw, value []byte
}

func (m member) isNull() bool { return string(m.value) == "null" }

// CutBulk cuts a bulk that Decode has read. What is none has no elements.
func CutBulk(value []byte) Bulk {
	var b Bulk
	if value = bytes.TrimLeft(value, " \t\r\n"); !json.Valid(value) || value[0] != '{' {
		return b
	}
	for _, m := range members(value) {
		switch {
		case m.name == "payouts" && m.value[0] == '[':
			b.elements = items(m.value)
		case slices.Contains(commonNames, m.name) && !m.isNull():
			b.common = append(b.common, m)
		}
	}
	return b
}

// Element answers an element as a command by itself: what the bulk says once for all is
// filled in where the element doesn't say it. Everything else stays as it was written, bad as
// it is; an element that is no object stays whole.
func (b Bulk) Element(index int) ([]byte, bool) {
	if index < 0 || index >= len(b.elements) {
		return nil, false
	}
	element := b.elements[index]
	if element[0] != '{' {
		return element, true
	}
	own := members(element)
	rest := slices.Clone(own)
	filled := []byte{'{'}
	for _, m := range b.common {
		has := withName(own, m.name)
		if len(has) > 1 || len(has) == 1 && !has[0].isNull() {
			continue
		}
		rest = without(rest, m.name) // null is as good as absent, but must not stand beside it
		filled = append(filled, m.raw...)
		filled = append(filled, ':')
		filled = append(filled, m.short()...)
		filled = append(filled, ',')
	}
	if len(withName(own, "payouts")) == 1 { // means nothing there; by itself it would be a bulk
		rest = without(rest, "payouts")
	}
	if len(rest) == len(own) { // as it was written, to the last blank
		filled = append(filled, element[1:]...)
	} else {
		filled = append(append(filled, join(rest)...), '}')
	}
	if len(rest) == 0 {
		filled = append(bytes.TrimRight(filled[:len(filled)-1], ", \t\r\n"), '}')
	}
	return filled, true
}

// short is the value, or false where it is too long to be valid. False isn't valid either, so the
// element is still rejected, and the value isn't copied ten thousand times.
func (m member) short() []byte {
	if limit := map[bool]int{true: longestRemark, false: longestCommon}[m.name == "remark"]; len(m.value) > limit {
		return []byte("false")
	}
	return m.value
}

func withName(all []member, name string) (named []member) {
	for _, m := range all {
		if m.name == name {
			named = append(named, m)
		}
	}
	return named
}

func without(all []member, name string) []member {
	return slices.DeleteFunc(all, func(m member) bool { return m.name == name })
}

func join(all []member) []byte {
	parts := make([][]byte, len(all))
	for i, m := range all {
		parts[i] = slices.Concat(m.raw, []byte(":"), m.value)
	}
	return bytes.Join(parts, []byte(","))
}

// members are those of an object that is known to be valid JSON.
func members(object []byte) (all []member) {
	w := walker{text: object}
	for w.at++; w.next() != '}'; {
		from := w.at
		m := member{name: w.string()}
		m.raw = object[from:w.at]
		m.value = w.value()
		all = append(all, m)
	}
	return all
}

// items are those of an array that is known to be valid JSON.
func items(array []byte) (all [][]byte) {
	w := walker{text: array}
	for w.at++; w.next() != ']'; {
		all = append(all, w.value())
	}
	return all
}

// value skips the next value, and answers its text.
func (w *walker) value() []byte {
	w.next()
	from, depth := w.at, 0
	for {
		switch w.next() {
		case '"':
			w.string()
		case '{', '[':
			w.at++
			depth++
		case '}', ']':
			w.at++
			depth--
		default:
			w.word()
		}
		if depth == 0 {
			return w.text[from:w.at]
		}
	}
}
