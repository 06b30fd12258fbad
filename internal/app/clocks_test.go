package app

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/segmentio/kafka-go"

	"disburser/internal/trial"
	"disburser/paypro/paysim"
)

// Redis' clock is set ahead by half an hour. What is due in 20 minutes isn't sent, what
// expires then isn't rejected, and readiness, metric and log say what is wrong.
func TestAStepOfRedisClockSendsAndRejectsNothing(t *testing.T) {
	inTown(t, paysim.Behavior{}, func(w *town) {
		registry := prometheus.NewRegistry()
		a, stop := w.run("one", registry)
		defer stop()
		time.Sleep(5 * time.Second)
		began := time.Now()
		in := func(d time.Duration) string { return began.Add(d).UTC().Format(time.RFC3339) }
		var lines []string
		for i := range 40 {
			lines = append(lines, fmt.Sprintf(`{"tradeNo":"early-%d","merchant":"eg-main","amount":"300","payee":{"customerName":"kevin","walletId":"01123456789"},"notBefore":%q}`, i, in(20*time.Minute)),
				fmt.Sprintf(`{"tradeNo":"short-%d","merchant":"eg-main","amount":"300","payee":{"customerName":"kevin","walletId":"01123456789"},"notBefore":%q,"expiresAt":%q}`, i, in(20*time.Minute), in(25*time.Minute)))
		}
		w.publishLines(lines)
		time.Sleep(2 * time.Second)
		for range 5 * 60 * 10 { // miniredis' clock stands still where it is set
			w.redis.SetTime(time.Now().Add(30 * time.Minute))
			time.Sleep(100 * time.Millisecond)
		}
		if n := len(w.sim.Arrivals("0000000001")); n != 0 {
			t.Errorf("%d sends before notBefore", n)
		}
		if n := w.logged("payout.rejected"); n != 0 {
			t.Errorf("%d rejected before expiresAt", n)
		}
		if reasons := strings.Join(a.reasons(), "; "); !strings.Contains(reasons, "clock") {
			t.Errorf("ready, or for another reason not: %q", reasons)
		}
		families, err := registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range families {
			if f.GetName() == "disburser_clock_difference_seconds" {
				if d := f.GetMetric()[0].GetGauge().GetValue(); d < 1799 || d > 1801 {
					t.Errorf("the metric says %v", d)
				}
				return
			}
		}
		t.Error("no metric")
	})
}

func (w *town) publishLines(lines []string) {
	w.t.Helper()
	transport := &kafka.Transport{Dial: w.kafka.Dial, MetadataTTL: time.Second}
	defer transport.CloseIdleConnections()
	if err := trial.Publish(context.Background(), w.kafka.ListenAddrs(), transport, trial.DefaultTopics.Commands, lines); err != nil {
		w.t.Fatal(err)
	}
}
