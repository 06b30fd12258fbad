package books

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
)

// filled sets every field of a value to something that no other field has.
func filled(v reflect.Value, n *int64) {
	*n++
	switch v.Kind() {
	case reflect.String:
		v.SetString(fmt.Sprintf("text %d\x00ü", *n))
	case reflect.Int, reflect.Int64:
		v.SetInt(-*n * 1_000_000_000_000)
	case reflect.Struct:
		for i := range v.NumField() {
			filled(v.Field(i), n)
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		filled(v.Elem(), n)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		filled(v.Index(0), n)
		filled(v.Index(1), n)
	case reflect.Map:
		v.Set(reflect.ValueOf(map[string]string{fmt.Sprint("name ", *n): "value", "another": ""}))
	default:
		panic(v.Kind())
	}
}

// No field is forgotten.
func TestFactsHaveEveryField(t *testing.T) {
	var whole Payout
	n := int64(0)
	filled(reflect.ValueOf(&whole).Elem(), &n)
	for _, p := range []Payout{whole, {TradeNo: "T1"}, {Orders: whole.Orders[:1]}, {Sent: whole.Sent}} {
		facts := p.Facts()
		back := Payout{TradeNo: p.TradeNo}
		if err := back.ReadFacts(facts); err != nil || !reflect.DeepEqual(back, p) {
			t.Errorf("%v:\n%+v\n%+v", err, p, back)
		}
		for cut := range facts {
			if err := new(Payout).ReadFacts(facts[:cut]); err == nil {
				t.Errorf("%d of %d bytes are read as facts", cut, len(facts))
			}
		}
		if new(Payout).ReadFacts(append(facts, 0)) == nil {
			t.Error("something behind the facts is read over")
		}
	}
	for _, none := range []string{"", "\x00", "{}", "\x01\xff", "\x01" + strings.Repeat("\xff", 12)} {
		if new(Payout).ReadFacts([]byte(none)) == nil {
			t.Errorf("%q is read as facts", none)
		}
	}
}

// Whatever the tables hold, reading it ends, and what is read is written as it was.
func FuzzFacts(f *testing.F) {
	var p Payout
	n := int64(0)
	filled(reflect.ValueOf(&p).Elem(), &n)
	f.Add(p.Facts())
	f.Add([]byte{factsVersion, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, facts []byte) {
		var p, again Payout
		if p.ReadFacts(facts) != nil {
			return
		}
		text := p.Facts()
		if err := again.ReadFacts(text); err != nil || !bytes.Equal(again.Facts(), text) {
			t.Errorf("%v: %q", err, text)
		}
	})
}

func BenchmarkFacts(b *testing.B) {
	p := Payout{
		Orders: []Order{{
			Place: Place{1, 12345, 1}, Time: 1764000000000, Fingerprint: "Qni5oIaESfc9HxoNa5OKWA", Merchant: "eg-main", Amount: "100.02", Currency: "EGP", BatchID: "batch-1",
			BatchSize: 1000000, Payee: map[string]string{"customerName": "k***", "walletId": "***0001"}, Hashes: []int64{-123456789012345678, 98765432109876543}, Copies: 1,
		}},
		Events: []Event{{
			Place: Place{1, 12345, 0}, ID: "0123456789abcdef0123456789abcdef", Type: "payout.paid", Time: 1764000060000, Fingerprint: "Qni5oIaESfc9HxoNa5OKWA", Merchant: "eg-main",
			Amount: "100.02", Currency: "EGP", BatchID: "batch-1", BatchSize: 1000000, Status: "0000", StatusText: "SUCCESS", PlatformTradeNo: "vuu9apjq00000001", PaidAmount: "100.02",
			Sends: 1, Asks: 2, ReceivedAt: 1764000000000, SentAt: 1764000001000,
		}},
	}
	facts := p.Facts()
	text, _ := json.Marshal(p)
	for name, work := range map[string]func() error{
		"write":          func() error { p.Facts(); return nil },
		"read":           func() error { return new(Payout).ReadFacts(facts) },
		"write-as-JSON":  func() error { _, err := json.Marshal(p); return err },
		"read-from-JSON": func() error { return json.Unmarshal(text, new(Payout)) },
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if err := work(); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(len(facts)), "B-facts")
			b.ReportMetric(float64(len(text)), "B-JSON")
		})
	}
}
