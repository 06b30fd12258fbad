package message

import (
	"net/url"
	"reflect"
	"slices"
	"testing"
	"time"

	"disburser/payout"
)

// What stands in the topic is read by payroll systems and by a rebuild: to the byte.
func TestAResultStandsInItsTopicAsEver(t *testing.T) {
	p := in(t, payout.StateRejected)
	p.TradeNo, p.Reason, p.SettledAt, p.Sends, p.Asks = "t-1", "payee.walletId <is> missing", t0.Add(5*time.Millisecond), 0, 0
	p.Trace = payout.Trace{Parent: "00-a-b-01", State: "k=v"}
	e, _ := EventOf(p)
	m, err := EncodeEvent(e)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"ce_specversion: 1.0", "ce_id: " + e.EventID, "ce_source: /disburser/eg-main", "ce_type: payout.rejected", "ce_subject: t-1",
		"ce_time: 2026-11-21T10:30:00.005Z", "content-type: application/json", "fingerprint: " + string(p.Fingerprint),
		"traceparent: 00-a-b-01", "tracestate: k=v",
	}
	if got := written(m.Headers); !slices.Equal(got, want) || string(m.Key) != "t-1" {
		t.Errorf("%s: %q\nwant %q", m.Key, got, want)
	}
	if value := string(m.Value); value != `{"eventId":"`+e.EventID+`","type":"payout.rejected","tradeNo":"t-1","merchant":"eg-main","country":"egypt",`+
		`"batchId":"2026-11-payroll","batchSize":15000,"amount":"300","currency":"EGP","status":"","statusText":"","platformTradeNo":"",`+
		`"paidAmount":"","remark":"salary 2026-11","reason":"payee.walletId \u003cis\u003e missing","sends":0,"asks":0,`+
		`"receivedAt":"2026-11-21T10:30:00.000Z","settledAt":"2026-11-21T10:30:00.005Z"}` {
		t.Errorf("%s", value)
	}
}

func TestAResultIsReadAsItWasWritten(t *testing.T) {
	for _, s := range []payout.State{payout.StatePaid, payout.StatePartial, payout.StateFailed, payout.StateRejected, payout.StateHeld} {
		for _, trace := range []payout.Trace{{}, {Parent: "p"}, {State: "s"}, {Parent: "p", State: "s"}} {
			p := in(t, s)
			p.Trace = trace
			e, _ := EventOf(p)
			m, err := EncodeEvent(e)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := DecodeEvent(m); err != nil || !reflect.DeepEqual(got, e) {
				t.Errorf("%v is read as %+v, %v\nwant %+v", s, got, err, e)
			}
		}
	}
}

// Others may write to the topic, and newer versions may write more.
func TestWhichMessagesAreResults(t *testing.T) {
	for value, want := range map[string]bool{
		`{"tradeNo":"a","type":"payout.paid"}`:                  true,
		`{"tradeNo":"a","type":"payout.frozen","of":{"who":1}}`: true,
		`{"tradeNo":"a","type":5}`:                              false,
		`{"tradeNo":"a b"}`:                                     false,
		`{"type":"payout.paid"}`:                                false,
		`null`:                                                  false,
		`[]`:                                                    false,
		``:                                                      false,
	} {
		e, err := DecodeEvent(Message{Value: []byte(value), Headers: []Header{header(EventTimeHeader, "noon")}})
		if (err == nil) != want || want && e.TradeNo != "a" || !e.Time.IsZero() || e.Fingerprint != "" {
			t.Errorf("%s: %+v, %v", value, e, err)
		}
	}
}

// The last header of a name counts, whoever put one before it.
func TestTheLastHeaderOfANameCounts(t *testing.T) {
	m := New([]byte("k"), []byte("v"), []struct {
		Key   string
		Value []byte
	}{{"a", []byte("1")}, {"b", nil}, {"a", []byte("2")}})
	if m.Header("a") != "2" || m.Header("b") != "" || m.Header("c") != "" {
		t.Errorf("%+v", m)
	}
	if back := HeadersAs[struct {
		Key   string
		Value []byte
	}](m.Headers); len(back) != 3 || back[2].Key != "a" || string(back[2].Value) != "2" {
		t.Errorf("%+v", back)
	}
}

// Whatever stands in the topic, what is read of it and written again is read as the same.
func FuzzResults(f *testing.F) {
	f.Add([]byte(`{"eventId":"e","type":"payout.paid","tradeNo":"a","merchant":"m","sends":1,"asks":2}`), "468DWSdh5cz6ZSF5", "2026-11-25T06:00:00.5Z", "p", "s")
	f.Add([]byte(`{"type":"payout.held","tradeNo":"a","batchSize":-1}`), "", "9999-12-31T23:59:59-23:59", "", "s")
	f.Fuzz(func(t *testing.T, value []byte, fingerprint, at, parent, state string) {
		headers := []Header{header(FingerprintHeader, fingerprint), header(EventTimeHeader, at), header(traceParent, parent), header(traceState, state)}
		e, err := DecodeEvent(Message{Value: value, Headers: headers})
		if err != nil {
			return
		}
		m, err := EncodeEvent(e)
		if err != nil {
			t.Fatalf("%q: %v", value, err)
		}
		if again, err := DecodeEvent(m); err != nil || e.Time.Year() > 0 && e.Time.Year() < 10000 && !reflect.DeepEqual(again, e) {
			t.Errorf("%q is read as %+v, and then as %+v, %v", value, e, again, err)
		}
	})
}

// The merchant of a rejected payout may be any text; ce_source must be a URI-reference all
// the same, and tell every name apart.
func TestCeSourceIsAURIReference(t *testing.T) {
	for merchant, want := range map[string]string{
		"eg-main": "/disburser/eg-main", "a.b_c": "/disburser/a.b_c", "": "/disburser/", "100%": "/disburser/100%25", "a/b": "/disburser/a%2Fb",
		"a b?c#d": "/disburser/a%20b%3Fc%23d", "é": "/disburser/%C3%A9", "..": "/disburser/%2E%2E", ".": "/disburser/%2E", "[x]": "/disburser/%5Bx%5D",
	} {
		got := source(merchant)
		u, err := url.Parse(got)
		if got != want || err != nil || u.Path != "/disburser/"+merchant {
			t.Errorf("%q: %s, %v, %v; want %s", merchant, got, u, err, want)
		}
	}
}
