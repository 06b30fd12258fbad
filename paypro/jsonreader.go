package paypro

import (
	"encoding/json"
	"errors"
	"strings"
	"unicode/utf8"
)

// jsonValue is a value of an answer, or none: what is missing is as good as null. An answer has a dozen of them, and a map of
// interfaces would cost several times as much.
type jsonValue struct {
	kind  jsonKind
	text  string      // of a text; of a number and a boolean as they are written
	inner []jsonField // of an object; of an array too, there without names
}

// jsonField is a name of an object, and its value.
type jsonField struct {
	name  string
	value jsonValue
}

type jsonKind byte

const (
	jsonNone jsonKind = iota
	jsonText
	jsonNumber
	jsonBoolean
	jsonObject
	jsonArray
)

// usualFields is how many fields an object of an answer has at most, nearly always. Up to it a name is looked up one by one.
const usualFields = 16

// field is the value of a name, none if the value isn't an object or doesn't have it.
func (v jsonValue) field(name string) jsonValue {
	if v.kind == jsonObject {
		for i := range v.inner {
			if v.inner[i].name == name {
				return v.inner[i].value
			}
		}
	}
	return jsonValue{}
}

// jsonReader reads a text that is known to be valid JSON. Every answer goes through it, and
// json.Decoder.Token would take many times as long.
type jsonReader struct {
	text string
	at   int
}

// next skips white space, commas and colons, and returns the byte that follows.
func (r *jsonReader) next() byte {
	for {
		switch c := r.text[r.at]; c {
		case ' ', '\t', '\n', '\r', ',', ':':
			r.at++
		default:
			return c
		}
	}
}

// value reads the next value. It returns an error if objects and arrays are nested deeper than depth.
func (r *jsonReader) value(depth int) (jsonValue, error) {
	switch c := r.next(); c {
	case '{', '[':
		if depth == 0 {
			return jsonValue{}, errors.New("it is nested too deep")
		}
		if c == '{' {
			return r.object(depth - 1)
		}
		return r.array(depth - 1)
	case '"':
		return jsonValue{kind: jsonText, text: r.string()}, nil
	}
	switch word := r.word(); word {
	case "true", "false":
		return jsonValue{kind: jsonBoolean, text: word}, nil
	case "null":
		return jsonValue{}, nil
	default:
		return jsonValue{kind: jsonNumber, text: word}, nil
	}
}

// string reads a string.
func (r *jsonReader) string() string {
	from, escaped := r.at, false
	for r.at++; r.text[r.at] != '"'; r.at++ {
		if r.text[r.at] == '\\' {
			escaped = true
			r.at++
		}
	}
	r.at++
	inner := r.text[from+1 : r.at-1]
	if escaped || !utf8.ValidString(inner) {
		return unquoted(r.text[from:r.at])
	}
	return inner
}

// unquoted decodes a quoted string with escapes or invalid UTF-8, as encoding/json does.
func unquoted(quoted string) (text string) {
	_ = json.Unmarshal([]byte(quoted), &text) // valid, and a string
	return text
}

// word reads a number, true, false or null.
func (r *jsonReader) word() string {
	from := r.at
	for r.at < len(r.text) && !strings.ContainsRune(" \t\n\r,]}", rune(r.text[r.at])) {
		r.at++
	}
	return r.text[from:r.at]
}

// object reads to the closing brace. It refuses a name that occurs twice: of two statuses
// nobody can know which one is right.
func (r *jsonReader) object(depth int) (jsonValue, error) {
	object := jsonValue{kind: jsonObject, inner: make([]jsonField, 0, usualFields/2)}
	var names map[string]bool // once there are many
	for r.at++; r.next() != '}'; {
		name := r.string()
		if twice := names[name] || names == nil && hasName(object.inner, name); twice {
			return jsonValue{}, errors.New("a name stands twice in it")
		}
		value, err := r.value(depth)
		if err != nil {
			return jsonValue{}, err
		}
		object.inner = append(object.inner, jsonField{name, value})
		if names = moreNames(names, object.inner); names != nil {
			names[name] = true
		}
	}
	r.at++
	return object, nil
}

// hasName tells whether one of the fields has that name.
func hasName(fields []jsonField, name string) bool {
	for i := range fields {
		if fields[i].name == name {
			return true
		}
	}
	return false
}

// moreNames makes the set of the names once an object has more fields than usual. In the largest answer that is read it
// would take minutes to compare each name with all others.
func moreNames(names map[string]bool, fields []jsonField) map[string]bool {
	if names != nil || len(fields) <= usualFields {
		return names
	}
	names = make(map[string]bool, 2*len(fields))
	for _, f := range fields {
		names[f.name] = true
	}
	return names
}

// array reads to the closing bracket.
func (r *jsonReader) array(depth int) (jsonValue, error) {
	array := jsonValue{kind: jsonArray}
	for r.at++; r.next() != ']'; {
		value, err := r.value(depth)
		if err != nil {
			return jsonValue{}, err
		}
		array.inner = append(array.inner, jsonField{value: value})
	}
	r.at++
	return array, nil
}
