package payout

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"
)

// maxDepth bounds nesting. A command needs three levels; without a bound a value
// of a million brackets would grow the stack by hundreds of megabytes.
const maxDepth = 32

var errTooDeep = fmt.Errorf("is nested deeper than %d levels", maxDepth)

// node is one JSON value. json.Unmarshal can't be used for commands: it lets the
// last of two equal names win and matches names without regard to case, so that
// two readers of one message could see two different amounts.
type node struct {
	kind   byte // 's'tring, 'n'umber, 'b'ool, '0' null, '{' object, '[' array
	text   string
	fields map[string]*node
	items  []*node
	twice  string // a name that stands twice in here or below
	repeat bool   // whether there is one (the empty name can stand twice too)
	own    bool   // whether it stands twice in this very object
}

// parseJSON reads exactly one JSON value.
func parseJSON(value []byte) (*node, error) {
	if !utf8.Valid(value) {
		return nil, errors.New("is not UTF-8")
	}
	d := json.NewDecoder(bytes.NewReader(value))
	d.UseNumber()
	root, err := parseNode(d, 0)
	if errors.Is(err, errTooDeep) {
		return nil, err
	}
	if err != nil {
		return nil, errors.New("is not JSON")
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("has something behind the JSON value")
	}
	return root, nil
}

func parseNode(d *json.Decoder, depth int) (*node, error) {
	if depth > maxDepth {
		return nil, errTooDeep
	}
	token, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch t := token.(type) {
	case json.Delim:
		if t == '{' {
			return parseObject(d, depth)
		}
		return parseArray(d, depth)
	case string:
		return &node{kind: 's', text: t}, nil
	case json.Number:
		return &node{kind: 'n', text: t.String()}, nil
	case bool:
		return &node{kind: 'b'}, nil
	default:
		return &node{kind: '0'}, nil
	}
}

func parseObject(d *json.Decoder, depth int) (*node, error) {
	n := &node{kind: '{', fields: map[string]*node{}}
	for d.More() {
		token, err := d.Token()
		if err != nil {
			return nil, err
		}
		name, _ := token.(string) // the decoder allows nothing else here
		child, err := parseNode(d, depth+1)
		if err != nil {
			return nil, err
		}
		if _, known := n.fields[name]; known {
			n.twice, n.repeat, n.own = name, true, true
		}
		n.inherit(child)
		n.fields[name] = child
	}
	_, err := d.Token()
	return n, err
}

func parseArray(d *json.Decoder, depth int) (*node, error) {
	n := &node{kind: '['}
	for d.More() {
		child, err := parseNode(d, depth+1)
		if err != nil {
			return nil, err
		}
		n.inherit(child)
		n.items = append(n.items, child)
	}
	_, err := d.Token()
	return n, err
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
