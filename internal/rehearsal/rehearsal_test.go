package rehearsal

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"disburser/config"
)

// plan is a payroll of one merchant.
func plan(n int, day Day) Plan {
	m := config.DefaultMerchant()
	m.Country = "egypt"
	c := config.Default()
	c.Merchants = map[string]config.Merchant{"eg-main": m}
	p := Plan{Config: c, Day: day, Instances: 1, Begins: time.Date(2026, 11, 30, 9, 0, 0, 0, time.UTC), Limit: 12 * time.Hour}
	for i := range n {
		p.Commands = append(p.Commands, fmt.Appendf(nil, `{"tradeNo":"T%d","merchant":"eg-main","amount":"300","payee":{"walletId":"01123456789","customerName":"kevin"}}`, i))
	}
	return p
}

func play(t *testing.T, p Plan) (r Report, last Progress) {
	t.Helper()
	began := time.Now()
	synctest.Test(t, func(t *testing.T) {
		var err error
		if r, err = Run(t.Context(), p, func(now Progress) { last = now }); err != nil {
			t.Error(err)
		}
	})
	t.Logf("%d payouts, %v of ours: %+v", r.Payouts, time.Since(began).Round(time.Millisecond), r.Merchants)
	return r, last
}

func TestACalmDay(t *testing.T) {
	r, last := play(t, plan(300, Calm))
	if len(r.Merchants) != 1 || !r.Finished || r.Payouts != 300 {
		t.Fatalf("%+v", r)
	}
	m := r.Merchants[0]
	if m.Paid+m.Partial+m.Failed != 300 || m.Held+m.Open+m.Rejected != 0 || last.Settled != 300 {
		t.Errorf("%+v", m)
	}
	// 300 at 50 a second take 6 s, and the last one settles within a minute.
	if m.Sends != 300 || m.BusiestSends > 56 || time.Duration(m.LastAfter) < 6*time.Second || time.Duration(m.LastAfter) > 3*time.Minute || m.Asks < 300 {
		t.Errorf("%+v", m)
	}
}

func TestABadDay(t *testing.T) {
	if testing.Short() {
		t.Skip("half an hour of virtual time")
	}
	r, _ := play(t, plan(500, Bad))
	m := r.Merchants[0]
	if !r.Finished || m.Held == 0 || m.Failed == 0 || m.Paid < 400 || m.Open != 0 {
		t.Errorf("%+v", r)
	}
}

// What never ends is not waited for.
func TestALimit(t *testing.T) {
	p := plan(2, Calm)
	p.Limit = time.Minute
	p.Commands[1] = []byte(`{"tradeNo":"L","merchant":"eg-main","amount":"300","notBefore":"2026-12-24T00:00:00Z","payee":{"walletId":"01123456789","customerName":"kevin"}}`)
	r, _ := play(t, p)
	if m := r.Merchants[0]; r.Finished || m.Open != 1 {
		t.Errorf("%+v", r)
	}
}

func TestNothingToRehearse(t *testing.T) {
	if _, err := Run(context.Background(), Plan{}, nil); err == nil {
		t.Error("no error")
	}
}
