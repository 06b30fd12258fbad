package paypro

import (
	"encoding/json"
	"errors"
	"strings"
	"unicode/utf8"
)

// walker goes through a text that is known to be valid JSON: many times cheaper than
// Decoder.Token, which every answer would pay for.
type jsonReader struct {
	text string
	at   int
}

// next skips space and commas and colons, and answers what stands there.
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

// value reads the next value, nested no deeper than depth: a string, json.Number, bool,
// nil, map[string]any or []any.
func (r *jsonReader) value(depth int) (any, error) {
	switch c := r.next(); c {
	case '{', '[':
		if depth == 0 {
			return nil, errors.New("it is nested too deep")
		}
		if c == '{' {
			return r.object(depth - 1)
		}
		return r.array(depth - 1)
	case '"':
		return r.string(), nil
	}
	switch word := r.word(); word {
	case "true", "false":
		return word == "true", nil
	case "null":
		return nil, nil
	default:
		return json.Number(word), nil
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

// unquoted leaves to the library a string with a backslash, or that isn't UTF-8.
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

// object reads up to the closing brace and refuses a name that stands twice.
func (r *jsonReader) object(depth int) (map[string]any, error) {
	object := map[string]any{}
	for r.at++; r.next() != '}'; {
		name := r.string()
		if _, twice := object[name]; twice {
			return nil, errors.New("a name stands twice in it")
		}
		value, err := r.value(depth)
		if err != nil {
			return nil, err
		}
		object[name] = value
	}
	r.at++
	return object, nil
}

// array reads up to the closing bracket.
func (r *jsonReader) array(depth int) ([]any, error) {
	array := []any{}
	for r.at++; r.next() != ']'; {
		value, err := r.value(depth)
		if err != nil {
			return nil, err
		}
		array = append(array, value)
	}
	r.at++
	return array, nil
}
