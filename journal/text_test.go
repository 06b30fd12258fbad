package journal

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

// What is written field by field is what encoding/json reads, and the other way round;
// no field is forgotten.
func TestRecordTextsAreJSON(t *testing.T) {
	for _, word := range []string{"plain", `a "quoted" \ one`, "naïve\n\u2028", "<&>", ""} {
		var c content
		var g progress
		for _, v := range []reflect.Value{reflect.ValueOf(&c).Elem(), reflect.ValueOf(&g).Elem()} {
			for i := range v.NumField() {
				if v.Type().Field(i).Name == "rest" {
					continue
				}
				switch f := v.Field(i); f.Kind() {
				case reflect.String:
					f.SetString(word)
				case reflect.Bool:
					f.SetBool(word != "")
				case reflect.Map:
					if word != "" {
						f.Set(reflect.ValueOf(map[string]string{word: word, "walletId": "0112"}))
					}
				case reflect.Uint8:
					f.SetUint(uint64(i))
				default:
					f.SetInt(int64(i + 1))
				}
			}
		}
		var cj, cr content
		var gj, gr progress
		if err := json.Unmarshal([]byte(c.text()), &cj); err != nil || !reflect.DeepEqual(cj, c) {
			t.Errorf("%v: %s", err, c.text())
		}
		if err := json.Unmarshal([]byte(g.text()), &gj); err != nil || !reflect.DeepEqual(gj, sansRest(g)) {
			t.Errorf("%v: %s", err, g.text())
		}
		for _, indent := range []string{"", " "} {
			one, _ := json.MarshalIndent(c, "", indent)
			two, _ := json.MarshalIndent(g, "", indent)
			if indent == "" {
				one, two = []byte(c.text()), []byte(g.text())
			}
			if cr, gr = (content{}), (progress{}); cr.read(string(one)) != nil || gr.read(string(two)) != nil || !reflect.DeepEqual(cr, c) || gr != g {
				t.Errorf("read otherwise: %s %s", one, two)
			}
		}
	}
}

// Reading either fails or agrees with encoding/json, whatever stands there.
func FuzzRecordTexts(f *testing.F) {
	f.Add(`{"o":3,"p":{"walletId":"1"},"a":"300"}`)
	f.Add(`{"fs":1,"ls":300,"uh":true,"s":"0000"}`)
	f.Add(`{"o":1} `)
	f.Add(`{"y":"gone","by":"alice","cb":"bob","ac":"01J9"}`)
	f.Add(`{"k":-}`)
	f.Add(`{"o":01,"new":null}`)
	f.Fuzz(func(t *testing.T, text string) {
		var c, cj content
		var g, gj progress
		if err, errJSON := c.read(text), json.Unmarshal([]byte(text), &cj); errJSON == nil && (err != nil || !reflect.DeepEqual(c, cj)) && !twice(text) {
			t.Errorf("%q: %+v, %v; JSON says %+v", text, c, err, cj)
		}
		if err, errJSON := g.read(text), json.Unmarshal([]byte(text), &gj); errJSON == nil && (err != nil || sansRest(g) != gj) && !twice(text) {
			t.Errorf("%q: %+v, %v; JSON says %+v", text, g, err, gj)
		}
	})
}

// sansRest leaves out what encoding/json doesn't read.
func sansRest(g progress) progress {
	g.rest = ""
	return g
}

// twice tells whether the payee may stand twice: encoding/json then joins the two maps.
func twice(text string) bool { return strings.Count(text, `"p"`) > 1 }
