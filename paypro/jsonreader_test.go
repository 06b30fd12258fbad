package paypro

import (
	"bytes"
	"encoding/json"
	"reflect"
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
		if err == nil && (!valid || !reflect.DeepEqual(got, want)) {
			t.Fatalf("%q: read %v, the library %v", text, got, want)
		}
		if err != nil && !json.Valid(text) != (err.Error() == "it is no JSON") {
			t.Fatalf("%q: %v", text, err)
		}
	})
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
