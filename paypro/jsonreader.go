package paypro

import (
	"encoding/json"
	"errors"
	"strings"
	"unicode/utf8"
)

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

// value reads the next value: a string, json.Number, bool, nil, map[string]any or []any. It
// returns an error if objects and arrays are nested deeper than depth.
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

// array reads to the closing bracket.
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
