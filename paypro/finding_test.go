package paypro

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"disburser/payout"
	"disburser/payout/finding"
)

// judged returns the findings of an answer with HTTP 200, to a send and to a query.
func judged(c *Client, body string) (send, ask finding.Finding) {
	r := reply{status: http.StatusOK, body: []byte(body)}
	return c.judge(sendVerdict, aboutOne, r), c.judge(c.queryVerdict, aboutOne, r)
}

// aboutOne is the command that the answers are about.
var aboutOne = payout.Command{TradeNo: "t-1", Payee: payout.NewPayee(map[string]string{"customerName": testName, "walletId": testWallet})}

func TestFinding(t *testing.T) {
	const (
		unclear = finding.Unclear
	)
	c := client(t, egypt(), nil)
	for _, test := range []struct {
		body      string
		send, ask finding.Kind
		served    bool
	}{
		// The table of statuses.
		{`{"code":"0000","data":{"tradeNo":"t-1","status":"0015"}}`, finding.Accepted, finding.Processing, true},
		{`{"code":"0000","data":{"tradeNo":"t-1","status":"0000"}}`, finding.SettledPaid, finding.Paid, true},
		{`{"code":"0000","data":{"tradeNo":"t-1","status":"0001"}}`, finding.SettledPartial, finding.Partial, true},
		{`{"code":"0000","data":{"tradeNo":"t-1","status":"00029"}}`, finding.SettledFailed, finding.Failed, true},
		{`{"code":"0000","data":{"tradeNo":"t-1","status":"0029"}}`, finding.SettledFailed, finding.Failed, true},
		{`{"code":"0000","data":{"tradeNo":"t-1","status":"0100019"}}`, finding.SettledFailed, finding.Failed, true},
		{`{"code":"0000","data":{"tradeNo":"t-1","status":"00032"}}`, finding.SettledOther, finding.UnknownStatus, true},
		{`{"code":"0000","data":{"tradeNo":"t-1","status":"029"}}`, finding.SettledOther, finding.UnknownStatus, true},
		{`{"code":"0000","data":{"tradeNo":"t-1","status":"SOMETHING NEW"}}`, finding.SettledOther, finding.UnknownStatus, true},

		// Accepted without saying what.
		{`{"code":"0000"}`, unclear, unclear, true},
		{`{"code":"0000","data":null}`, unclear, unclear, true},
		{`{"code":"0000","data":{}}`, unclear, unclear, true},
		{`{"code":"0000","data":{"tradeNo":"t-1","status":""}}`, unclear, unclear, true},
		{`{"code":"0000","data":{"status":null}}`, unclear, unclear, true},

		// The outer codes.
		{`{"code":"8000","msg":"order error"}`, finding.Refused, finding.NoRecord, false},
		{`{"code":"8000","data":null}`, finding.Refused, finding.NoRecord, false},
		{`{"code":"8000","data":""}`, finding.Refused, finding.NoRecord, false},
		{`{"code":"8000","data":[]}`, finding.Refused, finding.NoRecord, false},
		{`{"code":"8000","data":{"tradeNo":"t-1","status":""}}`, finding.Refused, finding.NoRecord, false},
		{`{"code":"8000","data":{"tradeNo":"t-1"}}`, finding.Refused, finding.NoRecord, false},
		{`{"code":"8000","data":{"tradeNo":"t-2"}}`, unclear, unclear, false},
		{`{"code":"8000","data":{"tradeNo":"t-1","status":"0000"}}`, unclear, unclear, false},
		{`{"code":"8000","data":{"tradeNo":"t-1","status":"00029"}}`, unclear, unclear, false},
		{`{"code":"5000","msg":"system exception"}`, unclear, unclear, false},
		{`{"code":"5000","data":{"tradeNo":"t-1","status":"0000"}}`, unclear, unclear, false},
		{`{"code":"08000"}`, unclear, unclear, false},
		{`{"code":"9999"}`, unclear, unclear, false},
		{`{"code":""}`, unclear, unclear, false},
		{`{"code":null,"data":{"tradeNo":"t-1","status":"0000"}}`, unclear, unclear, false},
		{`{"data":{"tradeNo":"t-1","status":"0000"}}`, unclear, unclear, false},
		{`{"status":"0000","tradeNo":"t-1"}`, unclear, unclear, false},

		// Whose payout the answer is about.
		{`{"code":"0000","data":{"status":"0000","tradeNo":"t-1"}}`, finding.SettledPaid, finding.Paid, true},
		{`{"code":"0000","data":{"status":"0000","tradeNo":""}}`, unclear, unclear, true},
		{`{"code":"0000","data":{"status":"0000","tradeNo":null}}`, unclear, unclear, true},
		{`{"code":"0000","data":{"status":"0000"}}`, unclear, unclear, true},
		{`{"code":"0000","data":{"status":"0001"}}`, unclear, unclear, true},
		{`{"code":"0000","data":{"status":"00029"}}`, unclear, unclear, true},
		{`{"code":"0000","data":{"status":"00032"}}`, unclear, unclear, true},
		{`{"code":"0000","tradeNo":"t-1","data":{"status":"0000"}}`, unclear, unclear, true},
		{`{"code":"0000","data":{"status":"0015"}}`, finding.Accepted, finding.Processing, true}, // ends nothing

		// The field success, if it contradicts the code.
		{`{"code":"0000","success":false,"data":{"tradeNo":"t-1","status":"0000"}}`, unclear, unclear, false},
		{`{"code":"0000","success":"False","data":{"tradeNo":"t-1","status":"0000"}}`, unclear, unclear, false},
		{`{"code":"0000","success":false,"data":{"tradeNo":"t-1","status":"00029"}}`, unclear, unclear, false},
		{`{"code":"0000","success":false,"data":{"tradeNo":"t-1","status":"0015"}}`, unclear, unclear, false},
		{`{"code":"0000","success":true,"data":{"tradeNo":"t-1","status":"0000"}}`, finding.SettledPaid, finding.Paid, true},
		{`{"code":"0000","success":null,"data":{"tradeNo":"t-1","status":"0000"}}`, finding.SettledPaid, finding.Paid, true},
		{`{"code":"8000","success":false}`, finding.Refused, finding.NoRecord, false},
		{`{"code":"8000","success":true}`, unclear, unclear, false},
		{`{"code":"0000","data":{"status":"0000","tradeNo":"t-2"}}`, unclear, unclear, true},
		{`{"code":"0000","data":{"status":"0000","tradeNo":"T-1"}}`, unclear, unclear, true},
		{`{"code":"0000","data":{"status":"0000","tradeNo":["t-1"]}}`, unclear, unclear, true},

		// Types: lenient where nothing is decided, strict where money is.
		{`{"code":"0000","success":"true","timestamp":"1","data":{"tradeNo":"t-1","status":"0000","amount":3.0000},"x":{"y":[1]}}`, finding.SettledPaid, finding.Paid, true},
		{`{"code":"0000","success":1,"timestamp":1,"data":{"tradeNo":"t-1","status":"0000","amount":"3"}}`, finding.SettledPaid, finding.Paid, true},
		{`{"code":0,"data":{"tradeNo":"t-1","status":"0000"}}`, unclear, unclear, false},
		{`{"code":8000}`, unclear, unclear, false},
		{`{"code":"0000","data":{"tradeNo":"t-1","status":0}}`, unclear, unclear, false},
		{`{"code":"0000","data":{"tradeNo":"t-1","status":29}}`, unclear, unclear, false},
		{`{"code":"0000","data":{"tradeNo":"t-1","status":true}}`, unclear, unclear, false},
		{`{"code":"0000","data":{"tradeNo":"t-1","status":{"status":"0000"}}}`, unclear, unclear, false},
		{`{"code":"0000","data":{"tradeNo":"t-1","status":"0000 "}}`, unclear, unclear, false},
		{`{"code":"0000","data":{"tradeNo":"t-1","status":"0000\u0000"}}`, unclear, unclear, false},
		{`{"code":" 8000"}`, unclear, unclear, false},
		{`{"code":"0000","data":"{\"status\":\"0000\"}"}`, unclear, unclear, false},
		{`{"code":"0000","data":[{"status":"0000"}]}`, unclear, unclear, false},

		// Names: in their letter case, and at most once.
		{`{"Code":"0000","Data":{"Status":"0000"}}`, unclear, unclear, false},
		{`{"code":"0000","data":{"Status":"0000"}}`, unclear, unclear, true},
		{`{"code":"0000","data":{"tradeNo":"t-1","status":"0015","status":"0000"}}`, unclear, unclear, false},
		{`{"code":"0000","data":{"tradeNo":"t-1","status":"0000","st\u0061tus":"0000"}}`, unclear, unclear, false},
		{`{"code":"8000","code":"0000","data":{"tradeNo":"t-1","status":"0000"}}`, unclear, unclear, false},
		{`{"code":"0000","data":{"tradeNo":"t-1","status":"0000"},"data":{}}`, unclear, unclear, false},

		// No readable answer.
		{``, unclear, unclear, false},
		{`OK`, unclear, unclear, false},
		{`null`, unclear, unclear, false},
		{`"0000"`, unclear, unclear, false},
		{`[{"code":"0000","data":{"tradeNo":"t-1","status":"0000"}}]`, unclear, unclear, false},
		{`{"code":"0000","data":{"tradeNo":"t-1","status":"0000"}`, unclear, unclear, false},
		{`{"code":"0000","data":{"tradeNo":"t-1","status":"0000"}}{"code":"8000"}`, unclear, unclear, false},
		{`<html>0000</html>`, unclear, unclear, false},
		{strings.Repeat(`{"data":`, 40) + `1` + strings.Repeat(`}`, 40), unclear, unclear, false},
	} {
		send, ask := judged(c, test.body)
		if send.Kind != test.send || send.Served != test.served {
			t.Errorf("send %s\n got %v, served %v (%s)\nwant %v, %v", test.body, send.Kind, send.Served, send.Detail, test.send, test.served)
		}
		if ask.Kind != test.ask || ask.Served != test.served {
			t.Errorf("ask %s\n got %v, served %v (%s)\nwant %v, %v", test.body, ask.Kind, ask.Served, ask.Detail, test.ask, test.served)
		}
		if send.Detail == "" || ask.Detail == "" {
			t.Errorf("%s: a finding without a detail", test.body)
		}
	}
}

// Only HTTP 200 decides anything, whatever the body says.
func TestFindingOfOtherStatuses(t *testing.T) {
	c := client(t, egypt(), nil)
	for status := 100; status < 600; status++ {
		for _, body := range []string{`{"code":"0000","data":{"status":"0000"}}`, `{"code":"8000"}`} {
			r := reply{status: status, body: []byte(body)}
			for _, v := range []verdict{sendVerdict, c.queryVerdict} {
				f := c.judge(v, aboutOne, r)
				if (f.Kind != finding.Unclear || f.Served) != (status == http.StatusOK) {
					t.Errorf("HTTP %d, %s: %v, served %v", status, body, f.Kind, f.Served)
				}
			}
		}
	}
}

func TestNoRecordCodes(t *testing.T) {
	s := egypt()
	s.NoRecordCodes = []string{"4040", "4041"}
	c := client(t, s, nil)
	for code, want := range map[string]finding.Kind{"4040": finding.NoRecord, "4041": finding.NoRecord, "8000": finding.Unclear} {
		if _, ask := judged(c, `{"code":"`+code+`"}`); ask.Kind != want {
			t.Errorf("%s: got %v, want %v", code, ask.Kind, want)
		}
	}
}

func TestFindingQuotes(t *testing.T) {
	for _, test := range []struct {
		country, body string
		want          finding.Finding
	}{
		{
			"egypt", `{"msg":"success","code":"0000","data":{"tradeNo":"t-1","platFormTradeNo":"2tjba3vz6wm6hx3l","status":"0015","desc":"CREATED"}}`,
			finding.Finding{Kind: finding.Processing, Status: "0015", StatusText: "CREATED", PlatformTradeNo: "2tjba3vz6wm6hx3l"},
		},
		{
			"brazil", `{"msg":"success","code":"0000","data":{"tradeNo":"t-1","platformTradeNo":"p","status":"00029","message":"REJECTED_TRANSACTION","amount":"30000","successTime":"2024-07-01 18:34:31"}}`,
			finding.Finding{Kind: finding.Failed, Status: "00029", StatusText: "REJECTED_TRANSACTION", PlatformTradeNo: "p", PaidAmount: "30000", SuccessTime: "2024-07-01 18:34:31"},
		},
		{
			"kenya", `{"code":"0000","data":{"serialNumber":77,"status":"0000","amount":3.0000}}`,
			finding.Finding{Kind: finding.Paid, Status: "0000", PlatformTradeNo: "77", PaidAmount: "3.0000"},
		},
		{
			"indonesia", `{"code":"0000","data":{"tradeNo":"t-1","status":"0000","orderAmount":"300.00","payAmount":"200.00","amount":"1"}}`,
			finding.Finding{Kind: finding.Paid, Status: "0000", PaidAmount: "200.00"},
		},
		{
			"egypt", `{"code":"0000","data":{"tradeNo":"t-1","status":"0000","amount":"call 01123456789"}}`,
			finding.Finding{Kind: finding.Paid, Status: "0000", AmountUnread: true},
		},
		{"brazil", `{"code":"0000","data":{"tradeNo":"t-1","status":"0000","amount":0.30000000000000004}}`, finding.Finding{Kind: finding.Paid, Status: "0000", PaidAmount: "0.30000000000000004"}},
		{"brazil", `{"code":"0000","data":{"tradeNo":"t-1","status":"0000","amount":3e2}}`, finding.Finding{Kind: finding.Paid, Status: "0000", AmountUnread: true}},
		{"brazil", `{"code":"0000","data":{"tradeNo":"t-1","status":"0000","amount":[300]}}`, finding.Finding{Kind: finding.Paid, Status: "0000", AmountUnread: true}},
		{"brazil", `{"code":"0000","data":{"tradeNo":"t-1","status":"0000","amount":"-3"}}`, finding.Finding{Kind: finding.Paid, Status: "0000", AmountUnread: true}},
		{"brazil", `{"code":"0000","data":{"tradeNo":"t-1","status":"0000","amount":"0"}}`, finding.Finding{Kind: finding.Paid, Status: "0000", PaidAmount: "0"}},
		{"brazil", `{"code":"0000","data":{"tradeNo":"t-1","status":"0000","amount":"","payAmount":null}}`, finding.Finding{Kind: finding.Paid, Status: "0000"}},
		{"egypt", `{"code":"5000","msg":"system\r\nexception"}`, finding.Finding{Status: "5000", StatusText: "systemexception"}},
	} {
		_, got := judged(client(t, merchant(test.country), nil), test.body)
		test.want.Detail, test.want.HTTPStatus, test.want.Served = got.Detail, 200, got.Served
		test.want.SucceededAt = localTime(test.want.SuccessTime)
		if got != test.want {
			t.Errorf("%s %s\n got %+v\nwant %+v", test.country, test.body, got, test.want)
		}
	}
}

// The provider may quote what we sent: its text is passed on, payee data is masked.
func TestFindingHidesPeople(t *testing.T) {
	c := client(t, egypt(), nil)
	said := "wallet 01123456789 of KEVIN  QUATERMAIN / kevin quatermain (Kevin Qua\ntermain) key " + testSecret + " "
	cmd := egyptCommand(t)
	r := reply{status: 200, body: fmt.Appendf(nil, `{"code":"8000","msg":%q}`, said+strings.Repeat("x", 500))}
	f := c.judge(sendVerdict, cmd, r)
	want := "wallet *** of KEVIN  QUATERMAIN / *** (***) key *** "
	if !strings.HasPrefix(f.StatusText, want) || len(f.StatusText) != maxText {
		t.Errorf("got %q", f.StatusText)
	}
	if leaks(f.Detail) {
		t.Errorf("detail %q", f.Detail)
	}
}

// leaks tells whether payee data or the secret occurs in a text.
func leaks(text string) bool {
	return slices.ContainsFunc([]string{testName, testWallet, testSecret}, func(v string) bool {
		return strings.Contains(strings.ToLower(text), strings.ToLower(v))
	})
}

func TestRetryAfter(t *testing.T) {
	later := func(d time.Duration) string { return time.Now().Add(d).UTC().Format(http.TimeFormat) }
	for _, test := range []struct {
		status   int
		header   string
		from, to time.Duration
	}{
		{429, "3", 3 * time.Second, 3 * time.Second},
		{503, "3", 3 * time.Second, 3 * time.Second},
		{502, "3", 0, 0},
		{200, "3", 0, 0},
		{429, "", 0, 0},
		{429, "soon", 0, 0},
		{429, "-1", 0, 0},
		{429, "0", 0, 0},
		{429, "86400", maxPause, maxPause},
		{429, "99999999999999999999", 0, 0},
		{429, later(time.Minute), 50 * time.Second, time.Minute},
		{429, later(-time.Minute), 0, 0},
		{429, later(48 * time.Hour), maxPause, maxPause},
	} {
		if got := (reply{status: test.status, retryAfter: test.header}).pauseAsked(); got < test.from || got > test.to {
			t.Errorf("HTTP %d, Retry-After %q: got %v", test.status, test.header, got)
		}
	}
}

func TestTooFast(t *testing.T) {
	c := client(t, egypt(), nil)
	c.tooFastCodes = []string{"9429", "00099"}
	for _, test := range []struct {
		name       string
		r          reply
		fast       bool
		retryAfter time.Duration
	}{
		{"429", reply{status: 429, retryAfter: "3"}, true, 3 * time.Second},
		{"429 with a good answer", reply{status: 429, body: []byte(`{"code":"0000","data":{"status":"0000","tradeNo":"t-1"}}`)}, true, 0},
		{"503", reply{status: 503, retryAfter: "3"}, false, 3 * time.Second},
		{"an outer code", reply{status: 200, retryAfter: "2", body: []byte(`{"code":"9429","msg":"slow down"}`)}, true, 2 * time.Second},
		{"a status", reply{status: 200, body: []byte(`{"code":"0000","data":{"status":"00099","tradeNo":"t-1"}}`)}, true, 0},
		{"another code", reply{status: 200, retryAfter: "2", body: []byte(`{"code":"9428"}`)}, false, 0},
		{"a failure", reply{status: 200, body: []byte(`{"code":"0000","data":{"status":"00029","tradeNo":"t-1"}}`)}, false, 0},
	} {
		for _, got := range []finding.Finding{c.judge(sendVerdict, aboutOne, test.r), c.judge(c.queryVerdict, aboutOne, test.r)} {
			if got.TooFast != test.fast || got.RetryAfter != test.retryAfter {
				t.Errorf("%s: %+v", test.name, got)
			}
			if got.TooFast && (got.Kind != finding.Unclear || got.Served) {
				t.Errorf("%s: it says something about the payout: %+v", test.name, got)
			}
		}
	}
}

// No answer makes the reader panic. A finding that could move money needs its explicit code and
// status in the answer.
func FuzzFinding(f *testing.F) {
	for _, seed := range []string{
		`{"msg":"success","code":"0000","timestamp":1728611780130,"success":true,"data":{"tradeNo":"t-1","platFormTradeNo":"p","status":"0015","desc":"CREATED"}}`,
		`{"code":"0000","data":{"tradeNo":"t-1","status":"0000","amount":3.0000}}`, `{"code":"0000","success":"false","data":{"tradeNo":"t-1","status":"0029"}}`,
		`{"code":"8000","data":null}`, `{"code":"8000","data":{"status":"0000"}}`, `{"code":"5000"}`, `{"code":0}`,
		`{"code":"0000","data":{"status":"0015","status":"0000"}}`, `[`, `{"data":{"data":{}}}`, `{"code":"\ud800"}`, "\xff", `{"code":"0000","data":{"status":"0000","tradeNo":"t-2"}}`,
	} {
		f.Add(200, seed)
		f.Add(502, seed)
	}
	c := client(f, egypt(), nil)
	f.Fuzz(func(t *testing.T, status int, body string) {
		r := reply{status: status, body: []byte(body)}
		send := c.judge(sendVerdict, aboutOne, r)
		ask := c.judge(c.queryVerdict, aboutOne, r)
		for _, got := range []finding.Finding{send, ask} {
			if got.Kind == finding.Unclear {
				continue
			}
			if status != 200 {
				t.Fatalf("%v of HTTP %d", got.Kind, status)
			}
			proof, ok := proofOf[got.Kind]
			if !ok || !slices.Contains(proof, got.Status) && proof != nil {
				t.Fatalf("%v with status %q", got.Kind, got.Status)
			}
			for _, wanted := range proof {
				if got.Status == wanted && !strings.Contains(unescaped(body), `"`+wanted+`"`) {
					t.Fatalf("%v, but %q does not stand in the answer", got.Kind, wanted)
				}
			}
		}
		if slices.Contains(finding.AskKinds, send.Kind) && send.Kind != finding.Unclear || slices.Contains(finding.SendKinds, ask.Kind) && ask.Kind != finding.Unclear {
			t.Fatalf("send found %v, ask found %v", send.Kind, ask.Kind)
		}
		if len(send.StatusText) > maxText || len(send.Detail) > maxText {
			t.Fatal("too long")
		}
	})
}

// proofOf returns the statuses that a kind of finding needs; nil = any.
var proofOf = map[finding.Kind][]string{
	finding.Accepted: {"0015"}, finding.SettledPaid: {"0000"}, finding.SettledPartial: {"0001"}, finding.SettledFailed: {"00029", "0029", "0100019"}, finding.SettledOther: nil,
	finding.Refused: {"8000"}, finding.NoRecord: {"8000"}, finding.Processing: {"0015"}, finding.Paid: {"0000"},
	finding.Partial: {"0001"}, finding.Failed: {"00029", "0029", "0100019"}, finding.UnknownStatus: nil,
}

// unescaped decodes the \u escapes of digits, as a JSON reader does.
func unescaped(body string) string {
	for digit := range 10 {
		body = strings.ReplaceAll(body, fmt.Sprintf(`\u003%d`, digit), fmt.Sprint(digit))
	}
	return body
}
