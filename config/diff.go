package config

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"unicode"

	"disburser/payout/secrets"
)

// Difference is one key that two configurations have different values for.
type Difference struct {
	Key      string // as the file has it, such as merchants.eg-main.send.rate
	Old, New string // for people; *** for secrets
}

// Diff lists what differs, by key. A merchant that only one of them has is one
// difference.
func Diff(before, after Config) []Difference {
	var all differences
	all.compare("", reflect.ValueOf(before), reflect.ValueOf(after))
	slices.SortFunc(all, func(a, b Difference) int { return strings.Compare(a.Key, b.Key) })
	return all
}

// With is c with the values that other has for the keys that are chosen. Merchants that
// only one of them has stay as c has them.
func (c Config) With(other Config, chosen func(key string) bool) Config {
	merchants := maps.Clone(c.Merchants)
	for name, m := range merchants {
		if now, still := other.Merchants[name]; still {
			take(join("merchants", name), reflect.ValueOf(&m).Elem(), reflect.ValueOf(now), chosen)
			merchants[name] = m
		}
	}
	take("", reflect.ValueOf(&c).Elem(), reflect.ValueOf(other), chosen)
	c.Merchants = merchants
	return c
}

func take(path string, to, from reflect.Value, chosen func(key string) bool) {
	switch {
	case chosen(path):
		to.Set(from)
	case to.Kind() == reflect.Struct && to.Type() != reflect.TypeFor[secrets.Secret]():
		for i := range to.NumField() {
			take(join(path, snake(to.Type().Field(i).Name)), to.Field(i), from.Field(i), chosen)
		}
	}
}

type differences []Difference

func (all *differences) compare(path string, a, b reflect.Value) {
	switch {
	case a.Type() == reflect.TypeFor[secrets.Secret]():
		x, _ := a.Interface().(secrets.Secret)
		y, _ := b.Interface().(secrets.Secret)
		if x.Reveal() != y.Reveal() { // a Secret hides behind a pointer: two of them are never the same
			all.add(path, x.String(), y.String())
		}
	case a.Kind() == reflect.Struct:
		for i := range a.NumField() {
			all.compare(join(path, snake(a.Type().Field(i).Name)), a.Field(i), b.Field(i))
		}
	case path == "merchants":
		all.merchants(path, a, b)
	case !reflect.DeepEqual(a.Interface(), b.Interface()):
		all.add(path, fmt.Sprint(a.Interface()), fmt.Sprint(b.Interface()))
	}
}

func (all *differences) merchants(path string, a, b reflect.Value) {
	before, _ := a.Interface().(map[string]Merchant)
	after, _ := b.Interface().(map[string]Merchant)
	for name, m := range before {
		if now, still := after[name]; still {
			all.compare(join(path, name), reflect.ValueOf(m), reflect.ValueOf(now))
		} else {
			all.add(join(path, name), "there", "gone")
		}
	}
	for _, name := range slices.Sorted(maps.Keys(after)) {
		if _, known := before[name]; !known {
			all.add(join(path, name), "not there", "new")
		}
	}
}

func (all *differences) add(key, before, after string) {
	*all = append(*all, Difference{key, before, after})
}

// snake makes a file's key of a field's name: MaxOpenFor is max_open_for, CAFile ca_file.
func snake(name string) string {
	var out strings.Builder
	letters := []rune(name)
	for i, r := range letters {
		endsWord := i > 0 && unicode.IsLower(letters[i-1])
		beginsWord := i > 0 && i+1 < len(letters) && unicode.IsLower(letters[i+1])
		if unicode.IsUpper(r) && (endsWord || beginsWord) {
			out.WriteByte('_')
		}
		out.WriteRune(unicode.ToLower(r))
	}
	return out.String()
}
