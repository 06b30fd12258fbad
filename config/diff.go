package config

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// Difference is one key that two configurations have different values for.
type Difference struct {
	Key      string // as the file has it, such as merchants.eg-main.send.rate
	Old, New string // for people; *** for secrets
	Reload   bool   // a running instance takes the new value, by Reloaded
}

// Diff lists what differs, by key. A merchant that only one of them has is one difference.
func Diff(before, after Config) []Difference {
	var all differences
	all.compareKeys("", reflect.ValueOf(before), reflect.ValueOf(after))
	slices.SortFunc(all, func(a, b Difference) int { return strings.Compare(a.Key, b.Key) })
	return all
}

// Reloaded is c with the values of other for the keys that a running instance can take. Merchants that only one of them
// has stay as c has them.
func (c Config) Reloaded(other Config) Config {
	merchants := maps.Clone(c.Merchants)
	for name, m := range merchants {
		if now, still := other.Merchants[name]; still {
			reload(reflect.ValueOf(&m).Elem(), reflect.ValueOf(now))
			merchants[name] = m
		}
	}
	reload(reflect.ValueOf(&c).Elem(), reflect.ValueOf(other))
	c.Merchants = merchants
	return c
}

// reload copies the values of the keys with the tag reload.
func reload(to, from reflect.Value) {
	for _, k := range keysOf(to.Type()) {
		field, now := to.FieldByIndex(k.index), from.FieldByIndex(k.index)
		if isSection(field.Type()) {
			reload(field, now)
		} else if k.reload {
			field.Set(now)
		}
	}
}

type differences []Difference

func (all *differences) compareKeys(path string, a, b reflect.Value) {
	for _, k := range keysOf(a.Type()) {
		all.compare(join(path, k.name), k, a.FieldByIndex(k.index), b.FieldByIndex(k.index))
	}
}

func (all *differences) compare(path string, k key, a, b reflect.Value) {
	x, y := a.Interface(), b.Interface()
	switch {
	case isSection(a.Type()):
		all.compareKeys(path, a, b)
	case path == "merchants":
		all.merchants(path, a, b)
	case reflect.DeepEqual(x, y): // it looks behind the pointers of secrets
	case k.secret:
		all.add(Difference{path, "***", "***", k.reload})
	default:
		all.add(Difference{path, fmt.Sprint(x), fmt.Sprint(y), k.reload})
	}
}

func (all *differences) merchants(path string, a, b reflect.Value) {
	before, _ := a.Interface().(map[string]Merchant)
	after, _ := b.Interface().(map[string]Merchant)
	for name, m := range before {
		if now, still := after[name]; still {
			all.compareKeys(join(path, name), reflect.ValueOf(m), reflect.ValueOf(now))
		} else {
			all.add(Difference{Key: join(path, name), Old: "there", New: "gone"})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(after)) {
		if _, known := before[name]; !known {
			all.add(Difference{Key: join(path, name), Old: "not there", New: "new"})
		}
	}
}

func (all *differences) add(d Difference) { *all = append(*all, d) }
