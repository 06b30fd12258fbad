package config

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
)

// key is one key of the file, as the tags of its field describe it. Each line below names its tag. A value in a tag is
// written as in the file. The type of the field says how the key's value is written: see scalars.
type key struct {
	name         string   // key: the name in the file
	about        string   // about: what it is for, in one line for docs/configuration.md
	preset       string   // default: its value in a file without the key; lists with commas, sections as "key: value, key: value"
	required     bool     // required: the file must give it a value
	above        string   // above: it must be more than this
	min, max     string   // min, max: its bounds, which are allowed values
	oneOf        []string // oneof: the allowed values, with commas
	formats      []string // format: what it must look like; names of formats.go, with commas
	names        string   // names: what the names in a mapping by name must look like; a name of formats.go
	unit         string   // unit: what a number counts
	reload       bool     // reload: a running instance takes a new value at SIGHUP
	secret       bool     // secret: no message shows the value
	unsetAllowed bool     // unset "allowed": a variable that isn't set is a mistake only where check.go says so
	commands     bool     // commands: it says which commands a merchant takes, see LoadForCommands
	backoffice   bool     // backoffice: the back office needs it, see LoadForBackoffice
	acts         bool     // acts: who writes an action needs it, see LoadForActions
	rehearsal    bool     // rehearsal: it says how payouts go, see LoadForRehearsal

	index []int // of the field, see reflect.Value.FieldByIndex
}

var knownKeys sync.Map // of each struct: reflect.Type to []key

// keysOf are the keys of a struct in the order of its fields. Those of an embedded struct are its own.
func keysOf(t reflect.Type) []key {
	if known, ok := knownKeys.Load(t); ok {
		if keys, ok := known.([]key); ok {
			return keys
		}
	}
	var keys []key
	for _, field := range reflect.VisibleFields(t) {
		if !field.Anonymous {
			keys = append(keys, keyOf(field))
		}
	}
	knownKeys.Store(t, keys)
	return keys
}

// keyOf reads the tags of one field.
func keyOf(field reflect.StructField) key {
	tag := field.Tag
	return key{
		name:         tag.Get("key"),
		about:        tag.Get("about"),
		preset:       tag.Get("default"),
		required:     tag.Get("required") == "true",
		above:        tag.Get("above"),
		min:          tag.Get("min"),
		max:          tag.Get("max"),
		oneOf:        listOf(tag, "oneof"),
		formats:      listOf(tag, "format"),
		names:        tag.Get("names"),
		unit:         tag.Get("unit"),
		reload:       tag.Get("reload") == "true",
		secret:       tag.Get("secret") == "true",
		unsetAllowed: tag.Get("unset") == "allowed",
		commands:     tag.Get("commands") == "true",
		backoffice:   tag.Get("backoffice") == "true",
		acts:         tag.Get("acts") == "true",
		rehearsal:    tag.Get("rehearsal") == "true",
		index:        field.Index,
	}
}

// choices are the allowed values for people: "", plain, scram-sha-256.
func (k key) choices() string {
	names := slices.Clone(k.oneOf)
	for i, name := range names {
		if name == "" {
			names[i] = `""`
		}
	}
	return strings.Join(names, ", ")
}

// listOf is a tag with commas.
func listOf(tag reflect.StructTag, name string) []string {
	text, given := tag.Lookup(name)
	if !given {
		return nil
	}
	return strings.Split(text, ",")
}

// find returns the key of a name.
func find(keys []key, name string) (key, bool) {
	i := slices.IndexFunc(keys, func(k key) bool { return k.name == name })
	if i < 0 {
		return key{}, false
	}
	return keys[i], true
}

// setDefaults gives the fields of a struct the defaults of their tags. A tag that can't be read is a mistake of the
// program, and every test of this package would find it.
func setDefaults(to any) { presetStruct(reflect.ValueOf(to).Elem()) }

// presetStruct sets a section: first what its own tags say, then what the tag of the field says that holds it.
func presetStruct(to reflect.Value) {
	for _, k := range keysOf(to.Type()) {
		field := to.FieldByIndex(k.index)
		if isSection(field.Type()) {
			presetStruct(field)
			presetPairs(field, k.preset)
		} else if k.preset != "" {
			preset(field, k.preset)
		}
	}
}

// presetPairs sets the keys of a section by "key: value, key: value".
func presetPairs(to reflect.Value, text string) {
	for pair := range strings.SplitSeq(text, ", ") {
		name, one, found := strings.Cut(pair, ": ")
		if !found {
			return
		}
		k, _ := find(keysOf(to.Type()), name)
		preset(to.FieldByIndex(k.index), one)
	}
}

// preset sets one value.
func preset(to reflect.Value, text string) {
	if to.Type() == reflect.TypeFor[[]string]() {
		to.Set(reflect.ValueOf(strings.Split(text, ",")))
		return
	}
	parsed, err := scalars[to.Type()].parse(text)
	if err != nil {
		panic(fmt.Sprintf("config: the default %q is no %v", text, to.Type()))
	}
	to.Set(reflect.ValueOf(parsed))
}

// isSection tells that a type is written as a mapping of known keys.
func isSection(t reflect.Type) bool {
	_, single := scalars[t]
	return t.Kind() == reflect.Struct && !single
}
