package app

import (
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"disburser/payout"
)

// The gauge of merchants that aren't configured goes back to zero. Another instance's count may be the
// one that makes the journal forget them, so that no count here ever says zero.
func TestUnconfiguredMerchantsAreCountedDown(t *testing.T) {
	registry := prometheus.NewRegistry()
	a := on(t, nil, func(o *Options) { o.Registry = registry })
	open := func() (sum float64) {
		families, err := registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range families {
			for _, m := range f.GetMetric() {
				for _, l := range m.GetLabel() {
					if f.GetName() == "disburser_open_payouts" && l.GetName() == "merchant" && l.GetValue() == unconfigured {
						sum += m.GetGauge().GetValue()
					}
				}
			}
		}
		return sum
	}
	now := time.Now()
	a.showMerchant("", map[payout.State]int{payout.StateReceived: 3}, now, now)
	if open() != 3 {
		t.Errorf("%v are open", open())
	}
	a.showMerchant("", nil, time.Time{}, now)
	if open() != 0 {
		t.Errorf("%v are open, and none is", open())
	}
}
