package config

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"
)

// reader walks the nodes of one file and remembers where everything stood.
type reader struct {
	file     string
	rules    Rules
	problems Problems
	warnings Problems
	places   map[string]place  // by key path
	told     map[string]bool   // key paths with a problem: one is enough for each
	unset    map[string]string // what is wrong with values that may not be needed, by key path
}

// place is where a key stands in the file.
type place struct {
	line  int
	shown string // its value for people, "" if there is none to show
	wrong bool   // could not be read: nothing below it deserves a look
}

// value is a node on its way to the Config.
type value struct {
	node *yaml.Node
	name string // its own key
	path string // all keys down to it
	line int
}

// into takes a value that is neither absent nor YAML trickery.
type into func(r *reader, v value)

const needsQuotes = "begins with & * or !, which YAML takes for an anchor, an alias or a tag (none is supported): a text needs quotes there"

// read notes where v stands and hands it over. A null keeps the default.
func (r *reader) read(v value, to into) {
	n := v.node
	r.places[v.path] = place{line: v.line, shown: shown(n)}
	switch {
	case n.Kind == yaml.AliasNode, n.Anchor != "", n.Style&yaml.TaggedStyle != 0:
		r.wrong(v, needsQuotes)
	case isNull(n):
	default:
		to(r, v)
	}
}

// wrong tells that v can't be read.
func (r *reader) wrong(v value, text string, args ...any) {
	p := r.places[v.path]
	p.wrong = true
	r.places[v.path] = p
	r.told[v.path] = true
	r.add(v.line, v.path, fmt.Sprintf(text, args...))
}

func (r *reader) add(line int, path, text string) {
	r.problems = append(r.problems, Problem{File: r.file, Line: line, Key: path, Text: text})
}

// section reads a mapping whose keys are known.
func section(known keys) into {
	return func(r *reader, v value) {
		seen := lines{}
		for _, child := range r.children(v) {
			to, ok := known[child.name]
			if !ok {
				r.unknown(v, child, known)
			} else if r.first(child, seen) {
				r.read(child, to)
			}
		}
	}
}

// named reads a mapping whose keys are names that the operator chose.
func named[T any](to *map[string]T, read func(*reader, value) T) into {
	return func(r *reader, v value) {
		*to = map[string]T{}
		seen := lines{}
		for _, child := range r.children(v) {
			if r.first(child, seen) {
				var none T
				(*to)[child.name] = none // whatever comes of it: the name was given
				if isNull(child.node) {
					child.node = &yaml.Node{Kind: yaml.MappingNode}
				}
				r.read(child, func(r *reader, child value) { (*to)[child.name] = read(r, child) })
			}
		}
	}
}

// lines are where the keys of one mapping stood. Paths would not do: a merchant may
// be named a.send.
type lines map[string]int

// first tells that a key stands for the first time, else that it is a mistake.
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
		r.wrong(v, "must be a mapping of keys to values, is %s", kind(v.node))
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

// unknown tells of a key that parent must not have. In {a: b, c: d} a key that
// resembles none may be the rest of an unquoted password with a comma in it, so it
// is not printed.
func (r *reader) unknown(parent, child value, known keys) {
	names := slices.Sorted(maps.Keys(known))
	meant := nearest(child.name, names)
	switch {
	case child.name == "<<":
		r.add(child.line, parent.path, "has a merge key (<<), which is not supported: write the keys out")
	case meant != "":
		r.add(child.line, child.path, "is not a known key: did you mean "+meant+"?")
	case parent.node.Style&yaml.FlowStyle != 0:
		r.add(child.line, parent.path, "has a key in { } that is not known: known are "+strings.Join(names, ", ")+"; a text with a comma needs quotes")
	default:
		r.add(child.line, child.path, "is not a known key: known are "+strings.Join(names, ", "))
	}
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Tag == "!!null" }

// kind is what a node is, in plain words.
func kind(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	default:
		return "a single value"
	}
}

// shown is a value as the file has it: never what a variable holds, which may be
// a secret in the wrong place.
func shown(n *yaml.Node) string {
	const most = 60 // enough to recognise it
	if n.Kind != yaml.ScalarNode || isNull(n) {
		return ""
	}
	text := n.Value
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "…"
	}
	if bare.MatchString(text) {
		return text
	}
	return fmt.Sprintf("%q", text)
}
