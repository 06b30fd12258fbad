package bench

import (
	"context"
	"fmt"
	"time"

	"disburser/journal"
	"disburser/message"
	"disburser/payout"
	"disburser/payout/intake"
	"disburser/payout/leases"
)

// remembered is what the memory of finals takes.
type remembered struct {
	TradeNos int      `json:"tradeNos"`
	Bytes    float64  `json:"bytesPerTradeNo"`
	Open     []beside `json:"open"`
}

// memory weighs open payouts and remembered ones in Redis, and the process.
func memory(ctx context.Context, s *stage) (result, error) {
	all, err := s.fill(ctx)
	if err != nil {
		return result{}, err
	}
	m, err := s.remember(ctx, s.n(1_000_000))
	if err != nil {
		return result{}, err
	}
	m.Open = all
	r := result{Head: []string{"what", "payouts", "figure"}, Raw: m}
	for _, b := range all {
		r.row("bytes in Redis per open payout", float64(b.Open), b.Memory)
	}
	r.row("bytes in Redis per remembered tradeNo of 20 characters", float64(m.TradeNos), m.Bytes)
	for _, b := range all {
		r.row("memory of the process, MiB (highest)", float64(b.Open), fmt.Sprintf("%.0f (%.0f)", b.RSS, b.Largest))
	}
	last := all[len(all)-1]
	r.Goals = []goal{
		atMost("bytes per open payout", last.Memory, 1000), atMost("bytes per remembered tradeNo", m.Bytes, 150),
		atMost("MiB of the process, 1 000 000 open, highest", last.Largest, 200),
	}
	return r, nil
}

// remember lets payouts be rejected, announced and forgotten by the journal itself:
// nobody is asked and nothing is published, which would take ten minutes. It needs an
// epoch, so an instance begins one and stops.
func (s *stage) remember(ctx context.Context, n int) (m remembered, err error) {
	t, err := s.newSite(ctx, "memory", "")
	if t != nil {
		defer t.close()
	}
	if err != nil {
		return m, err
	}
	i, err := t.runReady(ctx, unlimited())
	if err != nil {
		return m, err
	}
	if err := i.Stop(stopLimit); err != nil {
		return m, err
	}
	j := journal.New(s.redis, journal.Options{Namespace: "bench", Window: 720 * time.Hour})
	standing, err := j.Standing(ctx)
	if err != nil {
		return m, err
	}
	j.Believe(standing.Epoch.ID)
	if _, err := j.Position(ctx, 0, 0, false); err != nil {
		return m, err
	}
	empty := s.used(ctx)
	const batch = 500
	for done := 0; done < n; done += batch {
		if done%100_000 == 0 {
			s.progress.say("%d of %d tradeNos remembered", done, n)
		}
		if err := forget(ctx, j, done, batch); err != nil {
			return m, err
		}
	}
	m.TradeNos, m.Bytes = n, float64(s.used(ctx)-empty)/float64(n)
	return m, nil
}

// forget makes payouts known that are over, and has them remembered only.
func forget(ctx context.Context, j *journal.Journal, from, n int) error {
	p := payouts{prefix: "M"}
	entries := make([]intake.Entry, n)
	for i := range entries {
		orders, err := message.Decode(p.value(from + i))
		if err != nil {
			return err
		}
		entries[i].Payout = payout.Begin(orders[0].Command, "egypt", payout.Source{Offset: int64(from + i), Time: time.Now()}, "a bench", time.Now())
	}
	if _, _, err := j.Insert(ctx, intake.Range{From: int64(from), To: int64(from + n)}, entries); err != nil {
		return err
	}
	b, err := j.Lease(ctx, leases.Request{Step: payout.StepAnnounce, N: n, For: time.Minute})
	if err != nil || len(b.Payouts) != n {
		return fmt.Errorf("%d payouts were leased, not %d: %w", len(b.Payouts), n, err)
	}
	changes := make([]leases.Change, n)
	for i, p := range b.Payouts {
		changes[i] = leases.Change{Token: b.Token, Epoch: b.Epoch, Before: p.State, After: p, Forget: true}
	}
	_, err = j.Apply(ctx, changes, nil)
	return err
}
