package app

import (
	"testing"
	"time"

	"disburser/paypro/paysim"
)

// An empty account: what opened the breaker is refused, and then ever more seldom one payout
// of the whole fleet. Once there is money, the others are paid.
func TestAnEmptyAccountBurnsFewPayouts(t *testing.T) {
	if testing.Short() {
		t.Skip("make test-long runs it")
	}
	inTown(t, paysim.Behavior{Refused: 1}, func(w *town) {
		eg := w.config.Merchants["eg-main"]
		eg.NoRecord.Then, eg.NoRecord.Every = "hold", 5*time.Minute
		w.config.Merchants["eg-main"] = eg
		_, stopOne := w.run("one", nil)
		_, stopTwo := w.run("two", nil)
		defer stopOne()
		defer stopTwo()
		time.Sleep(5 * time.Second)
		w.publish("t", 300)
		time.Sleep(30 * time.Second)
		opened := len(w.sim.Arrivals("0000000001"))
		if opened > 2*20+30 { // 20 of each instance, one or two probes, and what was in flight
			t.Errorf("%d sends before they rest", opened)
		}
		time.Sleep(90 * time.Second)
		if probes := len(w.sim.Arrivals("0000000001")) - opened; probes > 3 {
			t.Errorf("%d probes in a minute and a half", probes)
		}
		w.sim.SetBehavior("0000000001", paysim.Behavior{})
		time.Sleep(160 * time.Second)
		if rest := 300 - len(w.sim.Arrivals("0000000001")); rest > 0 {
			t.Errorf("%d payouts still wait though there is money", rest)
		}
		if w.logged("all sends of the merchant rest") < 2 || w.logged("all sends of the merchant go on") == 0 {
			t.Error("nothing was said of it")
		}
	})
}
