package decisions

import (
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"disburser/internal/kafkatest"
	"disburser/message"
)

// The results go back further than the window, as Kafka deletes whole segments only: what is
// older than the memory is not learned again.
func TestARebuildTakesWhatIsYoungerThanTheWindow(t *testing.T) {
	inTime(t, func(t *testing.T, k *kafkatest.Kafka) {
		r, client := newRedis(t)
		i := startKeeper(t, k, client, "pod-1", 1)
		first := i.settles(t)
		announces(t, k, 0, message.EventPaid, "old")
		decision(t, k, 0, message.KindFinal, first.ID, "rejected long ago")
		time.Sleep(2 * time.Hour)
		announces(t, k, 0, message.EventPaid, "young")
		r.FlushAll()
		i.CheckEpoch()
		i.next(t, first)
		if got := i.takeIn(t, "old", "young", "rejected long ago"); got != "ndn" {
			t.Errorf("outcomes %s", got)
		}
	})
}

// A record is no older than what stands before it in its partition, whatever the clock of its
// writer said.
func TestASlowClockMakesNoResultOld(t *testing.T) {
	inTime(t, func(t *testing.T, k *kafkatest.Kafka) {
		r, client := newRedis(t)
		i := startKeeper(t, k, client, "pod-1", 1)
		first := i.settles(t)
		announces(t, k, 0, message.EventPaid, "before")
		value := `{"type":"payout.paid","tradeNo":"slow","merchant":"eg-main"}`
		slow := kafkatest.Record("slow", value, kafka.Header{Key: "fingerprint", Value: []byte(some("slow")[0].Fingerprint)})
		slow.Time = time.Now().Add(-30 * time.Hour)
		k.Write(t, results, 0, slow)
		r.FlushAll()
		i.CheckEpoch()
		i.next(t, first)
		if got := i.takeIn(t, "before", "slow"); got != "dd" {
			t.Errorf("outcomes %s", got)
		}
	})
}
