package consumer

import (
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"disburser/internal/kafkatest"
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
