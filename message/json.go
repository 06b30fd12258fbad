package message

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// maxDepth bounds nesting. A command needs three levels; without a bound a value
// of a million brackets would grow the stack by hundreds of megabytes.
const maxDepth = 32

var errTooDeep = fmt.Errorf("is nested deeper than %d levels", maxDepth)

// node is one JSON value. json.Unmarshal can't be used for commands. It takes the last of two equal
// names, and doesn't look at their case. Two readers of one message could see two different amounts.
type node struct {
	kind   byte // 's'tring, 'n'umber, 'b'ool, '0' null, '{' object, '[' array
	text   string
	fields map[string]*node
	items  []*node
	twice  string // a name that stands twice in here or below
	repeat bool   // whether there is one (the empty name can stand twice too)
	own    bool   // whether it stands twice in this very object
}

// parseJSON reads exactly one JSON value. The library says whether it is one; walking
// through what is known to be valid is then many times cheaper than Decoder.Token.
func parseJSON(value []byte) (*node, error) {
	if !utf8.Valid(value) {
		return nil, errors.New("is not UTF-8")
	}
	if !json.Valid(value) {
		var first json.RawMessage
		if json.NewDecoder(bytes.NewReader(value)).Decode(&first) == nil {
			return nil, errors.New("has something behind the JSON value")
		}
		return nil, errors.New("is not JSON")
	}
	w := walker{text: value}
	return w.node(0)
}

// walker goes through a text that is valid JSON.
type walker struct {
	text []byte
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

func (w *walker) node(depth int) (*node, error) {
	if depth > maxDepth {
		return nil, errTooDeep
	}
	switch w.next() {
	case '{':
		return w.object(depth)
	case '[':
		return w.array(depth)
	case '"':
		return &node{kind: 's', text: w.string()}, nil
	case 't', 'f':
		w.word()
		return &node{kind: 'b'}, nil
	case 'n':
		w.word()
		return &node{kind: '0'}, nil
	}
	return &node{kind: 'n', text: w.word()}, nil
}

// string reads a string; one with a backslash is the library's to read.
func (w *walker) string() (text string) {
	from, escaped := w.at, false
	for w.at++; w.text[w.at] != '"'; w.at++ {
		if w.text[w.at] == '\\' {
			escaped = true
			w.at++
		}
	}
	w.at++
	if escaped {
		_ = json.Unmarshal(w.text[from:w.at], &text) // valid, and a string
		return text
	}
	return string(w.text[from+1 : w.at-1])
}

// word reads a number, true, false or null.
func (w *walker) word() string {
	from := w.at
	for w.at < len(w.text) && !strings.ContainsRune(" \t\n\r,]}", rune(w.text[w.at])) {
		w.at++
	}
	return string(w.text[from:w.at])
}

func (w *walker) object(depth int) (*node, error) {
	n := &node{kind: '{', fields: map[string]*node{}}
	for w.at++; w.next() != '}'; {
		name := w.string()
		child, err := w.node(depth + 1)
		if err != nil {
			return nil, err
		}
		if _, known := n.fields[name]; known {
			n.twice, n.repeat, n.own = name, true, true
		}
		n.inherit(child)
		n.fields[name] = child
	}
	w.at++
	return n, nil
}

func (w *walker) array(depth int) (*node, error) {
	n := &node{kind: '['}
	for w.at++; w.next() != ']'; {
		child, err := w.node(depth + 1)
		if err != nil {
			return nil, err
		}
		n.inherit(child)
		n.items = append(n.items, child)
	}
	w.at++
	return n, nil
}

// inherit lets a container know of a repeated name in one of its children.
func (n *node) inherit(child *node) {
	if child.repeat && !n.repeat {
		n.twice, n.repeat = child.twice, true
	}
}

// field returns a field of an object; null counts as absent.
func (n *node) field(name string) *node {
	if n == nil {
		return nil
	}
	if f := n.fields[name]; f != nil && f.kind != '0' {
		return f
	}
	return nil
}
