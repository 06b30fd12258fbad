package app

import (
	"context"
	"fmt"
	"testing"
	"time"

	"disburser/payout/acts"
	"disburser/paypro/paysim"
)

// publishBatch publishes n payouts of a batch.
func (w *town) publishBatch(batchID string, n int) { w.publishMore(batchID, 0, n) }

// publishMore publishes a batch's payouts from a number on, before another.
func (w *town) publishMore(batchID string, from, before int) {
	var lines []string
	for i := from; i < before; i++ {
		lines = append(lines, fmt.Sprintf(`{"tradeNo":"%s-%04d","batchId":"%s","merchant":"eg-main","amount":"300","payee":{"customerName":"kevin","walletId":"01123456789"},"remark":"x"}`, batchID, i, batchID))
	}
	w.publishLines(lines)
}

// A batch is paused, and parked. Redis is wiped, and it is parked again. Another batch of the same merchant goes on.
// When the pause is lifted the batch is paid, each payout once. Then a batch is cancelled: what is
// parked of it, and what comes later.
func TestAPausedBatchIsParkedAndComesBack(t *testing.T) {
	inTown(t, paysim.Behavior{SettleMin: time.Second, SettleMax: 2 * time.Second}, func(w *town) {
		a, stop := w.run("one", nil)
		defer stop()
		time.Sleep(5 * time.Second)
		parkedNow := func(want int, when string) {
			t.Helper()
			a.countOnce(context.Background())
			if got := a.inForce()["parked"]; fmt.Sprint(got) != fmt.Sprintf("map[eg-main:map[batch:%d]]", want) && !(want == 0 && got == nil) {
				t.Errorf("%s: parked %v, want %d", when, got, want)
			}
		}
		w.say(acts.Pause, "batch:b1")
		time.Sleep(time.Second)
		w.publishBatch("b1", 300)
		w.publishBatch("b2", 50)
		w.settled(50, time.Minute)
		time.Sleep(2 * time.Second)
		parkedNow(300, "paused")
		w.redis.FlushAll()
		time.Sleep(20 * time.Second)
		parkedNow(300, "after a wipe")
		if n := w.logged(`"message":"announced"`); n != 50 {
			t.Errorf("%d ended, of which 50 may", n)
		}
		w.say(acts.Resume, "batch:b1")
		w.whole(350)
		parkedNow(0, "resumed")
		w.say(acts.Pause, "batch:b3")
		time.Sleep(time.Second)
		w.publishBatch("b3", 40)
		time.Sleep(3 * time.Second)
		parkedNow(40, "another batch")
		sent := time.Now()
		w.say(acts.Cancel, "batch:b3")
		time.Sleep(time.Second)
		w.publishMore("b3", 40, 60)
		w.whole(410)
		if n := w.sentSince(sent); n > 0 {
			t.Errorf("%d sends of what was cancelled", n)
		}
	})
}
