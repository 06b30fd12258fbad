package message

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"disburser/payout"
	"disburser/payout/money"
)

// What stands in the topic is read by older and newer instances: to the byte.
func TestACarriedCommandStandsInItsTopicAsEver(t *testing.T) {
	p := received(t)
	p.ReceivedAt = t0.Add(123456789)
	for _, c := range []struct {
		trace payout.Trace
		want  []string
	}{
		{payout.Trace{}, nil},
		{payout.Trace{State: "k=v"}, nil},
		{payout.Trace{Parent: "00-a-b-01"}, []string{"traceparent: 00-a-b-01", "tracestate: "}},
		{payout.Trace{Parent: "00-a-b-01", State: "k=v"}, []string{"traceparent: 00-a-b-01", "tracestate: k=v"}},
	} {
		p.Trace = c.trace
		m, err := EncodeCarried(p)
		if err != nil {
			t.Fatal(err)
		}
		want := append([]string{"carried: received", "carried-received-at: 2026-11-21T10:30:00.123456789Z", "carried-country: " + p.Country}, c.want...)
		if got := written(m.Headers); !reflect.DeepEqual(got, want) || string(m.Key) != p.TradeNo {
			t.Errorf("%s: %q, want %q", m.Key, got, want)
		}
		if orders, err := Decode(m.Value); err != nil || orders[0].Command.Fingerprint() != p.Fingerprint {
			t.Errorf("it is another payout now: %v", err)
		}
		if want := (payout.Trace{Parent: c.trace.Parent, State: map[bool]string{true: c.trace.State}[c.trace.Parent != ""]}); DecodeTrace(m.Headers) != want {
			t.Errorf("the trace is %+v, want %+v", DecodeTrace(m.Headers), want)
		}
	}
}

// written are headers as lines.
func written(headers []Header) (lines []string) {
	for _, h := range headers {
		lines = append(lines, h.Key+": "+string(h.Value))
	}
	return lines
}

func TestWhatIsCarriedIsReadAsItWasWritten(t *testing.T) {
	at := t0.Add(5 * time.Nanosecond)
	for _, c := range []Carried{
		{},
		{State: payout.StateReceived, ReceivedAt: at, Country: "egypt", HasCountry: true},
		{State: payout.StateSending, ReceivedAt: at, Country: "", HasCountry: true},
		{State: payout.StateHeld, HasCountry: true, Country: strings.Repeat("x", longestCountry)},
		{State: payout.StateHeld, ReceivedAt: time.Date(2199, 12, 31, 23, 59, 59, 0, time.UTC)},
	} {
		if got := DecodeCarried(c.Headers()); got != c {
			t.Errorf("%+v is read as %+v", c, got)
		}
	}
}

// What is out of bounds counts as not said, and the payout keeps what it has.
func TestTheBoundsOfWhatIsCarried(t *testing.T) {
	for _, c := range []struct {
		name, value string
		want        Carried
	}{
		{CarriedCountry, strings.Repeat("x", longestCountry+1), Carried{}},
		{CarriedReceivedAt, "1969-12-31T23:59:59Z", Carried{}},
		{CarriedReceivedAt, "2200-01-01T00:00:00Z", Carried{}},
		{CarriedReceivedAt, "yesterday", Carried{}},
		{CarriedReceivedAt, "1970-01-01T00:00:00Z", Carried{ReceivedAt: time.Unix(0, 0).UTC()}},
		{CarriedHeader, "", Carried{State: payout.StateSending}},
		{CarriedHeader, "RECEIVED", Carried{State: payout.StateSending}},
		{"carried-by", "somebody", Carried{}},
	} {
		got := DecodeCarried([]Header{header(c.name, c.value)})
		if got != c.want {
			t.Errorf("%s %q: %+v, want %+v", c.name, c.value, got, c.want)
		}
		p := payout.Payout{ReceivedAt: t0, Country: "own"}
		got.Fill(&p)
		if c.want.ReceivedAt.IsZero() != p.ReceivedAt.Equal(t0) || p.Country != "own" {
			t.Errorf("%s %q: the payout has %v, %s", c.name, c.value, p.ReceivedAt, p.Country)
		}
	}
}

// A trace is bounded as W3C says; the last header of a name counts.
func TestTheBoundsOfATrace(t *testing.T) {
	long, full := strings.Repeat("x", longestTrace+1), strings.Repeat("x", longestTrace)
	got := DecodeTrace([]Header{header("traceparent", "first"), header("traceparent", full), header("tracestate", "k=v"), header("tracestate", long)})
	if got != (payout.Trace{Parent: full}) {
		t.Errorf("%d and %d bytes", len(got.Parent), len(got.State))
	}
	for _, trace := range []payout.Trace{{}, {Parent: "p"}, {State: "s"}, {Parent: "p", State: "s"}} {
		if got := DecodeTrace(traceHeaders(trace)); got != trace {
			t.Errorf("%+v is read as %+v", trace, got)
		}
	}
}

// The headers of a carried command are from a topic that others write too. Whatever they say,
// only the one word means that it was never sent, and large or strange values are dropped.
func FuzzCarriedHeaders(f *testing.F) {
	f.Add("received", "2026-11-25T06:00:00.123456789Z", "egypt", "00-a-b-01", "k=v")
	f.Add("sending", "2026-11-25t6:00:00z", "", "", "")
	f.Add("Received", "9999-12-31T23:59:59Z", "\x00", "\xff", "\n")
	f.Fuzz(func(t *testing.T, carried, at, country, parent, state string) {
		headers := []Header{
			header(CarriedHeader, carried), header(CarriedReceivedAt, at), header(CarriedCountry, country),
			header("traceparent", parent), header("tracestate", state),
		}
		c := DecodeCarried(headers)
		want := payout.StateSending
		switch carried {
		case "received":
			want = payout.StateReceived
		case "held":
			want = payout.StateHeld
		}
		if c.State != want {
			t.Errorf("%q is carried as %v", carried, c.State)
		}
		p := payout.Payout{ReceivedAt: t0, Country: "own"}
		c.Fill(&p)
		if year := p.ReceivedAt.Year(); year < 1970 || year > 2199 || p.ReceivedAt.Location() != time.UTC {
			t.Errorf("%q: received at %v", at, p.ReceivedAt)
		}
		if len(p.Country) > 64 || p.Country != country && p.Country != "own" {
			t.Errorf("%q: the country is %q", country, p.Country)
		}
		if again := DecodeCarried(c.Headers()); again != c {
			t.Errorf("%+v is read as %+v", c, again)
		}
		if trace := DecodeTrace(headers); len(trace.Parent) > 512 || len(trace.State) > 512 {
			t.Errorf("a trace of %d and %d bytes", len(trace.Parent), len(trace.State))
		}
	})
}

// A currency that only the country named is left out again: with it the command would
// be another one to whoever reads it.
func TestACurrencyThatNobodyNamedIsNotCarried(t *testing.T) {
	a, _ := money.Parse("300")
	c := payout.Command{TradeNo: "a", Merchant: "eg-main", Amount: a, Currency: "EGP", Payee: payout.NewPayee(map[string]string{"walletId": "1"})}
	for from, want := range map[payout.CurrencyFrom]string{payout.FromCommand: "EGP", payout.FromMerchant: "EGP", payout.FromCountry: ""} {
		c.CurrencyFrom = from
		p := payout.Begin(c, "egypt", payout.Source{}, "", time.Now())
		p.CurrencyFrom = payout.FromCommand // the journal keeps none
		if got := namedCurrency(p); got != want {
			t.Errorf("from %d: carried with %q, want %q", from, got, want)
		}
	}
}
