package paypro

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"disburser/payout"
)

func sub(value string) map[string]string { return map[string]string{"subMerchantNo": value} }

// Each constant field is sent with its own call only, and is signed.
func TestExtraFields(t *testing.T) {
	for _, signIn := range []string{"body", "header", "both"} {
		s := merchant("south_korea")
		s.SignIn = signIn
		s.Extra = Extra{Send: sub("s-1"), Query: sub("q-1"), Balance: sub("b-1")}
		with := client(t, s, nil)
		s.Extra = Extra{}
		without := client(t, s, nil)
		now := time.UnixMilli(1728611780130)
		cmd := payout.Command{TradeNo: "t-1", Amount: amount(t, "300"), Payee: payout.NewPayee(map[string]string{"name": "k"})}
		for call, orders := range map[string][2]apiRequest{
			"s-1": {with.payoutRequest(cmd, now), without.payoutRequest(cmd, now)},
			"q-1": {with.queryRequest("t-1", now), without.queryRequest("t-1", now)},
			"b-1": {with.balanceRequest(now), without.balanceRequest(now)},
		} {
			o, plain := orders[0], orders[1]
			if with.signed(o) == without.signed(plain) {
				t.Errorf("%s is not signed", call)
			}
			if plain.params.set("subMerchantNo", call); with.signed(o) != without.signed(plain) {
				t.Errorf("%s is signed otherwise than a payee field of that name", call)
			}
			text, err := with.encode(o)
			if err != nil {
				t.Fatal(err)
			}
			req, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(text)))
			if err != nil {
				t.Fatal(err)
			}
			if body, _ := io.ReadAll(req.Body); !strings.Contains(string(body), `"subMerchantNo":"`+call+`"`) {
				t.Errorf("%s is not in %s", call, body)
			}
		}
	}
}

// A constant field can't replace another field.
func TestExtraFieldsCantReplace(t *testing.T) {
	bad := func(country string, extra Extra, want string) {
		t.Helper()
		s := merchant(country)
		s.Extra = extra
		if _, err := New(s, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s %+v: %v, want %q", country, extra, err, want)
		} else if strings.Contains(err.Error(), "evil") {
			t.Errorf("it shows the value: %v", err)
		}
	}
	for _, name := range reservedNames {
		evil := map[string]string{name: "evil"}
		bad("egypt", Extra{Send: evil}, "extra.send."+name+": is filled in by the disburser")
		bad("egypt", Extra{Query: evil}, "extra.query."+name+": is filled in by the disburser")
		bad("egypt", Extra{Balance: evil}, "extra.balance."+name+": is filled in by the disburser")
	}
	for _, country := range Countries() {
		own, _ := findCountry(country.Name)
		for name := range own.fields {
			bad(country.Name, Extra{Send: map[string]string{name: "evil"}}, "extra.send."+name+": is a payee field")
		}
	}
	bad("egypt", Extra{Query: map[string]string{"a b": "evil"}}, "is no field name")
	bad("egypt", Extra{Query: map[string]string{"a": ""}}, "extra.query.a: is empty")
	bad("egypt", Extra{Query: map[string]string{"a": "evil\n"}}, "extra.query.a: must be UTF-8 text without control characters")
	bad("egypt", Extra{Query: map[string]string{"a": "\xff"}}, "extra.query.a: must be UTF-8 text without control characters")
	bad("egypt", Extra{Query: map[string]string{"a": strings.Repeat("é", 257)}}, "256 characters")
	bad("mexico", Extra{Balance: sub("1")}, "extra.balance: can't be sent")

	s := merchant("egypt")
	s.Fields = map[string]Field{"subMerchantNo": {}}
	s.Extra = Extra{Send: sub("evil")}
	if _, err := New(s, nil); err == nil || !strings.Contains(err.Error(), "extra.send.subMerchantNo: is a payee field") {
		t.Errorf("a field of the operator's: %v", err)
	}
}

// In a country without documented payee fields, a command may have a field that is also a
// constant field of the merchant. Another value than the constant's is refused.
func TestExtraFieldsAndOpenPayees(t *testing.T) {
	s := merchant("south_korea")
	s.Extra = Extra{Send: sub("1")}
	c := client(t, s, nil)
	for value, ok := range map[string]bool{"1": true, "2": false} {
		cmd := payout.Command{TradeNo: "t-1", Amount: amount(t, "300"), Payee: payout.NewPayee(sub(value))}
		if err := c.Check(cmd); (err == nil) != ok {
			t.Errorf("%s: %v", value, err)
		}
		if got := c.payoutRequest(cmd, time.Now()).params.value("subMerchantNo"); got != "1" {
			t.Errorf("%s is sent", got)
		}
	}
}
