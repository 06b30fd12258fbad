package paypro

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
)

// The jsonReader reads valid JSON as encoding/json does, except repeated names.
func FuzzJSONReader(f *testing.F) {
	for _, text := range []string{
		`{}`, `{"a": 1}`, ` { "a" : [ 1 , -2.50e+3 , "x" , true , false , null , { } , [ ] ] , "b" : "" } `, `{"":""}`,
		`{"a":"\\\" \\u00e9 \\ud83d\\ude00 \\ud800 \\/ \\n,:}]"}`, "{\"a\":\"\xff\xfe\"}", `{"a":"{,}","b":"[:]"}`, "{\"a\":0}\n", `{"a":{"b":{"c":[[[]]]}}}`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		got, err := readJSON(text)
		var want map[string]any
		d := json.NewDecoder(bytes.NewReader(text))
		d.UseNumber()
		valid := json.Valid(text) && d.Decode(&want) == nil && want != nil
		if err == nil && (!valid || !reflect.DeepEqual(asLibrary(got), any(want))) {
			t.Fatalf("%q: read %v, the library %v", text, got, want)
		}
		if err != nil && !json.Valid(text) != (err.Error() == "it is no JSON") {
			t.Fatalf("%q: %v", text, err)
		}
	})
}

// asLibrary is a value as encoding/json gives it.
func asLibrary(v jsonValue) any {
	switch v.kind {
	case jsonText:
		return v.text
	case jsonNumber:
		return json.Number(v.text)
	case jsonBoolean:
		return v.text == "true"
	case jsonObject:
		object := map[string]any{}
		for _, f := range v.inner {
			object[f.name] = asLibrary(f.value)
		}
		return object
	case jsonArray:
		array := []any{}
		for _, f := range v.inner {
			array = append(array, asLibrary(f.value))
		}
		return array
	default:
		return nil
	}
}

// An object of any size may have no name twice.
func TestANameThatStandsTwice(t *testing.T) {
	for n := range 3 * usualFields {
		var text strings.Builder
		for i := range n {
			fmt.Fprintf(&text, `"n%d":1,`, i)
		}
		if _, err := readJSON([]byte("{" + text.String() + `"other":1}`)); err != nil {
			t.Errorf("%d names and another one: %v", n, err)
		}
		for i := range n {
			if _, err := readJSON(fmt.Appendf(nil, `{%s"n%d":1}`, text.String(), i)); err == nil {
				t.Errorf("%d names, the one of number %d twice", n, i)
			}
		}
	}
}

func TestWordsAreHiddenInAnyLetterCase(t *testing.T) {
	for _, c := range []struct{ text, value, want string }{
		{"no wallet 0112 of KEVIN Small", "kevin small", "no wallet 0112 of ***"},
		{"JOÃO is unknown", "João", "*** is unknown"},
		{"\u212aevin", "kevin", "***"}, // the sign of Kelvin
		{"kevin", "\u212aevin", "***"},
		{"ſalma", "Salma", "***"},
		{"all is well", "kevin", "all is well"},
		{"a.b", "a.b", "***"},
		{"axb", "a.b", "axb"},
	} {
		if got := maskOfValue(c.value).hideInText(c.text); got != c.want {
			t.Errorf("%q without %q is %q, not %q", c.text, c.value, got, c.want)
		}
	}
}
