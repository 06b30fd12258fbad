package decisions

import (
	"testing"
	"time"

	"disburser/internal/kafkatest"
	"disburser/message"
	"disburser/payout/intake"
)

// outcomeOf is what becomes of an unknown command that was written at a moment.
func (i *instance) outcomeOf(t *testing.T, written time.Time) intake.Outcome {
	t.Helper()
	if _, err := i.journal.Position(background, 0, 0, false); err != nil {
		t.Fatal(err)
	}
	entries := place(some("unknown"))
	entries[0].Payout.Source.Time = written
	out, _, err := i.journal.Insert(background, intake.Range{To: 1}, entries)
	if err != nil {
		t.Fatal(err)
	}
	return out[0]
}

// Of several trimmed partitions the one counts that tells the least.
func TestTheShortestReachCounts(t *testing.T) {
	inTime(t, func(t *testing.T, k *kafkatest.Kafka) {
		r, client := newRedis(t)
		i := startKeeper(t, k, client, "pod-1", 1)
		before := i.settles(t)
		var trimmed []time.Time
		for p := range 2 {
			announces(t, k, p, message.EventPaid, "gone")
			time.Sleep(10 * time.Minute)
			announces(t, k, p, message.EventPaid, "left")
			trimmed = append(trimmed, time.Now())
			if err := k.DeleteRecords(results, int32(p), 1); err != nil {
				t.Fatal(err)
			}
		}
		r.FlushAll()
		i.CheckEpoch()
		i.next(t, before)
		if got := i.outcomeOf(t, trimmed[0].Add(time.Minute)); got != intake.TooOld {
			t.Errorf("outcome %q: the other partition tells nothing of that time", got)
		}
	})
}

// Where a partition of the results is empty, everything in it may have ended.
func TestAnEmptiedPartitionVouchesForNothing(t *testing.T) {
	inTime(t, func(t *testing.T, k *kafkatest.Kafka) {
		r, client := newRedis(t)
		i := startKeeper(t, k, client, "pod-1", 1)
		before := i.settles(t)
		announces(t, k, 1, message.EventPaid, "gone")
		if err := k.DeleteRecords(results, 1, 1); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		written := time.Now()
		time.Sleep(time.Second)
		r.FlushAll()
		i.CheckEpoch()
		i.next(t, before)
		if got := i.outcomeOf(t, written); got != intake.TooOld {
			t.Errorf("outcome %q", got)
		}
	})
}
