package journal

import (
	"context"

	"disburser/payout"
	"disburser/payout/leases"
)

// Resolve gives payouts that wait for their merchant to become known to that merchant. Each is
// moved only if its lease, under one token of one epoch, still holds. Resolve answers for each
// whether it was moved; a payout that was not moved is looked at again.
func (j *Journal) Resolve(ctx context.Context, lease leases.Lease, payouts []payout.Payout) ([]bool, error) {
	moved := make([]bool, 0, len(payouts))
	for len(payouts) > 0 {
		part := payouts[:min(chunk, len(payouts))]
		payouts = payouts[len(part):]
		args := make([]any, 0, 1+5*len(part))
		args = append(args, lease.Epoch)
		for _, p := range part {
			args = append(args, p.TradeNo, lease.Token, millis(p.Due), p.Source.Offset, encodeUnder(p, lease.Token))
		}
		answer, err := j.runAs(ctx, "resolve", args)
		if err != nil {
			return nil, err
		}
		for _, letter := range []byte(word(answer, 0)) {
			moved = append(moved, letter == 'a')
		}
	}
	return moved, nil
}
