package disburse

import (
	"context"
	"slices"
	"strings"

	"disburser/payout"
	"disburser/payout/leases"
)

// The memory as a Parker.

func (j *memory) Peek(_ context.Context, merchant string, without, n int) (all []leases.Waiting, err error) {
	if err := j.begin("peek"); err != nil {
		return nil, err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	due, _ := j.due(payout.StepSend, merchant, j.now())
	for _, r := range due[min(without, len(due)):min(without+n, len(due))] {
		all = append(all, leases.Waiting{TradeNo: r.TradeNo, BatchID: r.BatchID})
	}
	return all, nil
}

func (j *memory) Parked(context.Context) (all []leases.Parked, err error) {
	if err := j.begin("parked"); err != nil {
		return nil, err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	n := map[leases.Batch]int{}
	for _, r := range j.rows {
		if r.Step == payout.StepParked {
			n[leases.Batch{Merchant: r.Merchant, BatchID: r.BatchID}]++
		}
	}
	for b, n := range n {
		all = append(all, leases.Parked{Batch: b, N: n})
	}
	return all, nil
}

func (j *memory) ParkedOf(_ context.Context, b leases.Batch, without, n int) (all []string, err error) {
	if err := j.begin("parked of"); err != nil {
		return nil, err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, r := range j.rows {
		if r.Step == payout.StepParked && r.Merchant == b.Merchant && r.BatchID == b.BatchID {
			all = append(all, r.TradeNo)
		}
	}
	slices.SortFunc(all, strings.Compare)
	return all[min(without, len(all)):min(without+n, len(all))], nil
}

func (j *memory) Move(_ context.Context, m leases.Move, tradeNos []string) (all leases.Moved, err error) {
	if err := j.begin("move"); err != nil {
		return all, err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if all.Followed = j.followed; m.To != payout.StepReview && m.Follows < j.followed {
		return all, nil
	}
	j.followed = max(j.followed, m.Follows)
	all.Followed = j.followed
	open := 0
	for _, r := range j.rows {
		if r.Step != payout.StepParked {
			open++
		}
	}
	for _, tradeNo := range tradeNos {
		r := j.rows[tradeNo]
		if r == nil || r.State != payout.StateReceived || !r.until.IsZero() || r.Step == m.To || r.Step == payout.StepReview {
			continue
		}
		if m.To == payout.StepSend && open >= m.MaxOpen {
			all.Full = true
			continue
		}
		if m.To == payout.StepReview {
			r.Due = j.now()
		}
		open++
		r.Step = m.To
		all.N++
	}
	return all, nil
}
