package paysim

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestRouting(t *testing.T) {
	s := New(Config{Merchants: []Merchant{
		{Country: "egypt", MerchantNo: testNo, Secret: testSecret, BasePath: "/egy-pay"},
		{Country: "pakistan", MerchantNo: "2", Secret: testSecret, BasePath: "/pak-pay"},
	}})
	for _, c := range []struct {
		path, merchant string
		status         int
	}{
		{"/egy-pay/v1/paypro/payOut", testNo, 200},
		{"/egy-pay/v1/paypro/payout", testNo, 404}, // paths are case-sensitive
		{"/v1/paypro/payOut", testNo, 404},
		{"/pak-pay/v1/payproPK/payout", testNo, 404}, // another country's
		{"/pak-pay/v1/payproPK/payout", "2", 200},
		{"/ledger", testNo, 404},
	} {
		if r := post(s, c.path, merchantHeader(c.merchant), signedText(egyptBody("t"))); r.status != c.status {
			t.Errorf("%+v: got %+v", c, r)
		}
	}
	if r := post(s, "/egy-pay/v1/paypro/payOut", merchantHeader("3"), "{}"); r.Code != "8000" || r.Msg != "merchantNo is unknown" {
		t.Errorf("unknown merchant: %+v", r)
	}
	w := httptest.NewRecorder()
	if s.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/egy-pay/v1/paypro/payOut", nil)); w.Code != 405 {
		t.Errorf("GET: %d", w.Code)
	}
}

func TestUnreadableBodies(t *testing.T) {
	s := New(egypt(Behavior{}))
	for _, body := range []string{"", "null", "[]", `"x"`, `{"a":1`, `{} {}`, `{"a":{}}`, `{"a":[]}`, `{"a":"` + strings.Repeat("x", maxBody) + `"}`} {
		if r := post(s, capitalPayout, merchantHeader(testNo), body); r.Code != "8000" || !strings.HasPrefix(r.Msg, "body ") {
			t.Errorf("%.20s: got %+v", body, r)
		}
	}
}

func TestEnvelope(t *testing.T) {
	s := New(egypt(Behavior{}))
	var e map[string]any
	if err := json.Unmarshal([]byte(s.pay("t").body), &e); err != nil {
		t.Fatal(err)
	}
	if _, number := e["timestamp"].(float64); !number || e["success"] != true || e["code"] != "0000" || e["msg"] != "success" {
		t.Errorf("%v", e)
	}
	data := e["data"].(map[string]any)
	if data["remark"] != "test" || data["desc"] != "CREATED" || data["tradeNo"] != "t" || len(data["platFormTradeNo"].(string)) != 16 {
		t.Errorf("%v", data)
	}
	if r := s.query("t"); r.field("message") != "SUCCESS" || len(r.field("successTime")) != len("2006-01-02 15:04:05") {
		t.Errorf("%s", r.body)
	}
}

// A failure has a successTime too, as the samples of Brazil and Kenya show.
func TestFailureHasSuccessTime(t *testing.T) {
	s := New(egypt(Behavior{Failed: 1}))
	s.pay("t")
	if r := s.query("t"); r.field("successTime") == "" || r.field("message") != "REJECTED_TRANSACTION" || r.field("amount") != "300" {
		t.Errorf("%s", r.body)
	}
}

func TestRepliesPerCountry(t *testing.T) {
	parts := map[string]string{ // literal pieces of the query's reply, then of the balance's
		"egypt":       `"amount":"300" | "availableAmount":"9998689.0000"`,
		"brazil":      `"amount":"300.50" | "availableAmount":9998688.5000`,
		"mexico":      `"orderAmount":"300.00","payAmount":"300.00" | "availablAmount":9998689.0000`,
		"indonesia":   `"orderAmount":"100000.00","payAmount":"100000.00" | "availablAmount":"9898989.0000"`,
		"pakistan":    `"amount":"1" | "success":"true"`,
		"kenya":       `"amount":51.0000 | "freezeAmount":"0.0000"`,
		"nigeria":     `"amount":"300" | "unsettledAmount":"0.0000"`,
		"south_korea": `"amount":"300" | "availableAmount":"9998689.0000"`,
	}
	for _, c := range documented {
		if parts[c.name] == "" {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			s := c.sim()
			id := "platFormTradeNo"
			if c.name == "kenya" {
				id = "serialNumber"
			}
			if r := c.call(s, c.payout, c.with("", nil)); len(r.Data[id].(string)) != 16 {
				t.Errorf("payout: %s", r.body)
			}
			told, balance, _ := strings.Cut(parts[c.name], " | ")
			if r := c.call(s, c.query, params{"tradeNo": "t-1", "timestamp": testStamp}); !strings.Contains(r.body, told) {
				t.Errorf("query: %s", r.body)
			}
			if r := c.call(s, c.balance, params{"timestamp": testStamp}); !strings.Contains(r.body, balance) {
				t.Errorf("balance: %s", r.body)
			}
		})
	}
}

// Page mexico/balance has neither body nor sign; every other balance is signed.
func TestBalanceSign(t *testing.T) {
	for _, c := range documented {
		want := "8000"
		if c.name == "mexico" {
			want = "0000"
		}
		for _, body := range []string{`{"timestamp":"1724151084278"}`, ""} {
			if r := post(c.sim(), "/base"+c.balance, merchantHeader(testNo), body); r.Code != want {
				t.Errorf("%s: %s", c.name, r.body)
			}
		}
	}
}

func TestOutages(t *testing.T) {
	s := New(egypt(Behavior{}))
	s.pay("before")
	for _, c := range []struct {
		is            Outage
		payout, query string
	}{
		{Unavailable, "503", "503"}, {Cut, "lost", "lost"}, {Disabled, "8000", "8000"}, {Broke, "8000", "0000"}, {Up, "0000", "0000"},
	} {
		s.SetOutage(testNo, c.is)
		if p, q := seen(s.pay(c.is.String())), seen(s.query("before")); p != c.payout || q != c.query {
			t.Errorf("%s: got %s and %s", c.is, p, q)
		}
	}
	if l := s.Ledger(); l.Executed(testNo, "cut") != 0 || l.Executed(testNo, "broke") != 0 || l.Executed(testNo, "up") != 1 {
		t.Errorf("%+v", l)
	}
}

func seen(r reply) string {
	switch {
	case r.lost:
		return "lost"
	case r.status == 503:
		return "503"
	}
	return r.Code
}

func TestControl(t *testing.T) {
	s := New(egypt(Behavior{Failed: 0.5}))
	server := httptest.NewServer(s.Handler())
	defer server.Close()
	for _, c := range []struct {
		method, path, body string
		status             int
		contains           string
	}{
		{"GET", "/healthz", "", 200, "ok"},
		{"POST", "/behavior?merchantNo=" + testNo, `{"lostReply":1,"settleMin":"2s","settleMax":"3s"}`, 200, `"settleMin":"2s"`},
		{"GET", "/behavior", "", 200, `"failed":0.5`},
		{"POST", "/behavior", `{"lostreply":1}`, 400, `there is no setting "lostreply"`},
		{"POST", "/behavior", `{"lostReply":2}`, 400, "lostReply must be between 0 and 1"},
		{"POST", "/behavior", `{"settleMin":2}`, 400, "settleMin: must be a duration"},
		{"POST", "/behavior?merchantNo=9", `{}`, 404, "there is no merchant"},
		{"POST", "/outage?is=sideways", "", 400, "must be one of up"},
		{"POST", "/outage?is=disabled", "", 200, "disabled"},
		{"POST", capitalPayout, "{}", 200, "merchantNo is unknown"},
		{"GET", "/ledger", "", 200, `"entries":[`},
	} {
		status, body := send(t, c.method, server.URL+c.path, c.body)
		if status != c.status || !strings.Contains(body, c.contains) {
			t.Errorf("%s %s %s: got %d %s", c.method, c.path, c.body, status, body)
		}
	}
	if s.SetOutage("", Up); !s.pay("t").lost {
		t.Error("the changed behavior does not show")
	}
}

// The error of a wrong configuration lists everything that is wrong.
func TestValidate(t *testing.T) {
	err := Config{Behavior: Behavior{Failed: 0.7, Refused: 0.7, SettleMin: 2, SettleMax: 1},
		Merchants: []Merchant{{Country: "atlantis", MerchantNo: "1"}, {Country: "egypt", MerchantNo: "1", Secret: "s", Salt: "pepper",
			SignIn: "url", BasePath: "x/", MinAmount: "-1", Paths: Paths{Query: "q"}}}}.Validate()
	if err == nil {
		t.Fatal("accepted")
	}
	for _, part := range []string{"fates add up", "settleMax", "atlantis", "secret", "stands twice", "salt", "signIn", "basePath", `"-1"`, `"q"`} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q is missing in %v", part, err)
		}
	}
}

func BenchmarkPayout(b *testing.B) {
	s := New(egypt(nasty))
	bodies := numbers(b.N)
	for i, no := range bodies {
		bodies[i] = signedText(egyptBody(no))
	}
	b.ReportAllocs()
	b.ResetTimer()
	for _, body := range bodies {
		post(s, capitalPayout, merchantHeader(testNo), body)
	}
}
