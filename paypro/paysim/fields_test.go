package paysim

import (
	"encoding/json"
	"maps"
	"strings"
	"testing"
)

// country has the facts about a country from the pages.
type country struct {
	name, payout, query, balance string
	fields                       params   // a good payout, besides tradeNo and timestamp
	optional                     []string // of these
	bad                          map[string][]any
}

var documented = []country{
	{name: "egypt", payout: "/v1/paypro/payOut", query: "/v1/paypro/queryPayOutResult", balance: "/v1/paypro/queryBalance",
		fields: params{"customerName": "kevin", "amount": "300", "walletId": "01123456789", "notifyUrl": "u", "remark": "r"},
		bad:    map[string][]any{"amount": {"99", "10001", "300.00", "-300", "3e2", "x"}}},
	{name: "brazil", payout: "/v1/paypro/payout", query: "/v1/paypro/queryPayOutResult", balance: "/v1/paypro/queryBalance",
		fields: params{"amount": "300.50", "name": "n", "email": "e", "mobile": "m", "bankType": "CPF", "bankNumber": "1",
			"identityType": "CNPJ", "userIdentity": "12345678901", "notifyUrl": "u", "remark": "r"},
		bad: map[string][]any{"amount": {"0", "0.00", "1,5", ".5", "5."}, "bankType": {"PIX", "cpf"}, "identityType": {"EMAIL"}}},
	{name: "mexico", payout: "/v1/paypro/payOut", query: "/v1/paypro/queryPayOutResult", balance: "/v1/paypro/queryBalance",
		fields: params{"wayCode": "BANXICO", "amount": "300", "customerName": "n", "customerAccountType": "CLABE",
			"customerAccount": "123456789012345678", "notifyUrl": "u", "remark": "r", "customerEmail": "e"},
		optional: []string{"remark", "customerEmail"},
		bad:      map[string][]any{"amount": {"300.0"}, "customerAccountType": {"clabe"}}},
	{name: "indonesia", payout: "/v1/paypro/payOut", query: "/v1/paypro/queryPayOutResult", balance: "/v1/paypro/queryBalance",
		fields: params{"amount": json.Number("100000"), "customerName": "kevin", "mobile": "6281245907765", "email": "e",
			"bankAccountNo": "5464438554636", "bankCode": "0002", "notifyUrl": "u", "remark": "r"},
		optional: []string{"remark"},
		bad:      map[string][]any{"amount": {json.Number("100000.0"), json.Number("1e5")}, "mobile": {"081234567", "7281245907765", "62812459077651", "08123456x9"}}},
	{name: "pakistan", payout: "/v1/payproPK/payout", query: "/v1/payproPK/queryPayOutResult", balance: "/v1/payproPK/queryBalance",
		fields: params{"amount": "1", "name": "n", "customerCert": "1234567890123", "email": "e", "mobile": "3001234567",
			"accountType": "WALLET", "bankName": "ALLIED_BANK_LIMITED", "bankNumber": "1", "notifyUrl": "u", "remark": "r"},
		bad: map[string][]any{"amount": {"0", "1.5"}, "customerCert": {"12345-678901-2", "123456789012"}, "mobile": {"03001234567", "4001234567"}, "accountType": {"wallet"}}},
	{name: "india", payout: "/v1/paypro/payout", query: "/v1/paypro/queryPayOutResult", balance: "/v1/paypro/queryBalance",
		fields: params{"ipAddress": "1.2.3.4", "amount": "300.5", "name": "abc", "mobile": "8234567890", "email": "e",
			"bankNumber": "10094038292", "bankCode": "IDFB0043121", "notifyUrl": "u", "remark": "r"},
		optional: []string{"remark"},
		bad:      map[string][]any{"mobile": {"918234567890", "5234567890"}, "bankCode": {"IDFB004312", "IDFB-043121"}}},
	{name: "kenya", payout: "/api/payout", query: "/api/queryPayOutResult", balance: "/v1/paypro/queryBalance",
		fields:   params{"amount": "51", "mobile": "254112345678", "notifyUrl": "u", "remark": "r"},
		optional: []string{"notifyUrl", "remark"},
		bad:      map[string][]any{"amount": {"51.5"}, "mobile": {"0112345678", "254312345678"}}},
	{name: "bangladesh", payout: "/v1/paypro/payout", query: "/v1/paypro/queryPayOutResult", balance: "/v1/paypro/queryBalance",
		fields:   params{"amount": "300", "walletId": "01712345678", "wayCode": "EWALLET_BKASH", "notifyUrl": "u", "remark": "r"},
		optional: []string{"remark"},
		bad:      map[string][]any{"wayCode": {"BKASH"}}},
	{name: "vietnam", payout: "/v1/payproVN/payout", query: "/v1/payproVN/queryPayOutResult", balance: "/v1/paypro/queryBalance",
		fields: params{"amount": "50000", "accountName": "NGUYEN THE VIET", "bankName": "ACB", "bankNumber": "18199852",
			"notifyUrl": "1", "remark": "r"},
		optional: []string{"remark"},
		bad:      map[string][]any{"amount": {"49999", "50000.0"}, "accountName": {"NGUYỄN THẾ VIỆT"}}},
	{name: "philippines", payout: "/v1/paypro/payout", query: "/v1/paypro/queryPayOutResult", balance: "/v1/paypro/queryBalance",
		fields:   params{"amount": "300.5", "accountName": "n", "bankName": "Maya", "bankNumber": "09123456789", "notifyUrl": "u", "remark": "r"},
		optional: []string{"remark"}},
	{name: "nigeria", payout: "/v1/paypro/payout", query: "/v1/paypro/queryPayOutResult", balance: "/v1/paypro/queryBalance",
		fields: params{"amount": "300"}},
	{name: "south_korea", payout: "/v1/paypro/payout", query: "/v1/paypro/queryPayOutResult", balance: "/v1/paypro/queryBalance",
		fields: params{"amount": "300"}},
}

func (c country) sim() *Sim {
	return New(Config{Merchants: []Merchant{{Country: c.name, MerchantNo: testNo, Secret: testSecret, BasePath: "/base"}}})
}

// call makes a call with the sign where the country's pages put it.
func (c country) call(s *Sim, path string, p params) reply {
	headers, body := merchantHeader(testNo), signedText(p)
	if c.name == "brazil" {
		text, _ := json.Marshal(p)
		headers["sign"], body = p.digest(testSecret, "suffix"), string(text)
	}
	return post(s, "/base"+path, headers, body)
}

// with returns a valid payout with one field changed; nil removes the field.
func (c country) with(name string, value any) params {
	p := maps.Clone(c.fields)
	p["tradeNo"], p["timestamp"] = "t-1", testStamp
	if p[name] = value; value == nil {
		delete(p, name)
	}
	return p
}

func TestEveryCountryIsTested(t *testing.T) {
	if len(documented) != len(Countries()) {
		t.Errorf("%d countries are tested, there are %v", len(documented), Countries())
	}
}

func TestGoodPayout(t *testing.T) {
	for _, c := range documented {
		t.Run(c.name, func(t *testing.T) {
			s := c.sim()
			c.call(s, c.payout, c.with("unknownField", "x")).want(t, "0000", "0015")
			for _, name := range append(c.optional, "unknownField") {
				c.call(s, c.payout, c.with(name, nil)).want(t, "0000", "0015")
			}
			e := s.Ledger().Entry(testNo, "t-1")
			if want := len(c.optional) + 2; len(e.Executions) != want || e.Placements != want || e.Amount != c.fields.signedText("amount") {
				t.Errorf("want %d executions: %+v", want, e)
			}
			c.call(s, c.query, params{"timestamp": testStamp, "tradeNo": "t-1"}).want(t, "0000", "0000")
		})
	}
}

func TestBadFields(t *testing.T) {
	for _, c := range documented {
		t.Run(c.name, func(t *testing.T) {
			s := c.sim()
			refused := func(name string, value any) {
				t.Helper()
				r := c.call(s, c.payout, c.with(name, value))
				if r.Code != "8000" || !strings.HasPrefix(r.Msg, name+" ") || r.Data != nil {
					t.Errorf("%s = %v: got %s", name, value, r.body)
				}
			}
			for name := range c.with("", nil) {
				if !strings.Contains(strings.Join(c.optional, " "), name) {
					refused(name, nil)
					refused(name, "")
				}
			}
			for name, values := range c.bad {
				for _, value := range values {
					refused(name, value)
				}
			}
			refused("timestamp", "1728611780")
			refused("timestamp", "17286117801x0")
			for _, e := range s.Ledger().Entries {
				if len(e.Executions) > 0 || e.TradeNo == "t-1" && e.Outcome != "refused" {
					t.Errorf("executed: %+v", e)
				}
			}
		})
	}
}

func TestNullIsNone(t *testing.T) {
	s := New(egypt(Behavior{}))
	p, _ := parse([]byte(`{"walletId":null}`))
	body := egyptBody("t")
	maps.Copy(body, p)
	if r := post(s, capitalPayout, merchantHeader(testNo), signedText(body)); r.Msg != "walletId is required" {
		t.Errorf("got %s", r.body)
	}
}

func TestIndiaTakesBothSpellings(t *testing.T) {
	for _, c := range documented {
		if c.name == "india" {
			p := c.with("bankCode", nil)
			p["bankNCode"] = "IDFB0043121"
			c.call(c.sim(), c.payout, p).want(t, "0000", "0015")
		}
	}
}

func TestQueryTimestamp(t *testing.T) {
	needed := map[string]bool{"egypt": true, "brazil": true, "mexico": true, "indonesia": true, "pakistan": true, "vietnam": true, "nigeria": true}
	for _, c := range documented {
		want := "order does not exist"
		if needed[c.name] {
			want = "timestamp must be 13 digits"
		}
		if r := c.call(c.sim(), c.query, params{"tradeNo": "t"}); r.Msg != want {
			t.Errorf("%s: got %q, want %q", c.name, r.Msg, want)
		}
	}
}

func TestOwnLimitsAndPaths(t *testing.T) {
	s := New(Config{Merchants: []Merchant{{Country: "egypt", MerchantNo: testNo, Secret: testSecret, MinAmount: "300", MaxAmount: "300",
		Paths: Paths{Payout: "/pay"}}}})
	for amount, code := range map[string]string{"299": "8000", "300": "0000", "301": "8000"} {
		body := egyptBody("t-" + amount)
		body["amount"] = amount
		if r := post(s, "/pay", merchantHeader(testNo), signedText(body)); r.Code != code {
			t.Errorf("%s: got %s", amount, r.body)
		}
	}
	if r := s.pay("t"); r.status != 404 {
		t.Errorf("the country's own path still answers: %+v", r)
	}
}
