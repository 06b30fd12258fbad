package chaos

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"disburser/internal/harness"
	"disburser/internal/trial"
	"disburser/payout/acts"
)

const (
	ofBatch   = 3000 // payouts of the batch that is cancelled
	lateOnes  = 100  // of it, that are ordered after the cancel
	perBulk   = 50
	beforeEnd = 4 * time.Second // so long it is sent before it is cancelled
)

// batchLines are bulks of payouts of a batch.
func (r *run) batchLines(batch string, from, n int) (lines []string) {
	for i := from; i < from+n; i += perBulk {
		payouts := make([]map[string]any, min(perBulk, from+n-i))
		for k := range payouts {
			payouts[k] = map[string]any{
				"tradeNo": fmt.Sprintf("%s-%05d", batch, i+k), "amount": "300",
				"payee": map[string]string{"customerName": "kevin", "walletId": "01123456789"},
			}
		}
		line, _ := json.Marshal(map[string]any{"merchant": "eg-main", "batchId": batch, "payouts": payouts}) // maps of text: never fails
		lines = append(lines, string(line))
	}
	return lines
}

func (r *run) order(ctx context.Context, lines []string) error {
	return trial.Publish(ctx, []string{r.broker.address}, r.broker.client.Transport, r.topics.Commands, lines)
}

// cancelBatch orders a batch, lets some of it be sent, does something, and cancels the rest. Later ones come after the cancel.
// What is held by then is resolved by people.
func (r *run) cancelBatch(ctx context.Context, before, after func(context.Context) error) error {
	batch := r.id + "-x"
	if err := r.order(ctx, r.batchLines(batch, 0, ofBatch)); err != nil {
		return err
	}
	harness.Pause(ctx, beforeEnd)
	if err := before(ctx); err != nil {
		return err
	}
	cancel, err := r.act(ctx, "cancel", "batch:"+batch, "--wait", "0s")
	if err != nil {
		return err
	}
	r.mu.Lock()
	r.acked[cancel.ID] = cancel.by
	r.mu.Unlock()
	if err := r.order(ctx, r.batchLines(batch, ofBatch, lateOnes)); err != nil {
		return err
	}
	if err := after(ctx); err != nil {
		return err
	}
	if err := r.outcomesOf(ctx, 90*time.Second, cancel.ID); err != nil {
		return err
	}
	r.say("   the cancel's outcome came %.1f s after the acknowledgement", time.Since(cancel.by).Seconds())
	return r.endHeld(ctx, batch)
}

// outcomesOf waits for outcomes of actions.
func (r *run) outcomesOf(ctx context.Context, limit time.Duration, ids ...string) error {
	return harness.Until(ctx, limit, "the outcome of every action", func() bool {
		all, err := r.spoken(ctx)
		ended := endings(all)
		for _, id := range ids {
			if len(ended[id]) == 0 {
				return false
			}
		}
		return err == nil
	})
}

// endHeld has two people end what is held of a batch as failed, by force, until all of it has an end.
func (r *run) endHeld(ctx context.Context, batch string) error {
	asked := map[string]bool{}
	return harness.Until(ctx, 3*time.Minute, "all of the batch has an end", func() bool {
		open := false
		standings := r.watcher.Standings()
		for i := range ofBatch + lateOnes {
			tradeNo := fmt.Sprintf("%s-%05d", batch, i)
			if standings[tradeNo] == trial.Settled {
				continue
			}
			open = true
			if standings[tradeNo] == trial.Held && !asked[tradeNo] {
				asked[tradeNo] = r.resolve(ctx, word{tradeNo: tradeNo, as: acts.Failed, force: true, confirmed: true, lasts: time.Minute}) == nil
			}
		}
		return !open
	})
}

// cancelling cancels a batch in mid-run, and kills an instance while that is carried out.
func cancelling(ctx context.Context, r *run) error {
	r.part(ctx, 0.1)
	return r.cancelBatch(ctx, quietly(0), func(ctx context.Context) error {
		s := r.victim()
		r.kill(s)
		harness.Pause(ctx, time.Second)
		return r.start(s)
	})
}

// cancellingSplit cancels a batch while Redis is split.
func cancellingSplit(ctx context.Context, r *run) error {
	r.part(ctx, 0.1)
	var p parted
	defer func() { p.close() }()
	return r.cancelBatch(ctx, func(ctx context.Context) (err error) {
		p, err = r.split(ctx)
		return err
	}, func(ctx context.Context) error {
		harness.Pause(ctx, 8*time.Second)
		r.join(p, true)
		return nil
	})
}
