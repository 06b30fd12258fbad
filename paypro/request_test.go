package paypro

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"disburser/payout"
)

// The request of each country: its path, the sign header, and the body without the sign. The
// values are the samples of the pages, with our notifyUrl.
func TestRequests(t *testing.T) {
	const notify = `"notifyUrl":"https://example.com/notify?a=1&b=2"`
	now := time.UnixMilli(1728611780130)
	for _, test := range []struct {
		country, call string
		signIn        string // the operator's
		path, body    string
		header        bool // the sign stands in the header
		inBody        bool // and in the body
	}{
		{"egypt", "send", "", "/v1/paypro/payOut", `{"amount":"300","customerName":"kevin",` + notify + `,"remark":"-",SIGN"timestamp":"1728611780130","tradeNo":"t-1","walletId":"01123456789"}`, false, true},
		{"egypt", "ask", "", "/v1/paypro/queryPayOutResult", `{SIGN"timestamp":"1728611780130","tradeNo":"t-1"}`, false, true},
		{"egypt", "balance", "", "/v1/paypro/queryBalance", `{SIGN"timestamp":"1728611780130"}`, false, true},
		{"brazil", "send", "", "/v1/paypro/payout", `{"amount":"300","bankNumber":"x-1","bankType":"EVP","email":"a@b.c","identityType":"CPF","mobile":"1","name":"joão",` + notify + `,"remark":"-","timestamp":"1728611780130","tradeNo":"t-1","userIdentity":"12345678901"}`, true, false},
		{"brazil", "ask", "", "/v1/paypro/queryPayOutResult", `{"timestamp":"1728611780130","tradeNo":"t-1"}`, true, false},
		{"brazil", "balance", "", "/v1/paypro/queryBalance", `{"timestamp":"1728611780130"}`, true, false},
		{"brazil", "ask", "body", "/v1/paypro/queryPayOutResult", `{SIGN"timestamp":"1728611780130","tradeNo":"t-1"}`, false, true},
		{"brazil", "ask", "both", "/v1/paypro/queryPayOutResult", `{SIGN"timestamp":"1728611780130","tradeNo":"t-1"}`, true, true},
		{"indonesia", "send", "", "/v1/paypro/payOut", `{"amount":300,"bankAccountNo":"5464438554636","bankCode":"0002","customerName":"kevin","email":"a@b.c","mobile":"6281245907765",` + notify + `,SIGN"timestamp":1728611780130,"tradeNo":"t-1"}`, false, true},
		{"pakistan", "send", "", "/v1/payproPK/payout", `{"accountType":"BANK","amount":"300","bankName":"ALLIED_BANK_LIMITED","bankNumber":"1","customerCert":"1234567890123","email":"a@b.c","mobile":"3123456789","name":"k",` + notify + `,"remark":"-",SIGN"timestamp":"1728611780130","tradeNo":"t-1"}`, false, true},
		{"pakistan", "ask", "", "/v1/payproPK/queryPayOutResult", `{SIGN"timestamp":"1728611780130","tradeNo":"t-1"}`, false, true},
		{"pakistan", "balance", "", "/v1/payproPK/queryBalance", `{SIGN"timestamp":"1728611780130"}`, false, true},
		{"philippines", "send", "", "/v1/paypro/payout", `{"accountName":"k","amount":"300","bankName":"Maya","bankNumber":"09123456789",` + notify + `,SIGN"timestamp":"1728611780130","tradeNo":"t-1"}`, false, true},
		{"india", "send", "", "/v1/paypro/payout", `{"amount":"300","bankNCode":"IDFB0043121","bankNumber":"10094038292","email":"a@b.c","ipAddress":"127.0.0.1","mobile":"8234567890","name":"abc",` + notify + `,SIGN"timestamp":"1728611780130","tradeNo":"t-1"}`, false, true},
		{"kenya", "send", "", "/api/payout", `{"amount":"300","mobile":"254712345678",` + notify + `,SIGN"timestamp":"1728611780130","tradeNo":"t-1"}`, false, true},
		{"kenya", "ask", "", "/api/queryPayOutResult", `{SIGN"tradeNo":"t-1"}`, false, true},
		{"mexico", "send", "", "/v1/paypro/payOut", `{"amount":"300","customerAccount":"anything","customerAccountType":"CLABE","customerName":"k",` + notify + `,SIGN"timestamp":"1728611780130","tradeNo":"t-1","wayCode":"BANXICO"}`, false, true},
		{"mexico", "balance", "", "/v1/paypro/queryBalance", ``, false, false},
		{"bangladesh", "send", "", "/v1/paypro/payout", `{"amount":"300",` + notify + `,SIGN"timestamp":"1728611780130","tradeNo":"t-1","walletId":"01123456789","wayCode":"EWALLET_NAGAD"}`, false, true},
		{"nigeria", "send", "", "/v1/paypro/payout", `{"amount":"300","anything":"goes",` + notify + `,SIGN"timestamp":"1728611780130","tradeNo":"t-1"}`, false, true},
		{"vietnam", "send", "", "/v1/payproVN/payout", `{"accountName":"NGUYEN THE VIET","amount":"300","bankName":"ACB","bankNumber":"18199852",` + notify + `,SIGN"timestamp":"1728611780130","tradeNo":"t-1"}`, false, true},
		{"vietnam", "ask", "", "/v1/payproVN/queryPayOutResult", `{SIGN"timestamp":"1728611780130","tradeNo":"t-1"}`, false, true},
	} {
		s := merchant(test.country)
		s.SignIn = test.signIn
		c := client(t, s, nil)
		o := map[string]apiRequest{
			"send":    c.payoutRequest(payout.Command{TradeNo: "t-1", Amount: amount(t, "300"), Payee: payout.NewPayee(good[test.country])}, now),
			"ask":     c.queryRequest("t-1", now),
			"balance": c.balanceRequest(now),
		}[test.call]
		text, err := c.encode(o)
		if err != nil {
			t.Fatal(err)
		}
		// Compare the raw text: reading it as HTTP changes the letter case of names.
		if want := "\r\nmerchantNo: 0000000001\r\n"; !strings.Contains(string(text), want) {
			t.Errorf("%s %s: no %q in %s", test.country, test.call, want, text)
		}
		req, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(text)))
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(req.Body)
		if err != nil {
			t.Fatal(err)
		}
		sign := c.signed(o)
		want := strings.Replace(test.body, "SIGN", map[bool]string{true: `"sign":"` + sign + `",`}[test.inBody], 1)
		if string(body) != want || req.Method != "POST" || req.Host != "paypro.test" || req.URL.String() != "/egy-pay"+test.path {
			t.Errorf("%s %s\n got %s %s %s %s\nwant %s %s", test.country, test.call, req.Method, req.Host, req.URL, body, test.path, want)
		}
		if got := req.Header.Values("sign"); test.header != (len(got) == 1 && got[0] == sign) || !test.header && got != nil {
			t.Errorf("%s %s: header sign %q", test.country, test.call, got)
		}
		var names []string
		for name := range req.Header {
			names = append(names, name)
		}
		slices.Sort(names)
		if got := strings.Join(names, " "); strings.Replace(got, " Sign", "", 1) != "Accept-Encoding Content-Length Content-Type Merchantno User-Agent" || req.Header.Get("Accept-Encoding") != "identity" {
			t.Errorf("%s %s: headers %s", test.country, test.call, got)
		}
	}
}

// Special characters are encoded as json.Marshal does, except &, < and >.
func TestBodiesAreJSON(t *testing.T) {
	c := client(t, egypt(), nil)
	for _, value := range []string{"plain", "a&b<c>d", `quote " and \ slash`, "line\nbreak\ttab\x00", "José Núñez", "\u2028 \u2029", "invalid \xff UTF-8", "\x7f", "😀"} {
		o := apiRequest{params: params{{"name", value}, {"tradeNo", "t-1"}}}
		body, err := c.body(nil, o, "s")
		if err != nil {
			t.Fatal(err)
		}
		var buffer bytes.Buffer
		encoder := json.NewEncoder(&buffer)
		encoder.SetEscapeHTML(false)
		if err := encoder.Encode(map[string]string{"name": value, "tradeNo": "t-1", "sign": "s"}); err != nil {
			t.Fatal(err)
		}
		if want := strings.TrimSpace(buffer.String()); string(body) != want {
			t.Errorf("got %s, want %s", body, want)
		}
	}
}

// A payee field can't replace a field of the request.
func TestPayeeCantReplace(t *testing.T) {
	payee := map[string]string{}
	for _, name := range reservedNames {
		payee[name] = "evil"
	}
	for _, country := range Countries() {
		c := client(t, merchant(country.Name), nil)
		o := c.payoutRequest(payout.Command{TradeNo: "t-1", Amount: amount(t, "300"), Remark: "r", Payee: payout.NewPayee(payee)}, time.Now())
		for _, p := range o.params.inOrder() {
			if p.value == "evil" {
				t.Errorf("%s: %s", country.Name, p.name)
			}
		}
	}
}
