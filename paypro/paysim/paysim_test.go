package paysim

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

const (
	testSecret = "test-secret-123"
	testNo     = "0000000001"
	testStamp  = "1728611780130"
)

// egypt is the merchant of most tests.
func egypt(b Behavior) Config {
	return Config{Seed: 1, Behavior: b, Merchants: []Merchant{{Country: "egypt", MerchantNo: testNo, Secret: testSecret}}}
}

func egyptBody(tradeNo string) params {
	return params{"timestamp": testStamp, "tradeNo": tradeNo, "walletId": "01123456789", "customerName": "kevin",
		"amount": "300", "notifyUrl": "https://google.com", "remark": "test"}
}

// reply is an answer as a client reads it.
type reply struct {
	status  int
	lost    bool
	body    string
	Msg     string
	Code    string
	Success any
	Data    map[string]any
}

// post calls the handler without a server.
func post(h http.Handler, path string, headers map[string]string, body string) (r reply) {
	request := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
	for name, value := range headers {
		request.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	defer func() {
		if p := recover(); p != nil {
			if p != any(http.ErrAbortHandler) {
				panic(p)
			}
			r = reply{lost: true}
		}
	}()
	h.ServeHTTP(w, request)
	r = reply{status: w.Code, body: w.Body.String()}
	_ = json.Unmarshal(w.Body.Bytes(), &r)
	return r
}

// signedText is a body with its sign in it.
func signedText(p params) string {
	p = maps.Clone(p)
	p["sign"] = p.digest(testSecret, "suffix")
	text, err := json.Marshal(p)
	if err != nil {
		panic(err)
	}
	return string(text)
}

func (s *Sim) pay(tradeNo string) reply {
	return post(s, capitalPayout, merchantHeader(testNo), signedText(egyptBody(tradeNo)))
}

func (s *Sim) query(tradeNo string) reply {
	return post(s, commonQuery, merchantHeader(testNo), signedText(params{"timestamp": testStamp, "tradeNo": tradeNo}))
}

func merchantHeader(no string) map[string]string { return map[string]string{"merchantNo": no} }

func (r reply) field(name string) string {
	if r.Data[name] == nil {
		return ""
	}
	return fmt.Sprint(r.Data[name])
}

func (r reply) want(t *testing.T, code, status string) {
	t.Helper()
	if r.lost || r.status != 200 || r.Code != code || r.field("status") != status {
		t.Fatalf("got %+v, want code %q and status %q", r, code, status)
	}
}

func send(t *testing.T, method, url, body string) (int, string) {
	t.Helper()
	request, err := http.NewRequest(method, url, bytes.NewReader([]byte(body)))
	if err != nil {
		t.Fatal(err)
	}
	got, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer got.Body.Close()
	text, err := io.ReadAll(got.Body)
	if err != nil {
		t.Fatal(err)
	}
	return got.StatusCode, string(text)
}
