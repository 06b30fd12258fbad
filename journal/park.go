package journal

import (
	"context"
	"strings"

	"disburser/payout"
	"disburser/payout/leases"
)

// Peek answers up to n payouts of a merchant that are due to be sent, but for the first ones. It
// leases none: somebody else may lease them meanwhile.
func (j *Journal) Peek(ctx context.Context, merchant string, without, n int) ([]leases.Waiting, error) {
	answer, err := j.run(ctx, "peek", merchant, "", without, n)
	if err != nil {
		return nil, err
	}
	all := make([]leases.Waiting, 0, len(answer)/2)
	for i := 0; i+1 < len(answer); i += 2 {
		all = append(all, leases.Waiting{TradeNo: word(answer, i), BatchID: word(answer, i+1)})
	}
	return all, nil
}

// Parked answers of which batches payouts are parked, and how many.
func (j *Journal) Parked(ctx context.Context) (all []leases.Parked, err error) {
	for after := ""; ; {
		answer, err := j.run(ctx, "parked", after, chunk)
		if err != nil {
			return nil, err
		}
		for i := 0; i+1 < len(answer); i += 2 {
			after = word(answer, i)
			if n := int(number(answer, i+1)); n > 0 {
				all = append(all, leases.Parked{Batch: batchNamed(after), N: n})
			}
		}
		if len(answer) < 2*chunk {
			return all, nil
		}
	}
}

// ParkedOf answers up to n parked payouts of a batch in the order of their due times, but for the first
// ones.
func (j *Journal) ParkedOf(ctx context.Context, b leases.Batch, without, n int) ([]string, error) {
	answer, err := j.run(ctx, "peek", b.Merchant, batchName(b), without, n)
	if err != nil {
		return nil, err
	}
	all := make([]string, len(answer))
	for i := range answer {
		all[i] = word(answer, i)
	}
	return all, nil
}

// Move takes payouts to another step, those of them that nobody has leased. It needs no lease. Without
// tradeNos it notes up to where in the actions its caller has read.
func (j *Journal) Move(ctx context.Context, m leases.Move, tradeNos []string) (all leases.Moved, err error) {
	from := ""
	if m.From != nil {
		from = batchName(*m.From)
	}
	epoch := j.epoch.id() // of all parts
	for {
		part := tradeNos[:min(chunk, len(tradeNos))]
		tradeNos = tradeNos[len(part):]
		args := append(make([]any, 0, 5+len(part)), epoch, string(m.To), m.Follows, m.MaxOpen, from)
		for _, tradeNo := range part {
			args = append(args, tradeNo)
		}
		answer, err := j.runAs(ctx, "park", args)
		if err != nil {
			return all, err
		}
		all.N += int(number(answer, 0))
		all.Full, all.Followed = word(answer, 1) != "", number(answer, 2)
		if len(tradeNos) == 0 || all.Full || all.Followed > m.Follows && m.To != payout.StepReview {
			return all, nil
		}
	}
}

// batchName is what a batch's set of parked payouts is named by.
func batchName(b leases.Batch) string { return b.Merchant + "\n" + b.BatchID }

func batchNamed(name string) leases.Batch {
	merchant, batchID, _ := strings.Cut(name, "\n")
	return leases.Batch{Merchant: merchant, BatchID: batchID}
}
