package journal

import (
	"context"
	"fmt"

	"disburser/payout/leases"
)

// Apply writes changes of one epoch, each only if its lease still holds. It answers for
// each whether it was written; false means that somebody else has taken over, and that
// the caller must forget what it knows.
func (j *Journal) Apply(ctx context.Context, changes []leases.Change, served []leases.Served) ([]bool, error) {
	written := make([]bool, 0, len(changes))
	epoch := j.epoch.id()
	if len(changes) > 0 {
		epoch = changes[0].Epoch
	}
	for {
		part := changes[:min(chunk, len(changes))]
		changes = changes[len(part):]
		args := make([]any, 0, 3+5*len(served)+6*len(part))
		args = append(args, epoch, j.window.Milliseconds(), len(served))
		for _, s := range served {
			settled := ""
			if s.Settled {
				settled = s.About
			}
			args = append(args, s.Merchant, account(s.Account), fmt.Sprintf("%013d", millis(s.At)), s.About, settled)
		}
		for _, c := range part {
			args = arguments(args, c)
		}
		answer, err := j.runAs(ctx, "apply", args)
		if err != nil {
			return nil, err
		}
		letters := word(answer, 0)
		if len(letters) != len(part) {
			return nil, fmt.Errorf("journal: apply: %d answers to %d changes: they are another call's", len(letters), len(part))
		}
		for _, letter := range []byte(letters) {
			written = append(written, letter == 'a')
		}
		if served = nil; len(changes) == 0 {
			return written, nil
		}
	}
}

func arguments(to []any, c leases.Change) []any {
	p := c.After
	if c.Forget {
		return append(to, p.TradeNo, c.Token, string(c.Before), bucket(p.TradeNo), "", string(p.State)+string(p.Fingerprint))
	}
	due := p.Due
	if !c.EndsAt.IsZero() { // the lease goes on: nobody else is to find it before that
		due = c.EndsAt
	}
	return append(to, p.TradeNo, c.Token, string(c.Before), millis(due), head(p, c.Token, c.EndsAt), progressOf(p).text())
}
