package chaos

import (
	"context"
	"time"

	"disburser/internal/harness"
	"disburser/internal/trial"
)

// settle waits until every payout has a final result, or is held where that may be, and
// every dead letter is there. It answers how long that took.
func (r *run) settle(ctx context.Context) time.Duration {
	began := time.Now()
	r.say("   the faults are over")
	var expected trial.Expected
	err := harness.Until(ctx, 30*time.Second, "the commands can be read", func() bool {
		var err error
		expected, err = r.ordered(ctx)
		return err == nil
	})
	if err == nil {
		err = harness.Until(ctx, quietLimit, "everything is settled", func() bool { return r.settled(expected) })
	}
	if err != nil {
		r.problem("%v", err)
	}
	return time.Since(began)
}

func (r *run) settled(e trial.Expected) bool {
	finals, letters := r.watcher.Progress()
	if letters < e.Letters {
		return false
	}
	if finals >= len(e.TradeNos) {
		return true
	}
	if r.scenario.then != hold {
		return false
	}
	standings := r.watcher.Standings()
	for tradeNo := range e.TradeNos {
		if standings[tradeNo] == trial.Open {
			return false
		}
	}
	return true
}
