package config

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"

	"disburser/internal/similar"
	"disburser/payout/secrets"
)

// reader walks the nodes of one file and remembers where each key stands.
type reader struct {
	file     string
	rules    Rules
	problems Problems
	warnings Problems
	places   map[string]place  // by key path
	told     map[string]bool   // key paths that have a problem: one is enough for each
	only     func(key) bool    // only these keys are read; nil: all
	unset    map[string]string // what is wrong with values that may not be needed, by key path
}

// place is where a key stands in the file.
type place struct {
	line  int
	shown string // its value for people, "" if there is none to show
	wrong bool   // it could not be read: nothing below it deserves a look
}

// value is a node on its way to the Config.
type value struct {
	node *yaml.Node
	name string // its own key
	path string // all keys down to it
	line int
}

// keyReader is a type that reads its value itself.
type keyReader interface{ readKey(r *reader, v value) }

const needsQuotes = "begins with & * or !, which YAML takes for an anchor, an alias or a tag (none is supported): a text needs quotes there"

// read notes where v stands, and calls to with it. A null keeps the default.
func (r *reader) read(v value, to func(v value)) {
	n := v.node
	r.places[v.path] = place{line: v.line, shown: shown(n)}
	switch {
	case n.Kind == yaml.AliasNode, n.Anchor != "", n.Style&yaml.TaggedStyle != 0:
		r.wrong(v, needsQuotes)
	case isNull(n):
	default:
		to(v)
	}
}

// readInto reads v into the field of a key, by the field's type.
func (r *reader) readInto(v value, k key, to reflect.Value) {
	if own, ok := to.Addr().Interface().(keyReader); ok {
		own.readKey(r, v)
		return
	}
	switch {
	case isSection(to.Type()):
		r.section(v, to)
	case to.Kind() == reflect.Map:
		r.byName(v, k, to)
	case slices.Contains(k.formats, "addresses"):
		to.Set(reflect.ValueOf(r.readAddresses(v)))
	case to.Type() == reflect.TypeFor[[]secrets.Secret]():
		to.Set(reflect.ValueOf(r.readSecrets(v)))
	case to.Kind() == reflect.Slice:
		if list, ok := r.readList(v, key{}); ok {
			to.Set(reflect.ValueOf(list))
		}
	default:
		r.readScalar(v, k, to)
	}
}

// section reads a mapping whose keys are those of a struct.
func (r *reader) section(v value, to reflect.Value) {
	keys, seen := keysOf(to.Type()), lines{}
	for _, child := range r.children(v) {
		k, known := find(keys, child.name)
		if r.skips(keys, k) && (known || v.path == "") { // other programs have sections of their own
			continue
		}
		if !known {
			r.unknown(v, child, keys)
		} else if r.first(child, seen) {
			r.read(child, func(v value) { r.readInto(v, k, to.FieldByIndex(k.index)) })
		}
	}
}

// skips tells that a key is none of those that are read. Below a key that is read, all are.
func (r *reader) skips(keys []key, k key) bool {
	return r.only != nil && !r.only(k) && slices.ContainsFunc(keys, r.only)
}

// byName reads a mapping whose keys are names of the operator's choice.
func (r *reader) byName(v value, k key, to reflect.Value) {
	to.Set(reflect.MakeMap(to.Type()))
	seen := lines{}
	for _, child := range r.children(v) {
		if !r.first(child, seen) {
			continue
		}
		name, one := reflect.ValueOf(child.name), reflect.New(to.Type().Elem()).Elem()
		to.SetMapIndex(name, one) // whatever comes of it: the name was given
		if isNull(child.node) {
			child.node = &yaml.Node{Kind: yaml.MappingNode}
		}
		r.read(child, func(v value) {
			r.readInto(v, key{secret: k.secret}, one)
			to.SetMapIndex(name, one)
		})
	}
}

// lines are where the keys of one mapping stood. Paths would not do: a merchant may be named a.send.
type lines map[string]int

// first tells that a key stands for the first time. Otherwise it tells the mistake.
func (r *reader) first(v value, seen lines) bool {
	earlier, repeated := seen[v.name]
	if repeated {
		r.add(v.line, v.path, fmt.Sprintf("stands twice, first on line %d", earlier))
		return false
	}
	seen[v.name] = v.line
	return true
}

// children are the pairs of a mapping.
func (r *reader) children(v value) []value {
	if v.node.Kind != yaml.MappingNode {
		r.wrong(v, "must be a mapping of keys to values, is %s", kindOf(v.node))
		return nil
	}
	var all []value
	for pair := range slices.Chunk(v.node.Content, 2) {
		key, node := pair[0], pair[1]
		if key.Kind != yaml.ScalarNode || key.Anchor != "" {
			r.add(key.Line, v.path, "has a key that is not plain text")
			continue
		}
		child := value{node: node, name: key.Value, path: join(v.path, key.Value), line: key.Line}
		if node.Kind == yaml.ScalarNode && !isNull(node) {
			child.line = node.Line // it may stand below its key
		}
		all = append(all, child)
	}
	return all
}

// join adds a key to a path, in quotes if it would not print as one word.
func join(path, key string) string {
	if quoted := strconv.Quote(key); quoted != `"`+key+`"` {
		key = quoted
	}
	if path == "" {
		return key
	}
	return path + "." + key
}

// unknown tells of a key that parent must not have. In {a: b, c: d} a key that resembles none may be the rest of an
// unquoted password with a comma in it. So it is not printed there.
func (r *reader) unknown(parent, child value, keys []key) {
	var names []string
	for _, k := range keys {
		names = append(names, k.name)
	}
	slices.Sort(names)
	known, meant := strings.Join(names, ", "), similar.Nearest(child.name, names)
	switch {
	case child.name == "<<":
		r.add(child.line, parent.path, "has a merge key (<<), which is not supported: write the keys out")
	case meant != "":
		r.add(child.line, child.path, "is not a known key: did you mean "+meant+"?")
	case parent.node.Style&yaml.FlowStyle != 0:
		r.add(child.line, parent.path, "has a key in { } that is not known: known are "+known+"; a text with a comma needs quotes")
	default:
		r.add(child.line, child.path, "is not a known key: known are "+known)
	}
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Tag == "!!null" }

// kindOf is what a node is, in plain words.
func kindOf(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	default:
		return "a single value"
	}
}
