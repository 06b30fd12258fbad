package paypro

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"disburser/payout"
	"disburser/payout/finding"
	"disburser/payout/money"
)

// quoting is an answer in which one text field quotes a value.
type quoting struct {
	name, code string
	status     string // data.status, "" = no data
	quote      func(value string) (top, data map[string]any)
}

func inTop(name string) func(string) (map[string]any, map[string]any) {
	return func(v string) (map[string]any, map[string]any) { return map[string]any{name: v}, nil }
}

func inData(name string) func(string) (map[string]any, map[string]any) {
	return func(v string) (map[string]any, map[string]any) { return nil, map[string]any{name: v} }
}

// quotings has an answer for every text field: of outcomes, accepted sends and refusals.
func quotings() (all []quoting) {
	for _, status := range []string{"0000", "00029", "00032", ""} {
		for _, code := range []string{"0000", "8000"} {
			all = append(all, quoting{"msg", code, status, inTop("msg")})
			for _, name := range []string{"desc", "message", "platFormTradeNo", "platformTradeNo", "serialNumber", "successTime", "amount", "payAmount", "tradeNo", "remark"} {
				all = append(all, quoting{"data." + name, code, status, inData(name)})
			}
		}
	}
	return append(all,
		quoting{"code", "", "", inTop("code")},
		quoting{"data.status", "0000", "", inData("status")},
		quoting{"data.status", "8000", "", inData("status")})
}

func (q quoting) answer(tradeNo, value string) reply {
	top, data := q.quote(value)
	all := map[string]any{"code": q.code, "msg": "success"}
	if q.status != "" || data != nil {
		inner := map[string]any{"tradeNo": tradeNo, "status": q.status}
		for name, v := range data {
			inner[name] = v
		}
		all["data"] = inner
	}
	for name, v := range top {
		all[name] = v
	}
	body, err := json.Marshal(all)
	if err != nil {
		panic(err)
	}
	return reply{status: http.StatusOK, body: body}
}

// The provider quotes each payee field of each country in each text field of each answer. Nothing
// of it is visible, and the decision is the same as without the quote.
func TestNoAnswerShowsThePayee(t *testing.T) {
	for _, country := range Countries() {
		c := client(t, merchant(country.Name), nil)
		ordered := amountOf(country.Name)
		cmd := payout.Command{TradeNo: "t-1", Amount: amount(t, ordered), Payee: payout.NewPayee(good[country.Name])}
		stranger := payout.Command{TradeNo: "t-1", Amount: cmd.Amount}
		for field, value := range good[country.Name] {
			stands := regexp.MustCompile(`(?i)(^|[^\pL\pN])` + regexp.QuoteMeta(value) + `($|[^\pL\pN])`)
			for _, q := range quotings() {
				for _, text := range []string{value, "wallet " + value + " of NAME does not exist", strings.ToUpper(value) + "/" + strings.ToLower(value)} {
					for phase, v := range map[string]verdict{"send": sendVerdict, "ask": c.queryVerdict} {
						r := q.answer("t-1", text)
						f, plain := c.judge(v, cmd, r), c.judge(v, stranger, r)
						shown := fmt.Sprintf("%s|%s|%s|%s|%s|%s", f.Status, f.StatusText, f.PlatformTradeNo, f.PaidAmount, f.SuccessTime, f.Detail)
						if stands.MatchString(shown) {
							t.Errorf("%s payee.%s in %s of code %q status %q to a %s: %s", country.Name, field, q.name, q.code, q.status, phase, shown)
						}
						if f.Kind != plain.Kind || f.Order != plain.Order || f.Served != plain.Served || f.Share != plain.Share || !f.SucceededAt.Equal(plain.SucceededAt) {
							t.Errorf("%s payee.%s in %s: %+v, without it %+v", country.Name, field, q.name, f, plain)
						}
					}
				}
			}
		}
	}
}

// A short value occurs in other words and numbers by chance.
func TestShortValuesHideLittle(t *testing.T) {
	c := client(t, merchant("nigeria"), nil)
	payee := map[string]string{"a": "1", "b": "Li", "c": "0002", "d": "-", "e": "00", "f": "300", "g": "2026"}
	cmd := payout.Command{TradeNo: "t-1", Amount: amount(t, "300"), Payee: payout.NewPayee(payee)}
	for _, test := range []struct {
		status, text, platform, paid, at string
		want                             finding.Finding
	}{
		{"0000", "0000 - SUCCESSFULLY PAID 11 of 21 - LIMIT", "2tj1ba3vz00li0002hx3l", "300.00", "2026-11-21 18:34:31",
			finding.Finding{Status: "0000", StatusText: "0000 - SUCCESSFULLY PAID 11 of 21 - LIMIT", PlatformTradeNo: "2tj1ba3vz00li0002hx3l", PaidAmount: "300.00", SuccessTime: "2026-11-21 18:34:31"}},
		{"00029", "00029: bank 0002, no. 1, (LI)", "0002", "300", "",
			finding.Finding{Status: "00029", StatusText: "00029: bank ***, no. ***, (***)", PlatformTradeNo: "***", PaidAmount: "300"}},
		{"0000", "", "", "1", "2026", finding.Finding{Status: "0000", PaidAmount: "***", SuccessTime: "***"}},
		{"0000", "", "", "1.5", "", finding.Finding{Status: "0000", PaidAmount: "1.5"}},
	} {
		body := fmt.Sprintf(`{"code":"0000","data":{"tradeNo":"t-1","status":%q,"desc":%q,"platFormTradeNo":%q,"amount":%q,"successTime":%q}}`,
			test.status, test.text, test.platform, test.paid, test.at)
		got := c.judge(c.queryVerdict, cmd, reply{status: 200, body: []byte(body)})
		got = finding.Finding{Status: got.Status, StatusText: got.StatusText, PlatformTradeNo: got.PlatformTradeNo, PaidAmount: got.PaidAmount, SuccessTime: got.SuccessTime}
		if got != test.want {
			t.Errorf("got %+v\nwant %+v", got, test.want)
		}
	}
}

// Decisions are made with the unmasked texts: an amount that is also an account number, and two
// codes that look the same when masked.
func TestHiddenTextsDecide(t *testing.T) {
	c := client(t, egypt(), nil)
	cmd := egyptCommand(t)
	ask := func(status, paid, at string) finding.Finding {
		body := fmt.Sprintf(`{"code":"0000","data":{"tradeNo":%q,"status":%q,"amount":%q,"successTime":%q}}`, cmd.TradeNo, status, paid, at)
		return c.judge(c.queryVerdict, cmd, reply{status: 200, body: []byte(body)})
	}
	if f := ask("0000", testWallet, ""); f.PaidAmount != "***" || f.Share != money.ShareMore || f.Kind != finding.Paid {
		t.Errorf("%+v", f)
	}
	one, other := ask("NO "+testWallet+" 1", "", ""), ask("NO "+testWallet+" 1 "+testWallet, "", "")
	if one.Status != "NO *** 1" || one.StatusKey == "" || one.StatusKey == other.StatusKey || one.StatusKey != ask("NO "+testWallet+" 1", "", "").StatusKey {
		t.Errorf("%+v\n%+v", one, other)
	}
	if f := ask("00032", "", ""); f.Status != "00032" || f.StatusKey != "" {
		t.Errorf("%+v", f)
	}
	if f := ask("0000", "300", "2026-11-21 18:34:31"); !f.SucceededAt.Equal(time.Date(2026, 11, 21, 18, 34, 31, 0, time.UTC)) || f.Share != money.ShareAll {
		t.Errorf("%+v", f)
	}
	for _, text := range []string{"", "soon", "2026-13-45 00:00:00", "0000-00-00 00:00:00", "1795286071000"} {
		if f := ask("0000", "300", text); !f.SucceededAt.IsZero() || f.SuccessTime != text {
			t.Errorf("%q: %+v", text, f)
		}
	}
}

// The secret is masked wherever payee data is.
func TestNoAnswerShowsTheSecret(t *testing.T) {
	c := client(t, egypt(), nil)
	for _, q := range quotings() {
		for _, v := range []verdict{sendVerdict, c.queryVerdict} {
			if f := c.judge(v, aboutOne, q.answer("t-1", "key "+testSecret)); leaks(fmt.Sprintf("%+v", f)) {
				t.Errorf("%s: %+v", q.name, f)
			}
		}
	}
}

// Code 0000 without data means "no such order" only if the operator set it so.
func TestEmptyData(t *testing.T) {
	s := egypt()
	without := client(t, s, nil)
	s.NoRecordEmpty = true
	with := client(t, s, nil)
	s.NoRecordCodes = []string{"4040"}
	both := client(t, s, nil)
	for _, test := range []struct {
		body             string
		without, with    finding.Kind
		servedWith       bool
		withCode, asSend finding.Kind
	}{
		{`{"code":"0000"}`, finding.Unclear, finding.NoRecord, false, finding.NoRecord, finding.Unclear},
		{`{"code":"0000","data":null}`, finding.Unclear, finding.NoRecord, false, finding.NoRecord, finding.Unclear},
		{`{"code":"0000","data":{}}`, finding.Unclear, finding.NoRecord, false, finding.NoRecord, finding.Unclear},
		{`{"code":"0000","data":""}`, finding.Unclear, finding.NoRecord, false, finding.NoRecord, finding.Unclear},
		{`{"code":"0000","msg":"success"}`, finding.Unclear, finding.NoRecord, false, finding.NoRecord, finding.Unclear},
		{`{"code":"0000","success":true,"data":[]}`, finding.Unclear, finding.NoRecord, false, finding.NoRecord, finding.Unclear},
		{`{"code":"0000","success":false,"data":null}`, finding.Unclear, finding.Unclear, false, finding.Unclear, finding.Unclear},
		{`{"code":"0000","data":{"status":""}}`, finding.Unclear, finding.Unclear, true, finding.Unclear, finding.Unclear},
		{`{"code":"0000","data":{"tradeNo":"t-1"}}`, finding.Unclear, finding.Unclear, true, finding.Unclear, finding.Unclear},
		{`{"code":"0000","data":{"tradeNo":"t-1","status":"0000"}}`, finding.Paid, finding.Paid, true, finding.Paid, finding.SettledPaid},
		{`{"code":"8000","data":null}`, finding.NoRecord, finding.Unclear, false, finding.Unclear, finding.Refused},
		{`{"code":"4040","data":null}`, finding.Unclear, finding.Unclear, false, finding.NoRecord, finding.Unclear},
	} {
		r := reply{status: http.StatusOK, body: []byte(test.body)}
		ask := func(c *Client) finding.Finding { return c.judge(c.queryVerdict, aboutOne, r) }
		if got := ask(without).Kind; got != test.without {
			t.Errorf("%s: %v", test.body, got)
		}
		if got := ask(with); got.Kind != test.with || got.Served != test.servedWith {
			t.Errorf("%s with empty_data: %v, served %v", test.body, got.Kind, got.Served)
		}
		if got := ask(with); got.Kind == finding.NoRecord && got.Status+got.StatusText != "" {
			t.Errorf("%s: an absence with the words %q %q, as if they were the order's", test.body, got.Status, got.StatusText)
		}
		if got := ask(both).Kind; got != test.withCode {
			t.Errorf("%s with empty_data and a code: %v", test.body, got)
		}
		if got := with.judge(sendVerdict, aboutOne, r).Kind; got != test.asSend {
			t.Errorf("%s as a send's: %v", test.body, got)
		}
	}
}

// Kenya's page lists no tradeNo in the answer to a query. There an outcome without a tradeNo is
// believed, and one with another tradeNo isn't. An unclear answer about an order shows that there
// is one.
func TestWhereAnswersNameNoTradeNo(t *testing.T) {
	for _, country := range Countries() {
		c := client(t, merchant(country.Name), nil)
		ask := func(body string) finding.Finding {
			return c.judge(c.queryVerdict, aboutOne, reply{status: http.StatusOK, body: []byte(body)})
		}
		want := finding.Unclear
		if country.Name == "kenya" {
			want = finding.Paid
		}
		if f := ask(`{"code":"0000","data":{"status":"0000"}}`); f.Kind != want || f.Order != (want == finding.Unclear) {
			t.Errorf("%s: %+v", country.Name, f)
		}
		if f := ask(`{"code":"0000","data":{"status":"0000","tradeNo":"t-2"}}`); f.Kind != finding.Unclear || f.Order {
			t.Errorf("%s: %+v", country.Name, f)
		}
	}
	c := client(t, egypt(), nil)
	for body, order := range map[string]bool{
		`{"code":"0000","success":false,"data":{"tradeNo":"t-1","status":"0015"}}`: true,
		`{"code":"8000","data":{"status":"0000"}}`:                                 true,
		`{"code":"5000","data":{"tradeNo":"t-1","status":"0000"}}`:                 true,
		`{"code":"0000","data":{"tradeNo":"t-1"}}`:                                 true,
		`{"code":"0000","data":{"tradeNo":"t-1","status":"0000"}}`:                 false, // it is clear
		`{"code":"8000","data":{"tradeNo":"t-1"}}`:                                 false,
		`{"code":"5000"}`: false,
		`{"code":"0000"}`: false,
		`{"code":"8000","data":{"tradeNo":"t-2","status":"0000"}}`: false,
	} {
		if f := c.judge(c.queryVerdict, aboutOne, reply{status: http.StatusOK, body: []byte(body)}); f.Order != order {
			t.Errorf("%s: %+v", body, f)
		}
	}
}

// A constant field may be a key: it is masked in the provider's texts.
func TestNoAnswerShowsExtra(t *testing.T) {
	s := egypt()
	s.Extra = Extra{Send: map[string]string{"subMerchant": "hidden-send"}, Query: map[string]string{"token": "hidden-query"}, Balance: map[string]string{"token": "hidden-balance"}}
	c := client(t, s, nil)
	r := reply{status: http.StatusOK, body: []byte(`{"code":"8000","msg":"HIDDEN-SEND hidden-query, hidden-balance"}`)}
	if got := c.judge(c.queryVerdict, aboutOne, r).StatusText; got != "*** ***, ***" {
		t.Errorf("shows %q", got)
	}
}

// A secret at the place where a text is cut is masked too.
func TestABalancesRefusalIsHiddenBeforeItIsCut(t *testing.T) {
	c := client(t, egypt(), nil)
	secret := c.secret.Reveal()
	got := c.refusalOf(answer{code: "8000", msg: strings.Repeat("x", maxText-4) + " " + secret}).Error()
	if strings.Contains(got, secret[:3]) {
		t.Errorf("shows a part of it: %q", got[len(got)-80:])
	}
}

func TestAClearAnswerWithoutATradeNoIsNameless(t *testing.T) {
	c := client(t, egypt(), nil)
	for body, want := range map[string]bool{
		`{"code":"0000","data":{"status":"0000"}}`:                 true,
		`{"code":"0000","data":{"status":"0000","tradeNo":"t-1"}}`: false,
		`{"code":"5000","data":{"status":"0000"}}`:                 false,
	} {
		if got := c.judge(c.queryVerdict, aboutOne, reply{status: http.StatusOK, body: []byte(body)}).Nameless; got != want {
			t.Errorf("%s: %v", body, got)
		}
	}
}
