package journal

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"disburser/payout"
	"disburser/payout/intake"
	"disburser/payout/leases"
)

// A Redis without memory takes nothing in, and lets what is open come to its end.
func TestAFullRedisLetsOpenPayoutsFinish(t *testing.T) {
	rebuilding(t, func(t *testing.T, client redis.UniversalClient, j *Journal) {
		ctx := context.Background()
		const n = 20
		for i := range n {
			insert(t, j, int64(i+1), at("t"+strconv.Itoa(i), int64(i)))
		}
		if !fill(t, client) {
			t.Skip("miniredis knows no limit")
		}
		if _, _, err := j.Insert(ctx, intake.Range{From: n, To: n + 1}, []intake.Entry{{Payout: at("more", n)}}); !errors.Is(err, intake.ErrFull) {
			t.Errorf("insert: %v", err)
		}
		for range 2 { // the first has nothing there that it could take away
			if _, err := j.Watermark(ctx, map[int]int64{0: 5, 1: 7}, map[int]int64{0: 9}); err != nil {
				t.Errorf("watermark: %v", err)
			}
		}
		if s, err := j.Standing(ctx); err != nil || s.Decisions[1] != 7 || s.Results[0] != 9 {
			t.Errorf("%+v %v", s, err)
		}
		steps := []struct {
			step   payout.Step
			change func(p *payout.Payout)
			forget bool
		}{
			{payout.StepSend, func(p *payout.Payout) { p.State, p.Step = payout.StateProcessing, payout.StepAsk }, false},
			{payout.StepAsk, func(p *payout.Payout) { p.State, p.Step = payout.StatePaid, payout.StepAnnounce }, false},
			{payout.StepAnnounce, func(*payout.Payout) {}, true},
		}
		for _, s := range steps {
			merchant := "eg"
			if s.step == payout.StepAnnounce {
				merchant = ""
			}
			// It sweeps all lanes, and puts right the bounds of those that were left.
			if a, err := j.Due(ctx, []string{"eg"}); err != nil || a.Due[leases.Lane{Step: s.step, Merchant: merchant}] != n {
				t.Errorf("%v: %+v, %v", s.step, a, err)
			}
			j.sweeps = sweeps{}
			b := lease(t, j, s.step, merchant, n)
			if len(b.Payouts) != n {
				t.Fatalf("%v: leased %d", s.step, len(b.Payouts))
			}
			var changes []leases.Change
			for _, p := range b.Payouts {
				before := p.State
				s.change(&p)
				p.Due = time.Now().Add(-time.Second)
				changes = append(changes, leases.Change{Token: b.Token, Epoch: b.Epoch, Before: before, After: p, Forget: s.forget})
			}
			for i, written := range apply(t, j, changes...) {
				if !written {
					t.Errorf("%v: %d isn't written", s.step, i)
				}
			}
		}
		if m, err := j.Marks(ctx, []int{0}); err != nil || m[0] != (intake.Mark{Position: n, Safe: n}) {
			t.Errorf("%+v %v", m, err)
		}
	})
}

// fill leaves a Redis no memory until the test ends.
func fill(t *testing.T, client redis.UniversalClient) bool {
	t.Helper()
	ctx := context.Background()
	if client.ConfigSet(ctx, "maxmemory", "0").Err() != nil {
		return false
	}
	info := client.Info(ctx, "memory").Val()
	_, rest, found := strings.Cut(info, "used_memory:")
	if !found {
		return false
	}
	used, _, _ := strings.Cut(rest, "\r")
	bytes, _ := strconv.Atoi(used)
	t.Cleanup(func() { client.ConfigSet(ctx, "maxmemory", "0") })
	if err := client.ConfigSet(ctx, "maxmemory", strconv.Itoa(bytes/2)).Err(); err != nil {
		t.Fatal(err)
	}
	return true
}
