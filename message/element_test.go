package message

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
)

func TestAnElementIsACommandByItself(t *testing.T) {
	const common = `"merchant": "m", "currency":"EGP", "batchId":"b","batchSize": 3 ,"remark":"r","notBefore":"2026-11-25T06:00:00Z","expiresAt":"2026-11-26T06:00:00Z"`
	const filled = `"merchant":"m","currency":"EGP","batchId":"b","batchSize":3,"remark":"r","notBefore":"2026-11-25T06:00:00Z","expiresAt":"2026-11-26T06:00:00Z"`
	for name, c := range map[string]struct{ common, element, want string }{
		"all is filled in":             {common, `{"tradeNo": "" , "b":1}`, `{` + filled + `,"tradeNo": "" , "b":1}`},
		"an empty one":                 {common, `{ }`, `{` + filled + `}`},
		"nothing in common":            {`"x":1`, `{"tradeNo":  ""}`, `{"tradeNo":  ""}`},
		"empty, and nothing in common": {`"x":1`, `{}`, `{}`},
		"its own goes first":           {`"merchant":"m","remark":"r"`, `{"merchant":"own"}`, `{"remark":"r","merchant":"own"}`},
		"its own, spelled otherwise":   {`"merchant":"m"`, `{"m\u0065rchant":"own"}`, `{"m\u0065rchant":"own"}`},
		"null is as good as absent":    {`"merchant":"m"`, `{"tradeNo":"a", "merchant": null }`, `{"merchant":"m","tradeNo":"a"}`},
		"null alone":                   {`"merchant":"m"`, `{"merchant":null}`, `{"merchant":"m"}`},
		"null in common":               {`"merchant":null`, `{"tradeNo":""}`, `{"tradeNo":""}`},
		"a name twice":                 {`"merchant":"m","remark":"r"`, `{"merchant":"a","merchant":null}`, `{"remark":"r","merchant":"a","merchant":null}`},
		"another case is another name": {`"merchant":"m","Remark":"r"`, `{"Merchant":"a"}`, `{"merchant":"m","Merchant":"a"}`},
		"bad in common stays bad":      {`"expiresAt":5`, `{"a":1}`, `{"expiresAt":5,"a":1}`},
		"too long in common":           {`"expiresAt":"` + strings.Repeat("1", 3000) + `"`, `{"a":1}`, `{"expiresAt":false,"a":1}`},
		"a long remark":                {`"remark":"` + strings.Repeat(`\ud83d\ude00`, 1000) + `"`, `{"a":1}`, `{"remark":"` + strings.Repeat(`\ud83d\ude00`, 1000) + `","a":1}`},
		"payouts in it":                {`"merchant":"m"`, `{"a":1,"payouts":[{"tradeNo":"x"}]}`, `{"merchant":"m","a":1}`},
		"nested":                       {`"merchant":"m"`, `{"a":[{"b":"]}"},[[]],"\"}"] , "c" : {"d":{}} }`, `{"merchant":"m","a":[{"b":"]}"},[[]],"\"}"] , "c" : {"d":{}} }`},
		"no object":                    {common, `"01123456789"`, `"01123456789"`},
		"a number":                     {common, `12`, `12`},
	} {
		t.Run(name, func(t *testing.T) {
			for _, bulk := range []string{
				fmt.Sprintf(` {%s, "payouts": [ %s , {"tradeNo":"other"}] } `, c.common, c.element),
				fmt.Sprintf(`{"payouts":[%s,{"tradeNo":"other"}],%s}`, c.element, c.common),
			} {
				got, found := CutBulk([]byte(bulk)).Element(0)
				if !found || string(got) != c.want {
					t.Errorf("%s\n got %s\nwant %s", bulk, got, c.want)
				}
				if !json.Valid(got) {
					t.Errorf("no JSON: %s", got)
				}
			}
		})
	}
	for _, index := range []int{-1, 1} {
		if got, found := CutBulk([]byte(`{"payouts":[{}]}`)).Element(index); found {
			t.Errorf("element %d is %s", index, got)
		}
	}
}

// An element by itself means what it meant in its bulk.
func FuzzElement(f *testing.F) {
	f.Add([]byte(`{"merchant":"m","remark":null,"payouts":[{"tradeNo":"a","amount":"1","payee":{}},1,{"merchant":null,"tradeNo":"b"}]}`))
	f.Add([]byte(`{"expiresAt":"2026-11-26T06:00:00Z","payouts":[{"tradeNo":"a","payouts":[{"tradeNo":"x"}]},{},{"a":1,"a":2}]}`))
	f.Add([]byte(`{"remark":"\u0000","batchSize":1,"payouts":[{"tradeNo":"a","b\u0061tchSize":2,"x":[{"}":"]"}]}]}`))
	f.Fuzz(func(t *testing.T, value []byte) {
		orders, err := Decode(value)
		if err != nil || orders[0].Index < 0 {
			return
		}
		bulk := CutBulk(value)
		for _, o := range orders {
			element, found := bulk.Element(o.Index)
			if !found || !json.Valid(element) {
				t.Fatalf("element %d of %q is %q", o.Index, value, element)
			}
			alone, err := Decode(element)
			if o.Unreadable != nil {
				if err == nil {
					t.Fatalf("element %d of %q can't be read, but %q can", o.Index, value, element)
				}
				continue
			}
			if err != nil || len(alone) != 1 {
				t.Fatalf("element %d of %q is %q: %v", o.Index, value, element, err)
			}
			if (alone[0].Invalid == "") != (o.Invalid == "") || !reflect.DeepEqual(alone[0].Command, o.Command) {
				t.Fatalf("element %d of %q\n is %+v (%s)\nbut %+v (%s)", o.Index, value, o.Command, o.Invalid, alone[0].Command, alone[0].Invalid)
			}
		}
	})
}
