//go:build real

package e2e

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"disburser/paypro/paysim"
)

// Three instances share a rate. In no sliding second does the provider see more than 1.02 × rate
// + burst. While there is a backlog, at least 97 % of the rate is used.
func TestThreeInstancesKeepTheRate(t *testing.T) {
	const rate, burst, n = 50, 5, 600
	s := newSite(t, paysim.Behavior{Latency: 20 * time.Millisecond, LatencyMax: 80 * time.Millisecond}, perfect)
	s.params.Rate, s.params.Burst, s.params.QueryRate = rate, burst, 200
	s.createTopics()
	lines := make([]string, n)
	for i := range lines {
		lines[i] = fmt.Sprintf(`{"tradeNo": "%s-%d", "merchant": "eg-main", "amount": "300", "payee": {"customerName": "kevin", "walletId": "01123456789"}}`, s.id, i)
	}
	s.publish(lines)
	w := s.watch()
	instances := []*process{s.start(), s.start(), s.start()}
	until(t, 40*time.Second, "all are settled", func() bool {
		finals, _ := w.Progress()
		return finals == n
	})
	for _, p := range instances {
		p.terminate()
	}
	arrivals := slices.SortedFunc(slices.Values(s.sim.Arrivals(merchantNos["eg-main"])), time.Time.Compare)
	busiest, took := paysim.Busiest(arrivals, time.Second), arrivals[n-1].Sub(arrivals[0])
	used := float64(n-1) / took.Seconds() / rate
	t.Logf("%d sends in %s: %.1f %% of the rate, busiest second %d", len(arrivals), took.Round(time.Millisecond), 100*used, busiest)
	if len(arrivals) != n {
		t.Errorf("%d sends for %d payouts", len(arrivals), n)
	}
	if limit := 1.02*rate + burst; float64(busiest) > limit {
		t.Errorf("the provider saw %d sends within a second, the limit is %g", busiest, limit)
	}
	if used < 0.97 {
		t.Errorf("%.1f %% of the rate was used, want 97 %%", 100*used)
	}
}
