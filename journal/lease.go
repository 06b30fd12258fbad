package journal

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"iter"
	"strings"
	"time"

	"disburser/payout"
	"disburser/payout/epochs"
	"disburser/payout/leases"
)

// NewToken makes a token for one lease: 72 random bits.
func NewToken() string {
	var raw [9]byte
	_, _ = rand.Read(raw[:]) // never fails since Go 1.24
	return base64.RawURLEncoding.EncodeToString(raw[:])
}

// Lease hands out payouts that are due for a step. Those leased for a send are sending from
// here on. What was sent to another account before is left to the step review.
//
// After a lost reply the call is repeated under the same token, until ctx ends; it answers the
// same group. A record that can't be read is left out, and named in the error beside the
// group; its lease runs out.
func (j *Journal) Lease(ctx context.Context, r leases.Request) (leases.Leased, error) {
	b := leases.Leased{Lease: leases.Lease{Token: NewToken(), Epoch: j.epoch.id(), Asked: time.Now()}}
	args := []any{b.Epoch, string(r.Step), r.Merchant, b.Token, r.N, r.For.Milliseconds(), account(r.Account)}
	if r.Step == payout.StepSend {
		args = listed(listed(args, r.LeaveBatches), r.LeavePayouts)
	}
	for _, tradeNo := range r.Only {
		args = append(args, tradeNo)
	}
	answer, err := j.runAs(ctx, "lease", args)
	for err != nil && !errors.Is(err, epochs.ErrOver) && pause(ctx) {
		b.Asked = time.Now()
		answer, err = j.runAs(ctx, "lease", args)
	}
	if err != nil {
		return leases.Leased{}, err
	}
	b.Took = time.Since(b.Asked)
	b.LeasedAt, b.EndsAt = instant(answer, 0), instant(answer, 1)
	b.Evidence = leases.Evidence{ServedAt: instant(answer, 2), About: word(answer, 3), Settled: word(answer, 4)}
	b.LeftBehind = int(number(answer, 5))
	var broken error
	b.Payouts = make([]payout.Payout, 0, max(0, len(answer)-6)/3)
	for tradeNo, record := range handed(answer) {
		p, err := decode(tradeNo, record)
		if err != nil {
			broken = errors.Join(broken, err)
			continue
		}
		if record[tokenAt:tokenAt+len(b.Token)] != b.Token {
			return leases.Leased{}, fmt.Errorf("journal: lease: the answer is about %s, which this lease doesn't have: it is another call's", tradeNo)
		}
		b.Payouts = append(b.Payouts, p)
	}
	return b, broken
}

// listed appends how many names there are, and the names.
func listed(args []any, names []string) []any {
	args = append(args, len(names))
	for _, name := range names {
		args = append(args, strings.ReplaceAll(name, "\n", " ")) // as encode writes batches
	}
	return args
}

// handed are the tradeNos and records of a lease's answer, as they stand in the journal now.
// The script answers the old record, and apart what it wrote over its beginning.
func handed(answer []any) iter.Seq2[string, string] {
	return func(yield func(tradeNo, record string) bool) {
		for i := 6; i+2 < len(answer); i += 3 {
			head, record := word(answer, i+1), word(answer, i+2)
			if len(head) < len(record) {
				record = head + record[len(head):]
			}
			if !yield(word(answer, i), record) {
				return
			}
		}
	}
}

// leaseAgain is the pause before a lease is asked for again under its token.
const leaseAgain = 100 * time.Millisecond

// pause waits for it and tells whether ctx let it.
func pause(ctx context.Context) bool {
	t := time.NewTimer(leaseAgain)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
