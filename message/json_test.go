package message

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"testing"
	"unicode/utf8"
)

// What is read of valid JSON is what the library reads, but for repeated names.
func FuzzParseJSON(f *testing.F) {
	for _, text := range []string{
		`{}`, `7`, `"x"`, `null`, ` { "a" : [ 1 , -2.50e+3 , "x" , true , false , null , { } , [ ] ] , "b" : "" } `, `{"":""}`,
		`{"a":"\\\" \\u00e9 \\ud83d\\ude00 \\ud800 \\/ \\n,:}]"}`, `{"a":"{,}","b":"[:]"}`, "{\"a\":0}\n", `{"a":{"b":{"c":[[[]]]}}}`, `{} {}`, `[1,]`, `{"a":1,}`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		root, err := parseJSON(text)
		if err != nil {
			if utf8.Valid(text) && json.Valid(text) && !errors.Is(err, errTooDeep) {
				t.Fatalf("%q is refused: %v", text, err)
			}
			return
		}
		var want any
		d := json.NewDecoder(bytes.NewReader(text))
		d.UseNumber()
		if err := d.Decode(&want); err != nil || !json.Valid(text) {
			t.Fatalf("%q is no JSON: %v", text, err)
		}
		if !root.repeat && !reflect.DeepEqual(plainOf(root), plainOf(root.like(want))) {
			t.Fatalf("%q: read %v, the library %v", text, plainOf(root), want)
		}
	})
}

// like makes a tree of what the library read.
func (n *node) like(v any) *node {
	switch v := v.(type) {
	case string:
		return &node{kind: 's', text: v}
	case json.Number:
		return &node{kind: 'n', text: v.String()}
	case bool:
		return &node{kind: 'b'}
	case []any:
		a := &node{kind: '['}
		for _, item := range v {
			a.items = append(a.items, n.like(item))
		}
		return a
	case map[string]any:
		o := &node{kind: '{', fields: map[string]*node{}}
		for name, value := range v {
			o.fields[name] = n.like(value)
		}
		return o
	}
	return &node{kind: '0'}
}

// plainOf is a tree that can be compared and printed.
func plainOf(n *node) any {
	switch n.kind {
	case '[':
		all := []any{}
		for _, item := range n.items {
			all = append(all, plainOf(item))
		}
		return all
	case '{':
		all := map[string]any{}
		for name, value := range n.fields {
			all[name] = plainOf(value)
		}
		return all
	}
	return string(n.kind) + n.text
}
