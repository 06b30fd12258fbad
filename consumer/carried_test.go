package consumer

import (
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"disburser/internal/kafkatest"
	"disburser/internal/partition"
	"disburser/message"
	"disburser/payout"
)

// What a carried command's header says is believed where it is "received" or "held"; anything else
// means that the payout may have been sent.
func TestACarriedCommandIsWhatItsHeadersSay(t *testing.T) {
	inTime(t, 1, func(t *testing.T, k *kafkatest.Kafka) {
		in := newInbox()
		first := time.Now().Add(-200 * time.Hour).UTC()
		want := []payout.State{payout.StateReceived, payout.StateSending, payout.StateSending, payout.StateSending, payout.StateHeld, 0}
		for i, says := range []string{"received", "sending", "", "RECEIVED", "held"} {
			k.Write(t, topic, 0, kafkatest.Record("key", command(string(rune('a'+i)), "1"),
				kafka.Header{Key: message.CarriedHeader, Value: []byte(says)},
				kafka.Header{Key: message.CarriedReceivedAt, Value: []byte(first.Format(time.RFC3339Nano))},
				kafka.Header{Key: message.CarriedCountry, Value: []byte("kenya")}))
		}
		k.Write(t, topic, 0, kafkatest.Record("key", command("f", "1")))
		start(t, k, in)
		eventually(t, "all are known", func() bool { return in.added() == len(want) })
		for i, e := range in.entries {
			if e.Carried != want[i] {
				t.Errorf("%s: %v, want %v", e.Payout.TradeNo, e.Carried, want[i])
			}
			if carried := want[i] != 0; e.Payout.ReceivedAt.Equal(first) != carried || (e.Payout.Country == "kenya") != carried {
				t.Errorf("%s: received %v, country %s", e.Payout.TradeNo, e.Payout.ReceivedAt, e.Payout.Country)
			}
		}
	})
}

// The headers of a carried command are from a topic that others write too: whatever they say,
// only the one word means that it was never sent, and nothing large or strange is kept.
func FuzzCarriedHeaders(f *testing.F) {
	f.Add("received", "2026-11-25T06:00:00.123456789Z", "egypt", "00-a-b-01", "k=v")
	f.Add("sending", "2026-11-25t6:00:00z", "", "", "")
	f.Add("Received", "9999-12-31T23:59:59Z", "\x00", "\xff", "\n")
	f.Fuzz(func(t *testing.T, carried, at, country, parent, state string) {
		headers := []kafka.Header{
			{Key: message.CarriedHeader, Value: []byte(carried)}, {Key: message.CarriedReceivedAt, Value: []byte(at)},
			{Key: message.CarriedCountry, Value: []byte(country)}, {Key: "traceparent", Value: []byte(parent)}, {Key: "tracestate", Value: []byte(state)},
		}
		m := &commandRecord{Record: &partition.Record{Headers: headers}}
		now := time.Date(2026, 11, 21, 10, 30, 0, 0, time.UTC)
		p := payout.Payout{ReceivedAt: now, Country: "own"}
		got := carry(&p, m)
		want := payout.StateSending
		switch carried {
		case "received":
			want = payout.StateReceived
		case "held":
			want = payout.StateHeld
		}
		if got != want {
			t.Errorf("%q is carried as %v", carried, got)
		}
		if year := p.ReceivedAt.Year(); year < 1970 || year > 2199 || p.ReceivedAt.Location() != time.UTC {
			t.Errorf("%q: received at %v", at, p.ReceivedAt)
		}
		if len(p.Country) > 64 || p.Country != country && p.Country != "own" {
			t.Errorf("%q: the country is %q", country, p.Country)
		}
		if trace := traceOf(m); len(trace.Parent) > 512 || len(trace.State) > 512 {
			t.Errorf("a trace of %d and %d bytes", len(trace.Parent), len(trace.State))
		}
	})
}
