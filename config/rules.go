package config

import (
	"maps"
	"reflect"
	"slices"

	"disburser/payout/secrets"
)

// checkTags checks each key of a struct at path by the tags of its field.
func (r *reader) checkTags(path string, of reflect.Value) {
	keys := keysOf(of.Type())
	for _, k := range keys {
		if r.skips(keys, k) {
			continue
		}
		r.checkKey(join(path, k.name), k, of.FieldByIndex(k.index))
	}
}

func (r *reader) checkKey(path string, k key, of reflect.Value) {
	if k.required {
		r.required(path, !isEmpty(of))
	}
	if allowed := k.bounds(); allowed != "" {
		r.must(k.within(of), path, "must be "+allowed)
	}
	switch x := of.Interface().(type) {
	case string:
		r.checkText(path, k, x)
	case []string:
		for _, name := range k.formats {
			if wrong := formats[name].list(x); wrong != "" {
				r.bad(path, "%s", wrong)
			}
		}
	default:
		if isSection(of.Type()) {
			r.checkTags(path, of)
		} else if of.Kind() == reflect.Map {
			r.checkByName(path, k, of)
		}
	}
}

func (r *reader) checkText(path string, k key, text string) {
	if k.oneOf != nil {
		r.must(slices.Contains(k.oneOf, text), path, "must be one of %s", k.choices())
	}
	for _, name := range k.formats {
		wrong := formats[name].text(text)
		r.must(wrong == "", path, "%s", wrong)
	}
}

// checkByName checks the names of a mapping by name, and what they stand for.
func (r *reader) checkByName(path string, k key, of reflect.Value) {
	values := map[string]reflect.Value{}
	for name, one := range of.Seq2() {
		values[name.String()] = one
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		at := join(path, name)
		if k.names != "" {
			wrong := formats[k.names].text(name)
			r.must(wrong == "", at, "%s", wrong)
		}
		if isSection(values[name].Type()) {
			r.checkTags(at, values[name])
		}
	}
}

func isEmpty(v reflect.Value) bool {
	switch x := v.Interface().(type) {
	case secrets.Secret:
		return x.IsEmpty()
	case []string:
		return len(x) == 0
	default:
		return v.IsZero()
	}
}

// within tells that a number or a duration is within the bounds of its key.
func (k key) within(v reflect.Value) bool {
	bound := func(text string) float64 {
		parsed, err := scalars[v.Type()].parse(text)
		if err != nil {
			panic("config: the tags of " + k.name + " have a bound that is no " + v.Type().String()) // every test would find it
		}
		return size(reflect.ValueOf(parsed))
	}
	return (k.above == "" || size(v) > bound(k.above)) &&
		(k.min == "" || size(v) >= bound(k.min)) &&
		(k.max == "" || size(v) <= bound(k.max))
}

func size(v reflect.Value) float64 {
	if v.CanFloat() {
		return v.Float()
	}
	return float64(v.Int())
}

// bounds are the bounds of a key for people, "" if it has none: "from 1s to 5m".
func (k key) bounds() string {
	switch {
	case k.above != "" && k.max != "":
		return "more than " + k.above + " and at most " + k.max
	case k.above != "":
		return "more than " + k.above
	case k.min != "" && k.max != "":
		return "from " + k.min + " to " + k.max
	case k.min != "":
		return k.min + " or more"
	case k.max != "":
		return "at most " + k.max
	default:
		return ""
	}
}
