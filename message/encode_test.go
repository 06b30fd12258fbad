package message

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"disburser/payout"
	"disburser/payout/money"
)

func TestEncodeWritesWhatDecodeReads(t *testing.T) {
	c := command(t)
	c.NotBefore, c.ExpiresAt = t0, t0.In(time.FixedZone("odd", 3601)).Add(time.Hour)
	c.Payee = payee("customerName", `A & B <"\> `+"\u200dé😀", "walletId", personWallet)
	value, err := Encode(c)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(value), `\u0026`) {
		t.Errorf("escaped without need: %s", value)
	}
	o := decodeOne(t, string(value))
	c.ExpiresAt = c.ExpiresAt.UTC()
	if o.Invalid != "" || !reflect.DeepEqual(o.Command, c) {
		t.Errorf("%s\n is %+v (%s)\nnot %+v", value, o.Command, o.Invalid, c)
	}
}

func TestEncodeRefusesWhatWouldBeAnotherCommand(t *testing.T) {
	for name, change := range map[string]func(*payout.Command){
		"no tradeNo":        func(c *payout.Command) { c.TradeNo = "" },
		"no amount":         func(c *payout.Command) { c.Amount = money.Amount{} },
		"no UTF-8":          func(c *payout.Command) { c.Remark = "\xff" },
		"half a name":       func(c *payout.Command) { c.Payee = payee("customerName", "a\xc3") },
		"a half field name": func(c *payout.Command) { c.Payee = payee("a\xff", "b") },
		"a control":         func(c *payout.Command) { c.BatchID = "a\nb" },
		"a long merchant":   func(c *payout.Command) { c.Merchant = strings.Repeat("m", 65) },
		"a negative size":   func(c *payout.Command) { c.BatchSize = -1 },
		"another century":   func(c *payout.Command) { c.ExpiresAt = time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC) },
		"year 10000":        func(c *payout.Command) { c.ExpiresAt = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC) },
		"times in disorder": func(c *payout.Command) { c.NotBefore, c.ExpiresAt = t0.Add(time.Hour), t0 },
		"a long field":      func(c *payout.Command) { c.Payee = payee("x", strings.Repeat("a", 257)) },
	} {
		c := command(t)
		change(&c)
		value, err := Encode(c)
		if err == nil {
			t.Errorf("%s: %s", name, value)
			continue
		}
		hides(t, name, err.Error())
	}
}

// Rules become stricter; what was taken before must be recognised when it is carried.
func TestEncodeUncheckedChecksNothing(t *testing.T) {
	c := command(t)
	c.Payee = payee("x", strings.Repeat("a", 257))
	value, err := EncodeUnchecked(c)
	if err != nil {
		t.Fatal(err)
	}
	if o := decodeOne(t, string(value)); o.Command.Fingerprint() != c.Fingerprint() {
		t.Errorf("%s is another one", value)
	}
}

// Whatever Encode writes, Decode reads back; whatever Decode has read and found good, Encode writes.
func FuzzEncode(f *testing.F) {
	f.Add([]byte(`{"tradeNo":"a","merchant":"m","amount":"300.50","currency":"EGP","payee":{"walletId":"01123456789","customerName":"\ud83d\ude00 & <"},"remark":"r","batchId":"b","batchSize":3,"notBefore":"2026-11-25t06:00:00.123456789+02:00","expiresAt":"2026-11-26T06:00:00z"}`))
	f.Add([]byte(`{"tradeNo":"a","amount":1,"payee":{"\u2028":"\uffff"}}`))
	f.Fuzz(func(t *testing.T, value []byte) {
		orders, err := Decode(value)
		if err != nil {
			return
		}
		for _, o := range orders {
			if o.Unreadable != nil || o.Invalid != "" {
				continue
			}
			again, err := Encode(o.Command)
			if err != nil {
				t.Fatalf("%q: %v", value, err)
			}
			if back, err := Decode(again); err != nil || !reflect.DeepEqual(back[0].Command, o.Command) {
				t.Fatalf("%q\n became %s\n %v", value, again, err)
			}
		}
	})
}
