package message

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"disburser/payout"
	"disburser/payout/money"
)

// single is one valid payout with one field changed: name and its raw JSON; raw "" leaves the field out.
func single(name, raw string) string {
	fields := []string{"tradeNo", "merchant", "amount", "currency", "payee"}
	values := map[string]string{
		"tradeNo": `"T1"`, "merchant": `"eg-main"`, "amount": `"300"`, "currency": `"EGP"`,
		"payee": `{"customerName":"` + personName + `","walletId":"` + personWallet + `"}`,
	}
	if _, known := values[name]; !known && name != "" {
		fields = append(fields, name)
	}
	if name != "" {
		values[name] = raw
	}
	var parts []string
	for _, f := range fields {
		if values[f] != "" {
			parts = append(parts, fmt.Sprintf("%q:%s", f, values[f]))
		}
	}
	return "{" + strings.Join(parts, ",") + "}"
}

func bulk(common string, payouts ...string) string {
	if common != "" {
		common += ","
	}
	return "{" + common + `"payouts":[` + strings.Join(payouts, ",") + "]}"
}

func decodeOne(t testing.TB, value string) Order {
	t.Helper()
	orders, err := Decode([]byte(value))
	if err != nil || len(orders) != 1 {
		t.Fatalf("%d orders, %v", len(orders), err)
	}
	return orders[0]
}

func wantUnreadable(t *testing.T, value string, code Code) {
	t.Helper()
	orders, err := Decode([]byte(value))
	u, ok := errors.AsType[*Unreadable](err)
	if !ok || u.Code != code || u.Reason == "" || u.Error() != u.Reason || orders != nil {
		t.Fatalf("%d orders, %#v; want a dead letter %s", len(orders), err, code)
	}
	hides(t, "the reason", u.Reason)
	if strings.ContainsAny(u.Reason, "\r\n") {
		t.Errorf("more than one line: %q", u.Reason)
	}
}

func TestDecodeOnePayout(t *testing.T) {
	o := decodeOne(t, `{
	  "tradeNo":  "20261121103000000001", "merchant": "eg-main", "amount": "300", "currency": "EGP",
	  "payee":    {"customerName": "`+personName+`", "walletId": "`+personWallet+`"},
	  "remark":   "salary 2026-11", "batchId":  "2026-11-payroll", "batchSize": 15000,
	  "notBefore": "2026-11-25T06:00:00Z", "expiresAt": "2026-11-26T08:00:00+02:00",
	  "unknown": {"nested": [1, {"x": null}]}, "Amount": 5, "AMOUNT": "-1"
	}`)
	want := command(t)
	got := o.Command
	if o.Index != -1 || o.Invalid != "" || o.Unreadable != nil {
		t.Fatalf("index %d, invalid %q, %v", o.Index, o.Invalid, o.Unreadable)
	}
	if got.Fingerprint() != want.Fingerprint() || got.TradeNo != want.TradeNo || got.Amount.String() != "300" ||
		got.Remark != want.Remark || got.BatchID != want.BatchID || got.BatchSize != want.BatchSize {
		t.Errorf("%+v", got)
	}
	if !got.NotBefore.Equal(time.Date(2026, 11, 25, 6, 0, 0, 0, time.UTC)) || !got.ExpiresAt.Equal(time.Date(2026, 11, 26, 6, 0, 0, 0, time.UTC)) ||
		got.ExpiresAt.Location() != time.UTC {
		t.Errorf("not before %v, expires at %v", got.NotBefore, got.ExpiresAt)
	}
	if got.Payee.Field("walletId") != personWallet || len(got.Payee.Reveal()) != 2 {
		t.Errorf("%d payee fields", len(got.Payee.Reveal()))
	}
}

func TestWhatIsNoPayoutAtAll(t *testing.T) {
	valid := single("", "")
	for name, value := range map[string]string{
		"empty":                         "",
		"white space":                   " \n\t",
		"not JSON":                      "hello " + personName,
		"cut":                           valid[:len(valid)-1],
		"a comma too many":              `{"tradeNo":"T1",}`,
		"a comma too few":               `{"tradeNo":"T1" "amount":"1"}`,
		"a colon too few":               `{"tradeNo" "T1"}`,
		"the wrong bracket":             `{"tradeNo":"T1"]`,
		"single quotes":                 `{'tradeNo':'T1'}`,
		"a comment":                     `{"tradeNo":"T1" /* x */}`,
		"a name without quotes":         `{tradeNo:"T1"}`,
		"a number for a name":           `{1:"T1"}`,
		"byte order mark":               "\ufeff" + valid,
		"trailing garbage":              valid + "x",
		"trailing brace":                valid + "}",
		"two payouts side by side":      valid + valid,
		"two payouts, line by line":     valid + "\n" + valid,
		"invalid UTF-8":                 single("remark", "\"\xff\xfe\""),
		"invalid UTF-8 in a name":       single("rem\xffark", `"x"`),
		"a raw line break in a text":    single("remark", "\"a\nb\""),
		"a bad escape":                  single("remark", `"\x41"`),
		"array":                         "[" + valid + "]",
		"null":                          "null",
		"text":                          `"T1"`,
		"number":                        "300",
		"true":                          "true",
		"neither":                       "{}",
		"neither, but an amount":        single("tradeNo", ""),
		"only a batch":                  `{"batchId":"b"}`,
		"both":                          `{"tradeNo":"T1","payouts":[` + valid + `]}`,
		"payouts is null":               `{"payouts":null}`,
		"payouts is an object":          `{"payouts":` + valid + `}`,
		"payouts is a text":             `{"payouts":"x"}`,
		"payouts is empty":              `{"batchId":"b","payouts":[]}`,
		"a name twice":                  `{"tradeNo":"T1","amount":"300","amount":"900","payee":{"walletId":"` + personWallet + `"}}`,
		"a name twice, same value":      `{"tradeNo":"T1","amount":"300","amount":"300"}`,
		"a name twice, once null":       `{"tradeNo":"T1","amount":"300","amount":null}`,
		"a name twice, once escaped":    `{"tradeNo":"T1","amount":"300","\u0061mount":"900"}`,
		"tradeNo twice":                 `{"tradeNo":"T1","tradeNo":"T2"}`,
		"the empty name twice":          `{"tradeNo":"T1","":1,"":2}`,
		"an unknown name twice":         single("", "")[:len(valid)-1] + `,"x":1,"x":2}`,
		"twice in payee":                single("payee", `{"walletId":"`+personWallet+`","walletId":"2"}`),
		"twice deep down":               single("x", `[{"y":[{"z":1,"z":2}]}]`),
		"payouts twice":                 `{"payouts":[` + valid + `],"payouts":[` + valid + `]}`,
		"a common name twice":           bulk(`"merchant":"a","merchant":"b"`, valid),
		"twice within an unknown one":   bulk(`"x":{"a":1,"a":2}`, valid),
		"tradeNo empty":                 single("tradeNo", `""`),
		"tradeNo null":                  single("tradeNo", `null`),
		"tradeNo a number":              single("tradeNo", `20261121103000000001`),
		"tradeNo an object":             single("tradeNo", `{}`),
		"tradeNo of 65":                 single("tradeNo", `"`+strings.Repeat("a", 65)+`"`),
		"tradeNo with a space":          single("tradeNo", `"T 1"`),
		"tradeNo with a line break":     single("tradeNo", `"T1\n"`),
		"tradeNo with a dot":            single("tradeNo", `"T.1"`),
		"tradeNo with a brace":          single("tradeNo", `"{0}"`),
		"tradeNo with NUL":              single("tradeNo", `"T1\u0000"`),
		"tradeNo in Arabic digits":      single("tradeNo", `"١٢٣"`),
		"tradeNo with an accent":        single("tradeNo", `"é"`),
		"TradeNo":                       strings.Replace(valid, "tradeNo", "TradeNo", 1),
		"amount is 00300":               single("amount", "00300"), // as numbers these are no JSON
		"amount is 300.":                single("amount", "300."),
		"amount is .5":                  single("amount", ".5"),
		"amount is +5":                  single("amount", "+5"),
		"amount is NaN":                 single("amount", "NaN"),
		"a million brackets":            strings.Repeat("[", MaxValueBytes),
		"a million objects":             strings.Repeat(`{"a":`, MaxValueBytes/5),
		"a million brackets in a field": strings.Replace(single("x", "0"), `"x":0`, `"x":`+strings.Repeat("[", MaxValueBytes-300), 1),
	} {
		t.Run(name, func(t *testing.T) { wantUnreadable(t, value, Malformed) })
	}
}

func TestTradeNo(t *testing.T) {
	for _, ok := range []string{"a", "Z", "0", "_", "-", "-_-", strings.Repeat("x", 64), "ABCxyz019_-"} {
		if o := decodeOne(t, single("tradeNo", `"`+ok+`"`)); o.Command.TradeNo != ok || !ValidTradeNo(ok) {
			t.Errorf("%q became %q", ok, o.Command.TradeNo)
		}
	}
	for c := range 256 {
		want := strings.ContainsRune("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-", rune(c))
		if got := ValidTradeNo("a" + string([]byte{byte(c)})); got != want {
			t.Errorf("byte %#x: %v", c, got)
		}
	}
}

func TestAmountsByTheirLiteralText(t *testing.T) {
	for raw, want := range map[string]string{
		`300`: "300", `"300"`: "300", `300.00`: "300.00", `"300.00"`: "300.00", `"00300"`: "300", `0.1`: "0.1", `"3\u00300"`: "300",
		`100000000000000000000001`: "100000000000000000000001", // not a float's 100000000000000000000000
		`0.30000000000000000001`:   "0.30000000000000000001",
	} {
		if o := decodeOne(t, single("amount", raw)); o.Invalid != "" || o.Command.Amount.String() != want {
			t.Errorf("%s became %q, invalid %q", raw, o.Command.Amount, o.Invalid)
		}
	}
	for _, raw := range []string{
		`1e3`, `1E3`, `1e-1`, `-5`, `0`, `0.00`, `-0`, `"1e3"`, `"-5"`, `"+5"`, `"0"`, `"300."`, `".5"`, `""`, `" 300"`, `"300 "`, `"1,000"`, `"0x1F"`,
		`true`, `null`, `[]`, `["300"]`, `{}`, `{"value":"300"}`, ``, `1` + strings.Repeat("0", 24), `"` + strings.Repeat("9", 100_000) + `"`, `"` + personWallet + `x"`,
	} {
		o := decodeOne(t, single("amount", raw))
		if !strings.HasPrefix(o.Invalid, "amount ") || !o.Command.Amount.IsZero() || o.Unreadable != nil {
			t.Errorf("%.40s became %q, invalid %q", raw, o.Command.Amount, o.Invalid)
		}
		if hides(t, "the reason", o.Invalid); len(o.Invalid) > 200 {
			t.Errorf("%.40s: a reason of %d characters", raw, len(o.Invalid))
		}
	}
}

func TestWhatIsWrongWithAPayoutRejectsIt(t *testing.T) {
	for _, test := range []struct{ name, raw, reason string }{
		{"payee", ``, "payee is missing"},
		{"payee", `null`, "payee is missing"},
		{"payee", `"` + personName + `"`, "payee must be an object"},
		{"payee", `["` + personName + `"]`, "payee must be an object"},
		{"payee", `{"walletId":1123456789,"customerName":"` + personName + `"}`, "payee.walletId must be text"},
		{"payee", `{"walletId":{"number":"` + personWallet + `"}}`, "payee.walletId must be text"},
		{"payee", `{"` + personName + `":true}`, "payee.(unprintable) must be text"},
		{"payee", manyFields(41), "payee has more than 40 fields"},
		{"merchant", `5`, "merchant must be text"},
		{"merchant", `"` + strings.Repeat("m", 65) + `"`, "merchant is longer than 64 characters"},
		{"merchant", `"a\r\nb"`, "merchant has a control character"},
		{"currency", `["EGP"]`, "currency must be text"},
		{"remark", `true`, "remark must be text"},
		{"remark", `"` + strings.Repeat("é", 1001) + `"`, "remark is longer than 1000 characters"},
		{"remark", `"a\u0000b"`, "remark has a control character"},
		{"remark", `"a\u007fb"`, "remark has a control character"},
		{"batchId", `7`, "batchId must be text"},
		{"batchId", `"` + strings.Repeat("b", 201) + `"`, "batchId is longer than 200 characters"},
		{"batchSize", `"15000"`, "batchSize must be a whole number from 1 to 1000000000"},
		{"batchSize", `0`, "batchSize must be a whole number from 1 to 1000000000"},
		{"batchSize", `-1`, "batchSize must be a whole number from 1 to 1000000000"},
		{"batchSize", `1.0`, "batchSize must be a whole number from 1 to 1000000000"},
		{"batchSize", `1e3`, "batchSize must be a whole number from 1 to 1000000000"},
		{"batchSize", `1000000001`, "batchSize must be a whole number from 1 to 1000000000"},
		{"batchSize", `99999999999999999999`, "batchSize must be a whole number from 1 to 1000000000"},
		{"notBefore", `1764050400`, "notBefore must be a time such as 2026-11-25T06:00:00Z"},
		{"notBefore", `"2026-11-25"`, "notBefore must be a time such as 2026-11-25T06:00:00Z"},
		{"expiresAt", `"2026-11-25 06:00:00"`, "expiresAt must be a time such as 2026-11-25T06:00:00Z"},
		{"expiresAt", `"2026-11-25T06:00:00"`, "expiresAt must be a time such as 2026-11-25T06:00:00Z"},
		{"expiresAt", `"2026-02-30T06:00:00Z"`, "expiresAt must be a time such as 2026-11-25T06:00:00Z"},
		{"expiresAt", `"2026-11-25T24:00:00Z"`, "expiresAt must be a time such as 2026-11-25T06:00:00Z"},
		{"payee", `{"nobodyKnowsIt":"` + strings.Repeat("é", 257) + `"}`, "payee.nobodyKnowsIt must not be longer than 256 characters"},
		{"payee", `{"a` + strings.Repeat("b", 64) + `":"x"}`, "payee has a field whose name is longer than 64 characters"},
		{"expiresAt", `"2026-12-31T23:59:60Z"`, "expiresAt is a leap second, which can't be kept: take the second before or after it"},
		{"expiresAt", `"0001-01-01T00:00:00Z"`, "expiresAt must lie between the years 2000 and 2199"},
		{"expiresAt", `""`, "expiresAt must be a time such as 2026-11-25T06:00:00Z"},
	} {
		t.Run(test.name+"="+test.raw[:min(len(test.raw), 30)], func(t *testing.T) {
			o := decodeOne(t, single(test.name, test.raw))
			if o.Unreadable != nil || o.Command.TradeNo != "T1" || o.Invalid != test.reason {
				t.Errorf("invalid %q, want %q", o.Invalid, test.reason)
			}
			hides(t, "the reason", o.Invalid)
		})
	}
}

// What was taken before payee fields had a limit is known by its whole content: a repeat of
// it must not become a conflict.
func TestATooLongFieldStaysInTheFingerprint(t *testing.T) {
	one := decodeOne(t, single("payee", `{"x":"`+strings.Repeat("a", 300)+`"}`))
	two := decodeOne(t, single("payee", `{"x":"`+strings.Repeat("a", 299)+`b"}`))
	if one.Invalid == "" || one.Command.Fingerprint() == two.Command.Fingerprint() {
		t.Errorf("invalid %q, fingerprints %s and %s", one.Invalid, one.Command.Fingerprint(), two.Command.Fingerprint())
	}
}

func manyFields(n int) string {
	fields := map[string]string{}
	for i := range n {
		fields[fmt.Sprintf("f%d", i)] = "x"
	}
	raw, _ := json.Marshal(fields)
	return string(raw)
}

func TestEveryProblemIsNamed(t *testing.T) {
	o := decodeOne(t, `{"tradeNo":"T1","amount":"-1","payee":5,"remark":7}`)
	if o.Invalid != "amount must be plain digits with an optional fraction, such as 300 or 300.50; payee must be an object; remark must be text" {
		t.Errorf("%q", o.Invalid)
	}
}

func TestWhatIsFine(t *testing.T) {
	for _, test := range []struct{ name, raw string }{
		{"merchant", ``}, {"merchant", `null`}, {"merchant", `""`}, {"currency", ``}, {"currency", `null`},
		{"remark", `null`}, {"remark", `"` + strings.Repeat("é", 1000) + `"`}, {"remark", `"راتب 😀"`},
		{"batchId", `"` + strings.Repeat("b", 200) + `"`}, {"batchSize", `1`}, {"batchSize", `1000000000`}, {"batchSize", `null`},
		{"notBefore", `null`}, {"notBefore", `"2026-11-25T06:00:00.123456Z"`}, {"expiresAt", `"2026-11-25T06:00:00-11:30"`},
		{"payee", manyFields(40)}, {"payee", `{"walletId":"1","email":null,"mobile":""}`}, {"payee", `{}`}, // the country's fields are checked elsewhere
		{"Merchant", `5`}, {"PAYEE", `5`}, {"Payouts", `5`}, {"x", strings.Repeat("[", 31) + strings.Repeat("]", 31)},
	} {
		if o := decodeOne(t, single(test.name, test.raw)); o.Invalid != "" || o.Unreadable != nil {
			t.Errorf("%s = %.40s: invalid %q", test.name, test.raw, o.Invalid)
		}
	}
	o := decodeOne(t, single("payee", `{"walletId":"1","email":null,"mobile":""}`))
	if fields := o.Command.Payee.Reveal(); len(fields) != 1 {
		t.Errorf("%d payee fields; null and empty are absent", len(fields))
	}
}

func TestNamesAreCaseSensitive(t *testing.T) {
	o := decodeOne(t, `{"TradeNo":"X","tradeNo":"T1","Amount":"900","amount":"300","AMOUNT":"1","payee":{"walletId":"1","WalletId":"2"},"Payee":{"walletId":"3"}}`)
	if o.Invalid != "" || o.Command.TradeNo != "T1" || o.Command.Amount.String() != "300" || o.Command.Payee.Field("walletId") != "1" {
		t.Errorf("%+v, invalid %q", o.Command, o.Invalid)
	}
	if o := decodeOne(t, strings.Replace(single("", ""), `"amount"`, `"Amount"`, 1)); o.Invalid != "amount is missing" {
		t.Errorf("invalid %q", o.Invalid)
	}
}

func TestExpiresAtMustBeAfterNotBefore(t *testing.T) {
	for expires, want := range map[string]string{
		"2026-11-25T06:00:01Z":      "",
		"2026-11-25T06:00:00Z":      "expiresAt must be after notBefore",
		"2026-11-25T05:59:59Z":      "expiresAt must be after notBefore",
		"2026-11-25T07:59:59+02:00": "expiresAt must be after notBefore",
	} {
		value := bulk(`"notBefore":"2026-11-25T06:00:00Z"`, single("expiresAt", `"`+expires+`"`)) // one common, one its own
		if o := decodeOne(t, value); o.Invalid != want {
			t.Errorf("%s: %q", expires, o.Invalid)
		}
	}
}

func TestBulkOwnFieldGoesBeforeTheCommonOne(t *testing.T) {
	value := `{"merchant":"common","currency":"EGP","batchId":"b","batchSize":2,"remark":"r","notBefore":"2026-11-25T06:00:00Z","expiresAt":"2026-11-26T06:00:00Z",
	 "amount":"999","payee":{"walletId":"everybody"},"payouts":[
	 {"tradeNo":"A","amount":"1","payee":{"walletId":"1"}},
	 {"tradeNo":"B","amount":2,"payee":{"walletId":"2"},"merchant":"own","currency":"USD","batchId":"o","batchSize":9,"remark":"x","notBefore":"2026-11-25T07:00:00Z","expiresAt":"2026-11-27T06:00:00Z"},
	 {"tradeNo":"C","amount":"3","payee":{"walletId":"3"},"merchant":null,"remark":""},
	 {"tradeNo":"D","amount":"4","payee":{"walletId":"4"},"merchant":7},
	 {"tradeNo":"E"}]}`
	orders, err := Decode([]byte(value))
	if err != nil || len(orders) != 5 {
		t.Fatal(len(orders), err)
	}
	day := time.Date(2026, 11, 25, 6, 0, 0, 0, time.UTC)
	for i, want := range []payout.Command{
		{TradeNo: "A", Merchant: "common", Amount: amountOf(t, "1"), Currency: "EGP", Remark: "r", BatchID: "b", BatchSize: 2, NotBefore: day, ExpiresAt: day.Add(24 * time.Hour)},
		{TradeNo: "B", Merchant: "own", Amount: amountOf(t, "2"), Currency: "USD", Remark: "x", BatchID: "o", BatchSize: 9, NotBefore: day.Add(time.Hour), ExpiresAt: day.Add(48 * time.Hour)},
		{TradeNo: "C", Merchant: "common", Amount: amountOf(t, "3"), Currency: "EGP", Remark: "", BatchID: "b", BatchSize: 2, NotBefore: day, ExpiresAt: day.Add(24 * time.Hour)},
	} {
		o := orders[i]
		got := o.Command
		if got.Payee.Field("walletId") != fmt.Sprint(i+1) || o.Index != i || o.Invalid != "" {
			t.Errorf("order %d: index %d, invalid %q, wallet %q", i, o.Index, o.Invalid, got.Payee.Field("walletId"))
		}
		got.Payee = payout.Payee{}
		if fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", want) {
			t.Errorf("order %d:\n got %+v\nwant %+v", i, got, want)
		}
	}
	if orders[3].Invalid != "merchant must be text" {
		t.Errorf("its own wrong merchant is not replaced by the common one: %q", orders[3].Invalid)
	}
	if orders[4].Invalid != "amount is missing; payee is missing" {
		t.Errorf("amount and payee are never common: %q", orders[4].Invalid)
	}
}

func TestABadElementLeavesTheOthersAlone(t *testing.T) {
	good := func(tradeNo string) string { return single("tradeNo", `"`+tradeNo+`"`) }
	for name, bad := range map[string]string{
		"not an object":        `"` + personName + `"`,
		"null":                 `null`,
		"an array":             `[` + good("x") + `]`,
		"no tradeNo":           single("tradeNo", ""),
		"invalid tradeNo":      single("tradeNo", `"a b"`),
		"a name twice":         `{"tradeNo":"X","amount":"1","amount":"2"}`,
		"a name twice nested":  single("payee", `{"walletId":"`+personWallet+`","walletId":"1"}`),
		"a name twice deeper":  single("x", `[[{"a":1,"a":1}]]`),
		"tradeNo twice":        `{"tradeNo":"X","tradeNo":"X"}`,
		"a bulk within a bulk": bulk("", good("x")),
	} {
		t.Run(name, func(t *testing.T) {
			orders, err := Decode([]byte(bulk(`"merchant":"m"`, good("A"), bad, good("B"))))
			if err != nil || len(orders) != 3 {
				t.Fatal(len(orders), err)
			}
			for i, tradeNo := range map[int]string{0: "A", 2: "B"} {
				if o := orders[i]; o.Index != i || o.Command.TradeNo != tradeNo || o.Invalid != "" || o.Unreadable != nil {
					t.Errorf("element %d suffers: %+v", i, o)
				}
			}
			o := orders[1]
			if o.Unreadable == nil || o.Unreadable.Code != Malformed || o.Index != 1 || o.Invalid != "" || o.Command.TradeNo != "" {
				t.Fatalf("%+v", o)
			}
			hides(t, "the reason", o.Unreadable.Reason)
		})
	}
}

func TestARejectedElementLeavesTheOthersAlone(t *testing.T) {
	orders, err := Decode([]byte(bulk("", single("amount", "-1"), single("tradeNo", `"B"`), single("tradeNo", `"B"`))))
	if err != nil || len(orders) != 3 || orders[0].Invalid == "" || orders[1].Invalid != "" || orders[2].Command.TradeNo != "B" {
		t.Fatalf("%+v, %v", orders, err) // the journal tells duplicates, not Decode
	}
}

func TestTooLarge(t *testing.T) {
	padded := func(size int) string {
		value := single("x", `""`)
		return strings.Replace(value, `"x":""`, `"x":"`+strings.Repeat("a", size-len(value))+`"`, 1)
	}
	if value := padded(MaxValueBytes); len(value) != 1<<20 {
		t.Fatal(len(value))
	} else if o := decodeOne(t, value); o.Invalid != "" {
		t.Errorf("exactly 1 MiB: %q", o.Invalid)
	}
	wantUnreadable(t, padded(MaxValueBytes+1), TooLarge)
	wantUnreadable(t, strings.Repeat("x", MaxValueBytes+1), TooLarge)

	many := func(n int) string {
		payouts := make([]string, n)
		for i := range payouts {
			payouts[i] = fmt.Sprintf(`{"tradeNo":"%d","amount":1,"payee":{"w":"1"}}`, i)
		}
		return bulk("", payouts...)
	}
	if orders, err := Decode([]byte(many(10_000))); err != nil || len(orders) != 10_000 || orders[9_999].Command.TradeNo != "9999" {
		t.Errorf("exactly 10,000: %d, %v", len(orders), err)
	}
	wantUnreadable(t, many(10_001), TooLarge)
}

func TestWhereABulkIsWrongAsAWhole(t *testing.T) {
	// What stands once for all and is wrong rejects those that have no own value, and nobody else.
	orders, err := Decode([]byte(bulk(`"merchant":5`, single("merchant", ""), single("merchant", `"own"`))))
	if err != nil || len(orders) != 2 || orders[0].Invalid != "merchant must be text" || orders[1].Invalid != "" {
		t.Fatalf("%+v, %v", orders, err)
	}
	// A tradeNo of null is none.
	if o := decodeOne(t, bulk(`"tradeNo":null`, single("", ""))); o.Invalid != "" {
		t.Error(o.Invalid)
	}
}

func FuzzDecode(f *testing.F) {
	seeds := []string{
		"", "{}", "[]", "null", single("", ""), single("payee", `{"walletId":"`+personWallet+`","walletId":"1"}`), single("payee", `{"customerName":["`+personName+`"]}`),
		single("amount", `"`+personWallet+`x"`), single("merchant", `"`+personName+`\n"`), single("expiresAt", `"`+personName+`"`), single("batchSize", `"`+personWallet+`"`),
		single("tradeNo", `"`+personName+`"`), single("payee", `"`+personName+`"`),
		bulk(`"merchant":"m","expiresAt":"2026-11-26T06:00:00Z"`, single("merchant", ""), `{"tradeNo":"X","x":1,"x":2}`, `"`+personName+`"`),
		`{"tradeNo":"T1","payouts":[]}`, `{"a":[1,{"b":2,"b":3}]}`, `{"tradeNo":"\ud800"}`, `{"tradeNo":"T1","amount":1e400,"payee":{}}`, "\xff",
	}
	for _, seed := range seeds {
		f.Add([]byte(seed))
	}
	walletAsName := regexp.MustCompile(personWallet + `"\s*:`) // names may be printed, values never
	f.Fuzz(func(t *testing.T, value []byte) {
		if walletAsName.Match(value) {
			return
		}
		orders, err := Decode(value)
		if err != nil {
			u, ok := errors.AsType[*Unreadable](err)
			if !ok || u == nil || orders != nil {
				t.Fatalf("%d orders and %T", len(orders), err)
			}
			checkUnreadable(t, u)
			return
		}
		if !json.Valid(value) || len(orders) == 0 || len(orders) > MaxBulk {
			t.Fatalf("%d orders of what encoding/json takes for JSON: %v", len(orders), json.Valid(value))
		}
		for i, o := range orders {
			if o.Index != i && !(o.Index == -1 && len(orders) == 1) {
				t.Fatalf("order %d has index %d", i, o.Index)
			}
			checkOrder(t, o)
		}
	})
}

func checkUnreadable(t *testing.T, u *Unreadable) {
	t.Helper()
	if u.Code != Malformed && u.Code != TooLarge || u.Reason == "" || strings.ContainsAny(u.Reason, "\r\n") || len(u.Reason) > 200 {
		t.Fatalf("%+v", u)
	}
	hides(t, "the reason", u.Reason)
}

// checkOrder is what holds of every order, whatever came in. The seeds' values of people show whether a reason quotes them.
func checkOrder(t *testing.T, o Order) {
	t.Helper()
	if o.Unreadable != nil {
		if checkUnreadable(t, o.Unreadable); o.Command.TradeNo != "" || o.Invalid != "" {
			t.Fatalf("unreadable, and yet %+v", o)
		}
		return
	}
	c := o.Command
	if !ValidTradeNo(c.TradeNo) || strings.ContainsAny(o.Invalid, "\r\n") || c.BatchSize < 0 {
		t.Fatalf("%+v", o)
	}
	hides(t, "the reason", o.Invalid)
	if o.Invalid == "" {
		if again, err := money.Parse(c.Amount.String()); err != nil || again != c.Amount {
			t.Fatalf("amount %q", c.Amount)
		}
		if !c.NotBefore.IsZero() && !c.ExpiresAt.IsZero() && !c.ExpiresAt.After(c.NotBefore) {
			t.Fatalf("not before %v, expires at %v", c.NotBefore, c.ExpiresAt)
		}
	}
	if len(c.Fingerprint()) != payout.FingerprintLen {
		t.Fatalf("fingerprint %q", c.Fingerprint())
	}
	hides(t, "the order", fmt.Sprintf("%+v", c.Payee))
}
