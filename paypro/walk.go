package paypro

import (
	"encoding/json"
	"errors"
	"strings"
	"unicode/utf8"
)

// walker goes through a text that is known to be valid JSON: many times cheaper than
// Decoder.Token, which every answer would pay for.
type walker struct {
	text string
	at   int
}

// next skips space and commas and colons, and answers what stands there.
func (w *walker) next() byte {
	for {
		switch c := w.text[w.at]; c {
		case ' ', '\t', '\n', '\r', ',', ':':
			w.at++
		default:
			return c
		}
	}
}

// value reads the next value, nested no deeper than depth: a string, json.Number, bool,
// nil, map[string]any or []any.
func (w *walker) value(depth int) (any, error) {
	switch c := w.next(); c {
	case '{', '[':
		if depth == 0 {
			return nil, errors.New("it is nested too deep")
		}
		if c == '{' {
			return w.object(depth - 1)
		}
		return w.array(depth - 1)
	case '"':
		return w.string(), nil
	}
	switch word := w.word(); word {
	case "true", "false":
		return word == "true", nil
	case "null":
		return nil, nil
	default:
		return json.Number(word), nil
	}
}

// string reads a string.
func (w *walker) string() string {
	from, escaped := w.at, false
	for w.at++; w.text[w.at] != '"'; w.at++ {
		if w.text[w.at] == '\\' {
			escaped = true
			w.at++
		}
	}
	w.at++
	inner := w.text[from+1 : w.at-1]
	if escaped || !utf8.ValidString(inner) {
		return unquoted(w.text[from:w.at])
	}
	return inner
}

// unquoted leaves to the library a string with a backslash, or that isn't UTF-8.
func unquoted(quoted string) (text string) {
	_ = json.Unmarshal([]byte(quoted), &text) // valid, and a string
	return text
}

// word reads a number, true, false or null.
func (w *walker) word() string {
	from := w.at
	for w.at < len(w.text) && !strings.ContainsRune(" \t\n\r,]}", rune(w.text[w.at])) {
		w.at++
	}
	return w.text[from:w.at]
}

// object reads up to the closing brace and refuses a name that stands twice.
func (w *walker) object(depth int) (map[string]any, error) {
	object := map[string]any{}
	for w.at++; w.next() != '}'; {
		name := w.string()
		if _, twice := object[name]; twice {
			return nil, errors.New("a name stands twice in it")
		}
		value, err := w.value(depth)
		if err != nil {
			return nil, err
		}
		object[name] = value
	}
	w.at++
	return object, nil
}

// array reads up to the closing bracket.
func (w *walker) array(depth int) ([]any, error) {
	array := []any{}
	for w.at++; w.next() != ']'; {
		value, err := w.value(depth)
		if err != nil {
			return nil, err
		}
		array = append(array, value)
	}
	w.at++
	return array, nil
}
