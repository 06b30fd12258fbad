package journal

import (
	"context"
	"strings"
	"time"

	"disburser/payout"
)

// Census counts the open payouts.
type Census struct {
	Open   int
	States map[string]map[payout.State]int // by merchant ("" for those not configured)
	Oldest map[string]time.Time            // by merchant: when the oldest open payout was received

	OldestIn map[int]time.Time // by partition: when the command that holds the safe mark back was written, by Kafka
}

func newCensus() Census {
	return Census{States: map[string]map[payout.State]int{}, Oldest: map[string]time.Time{}, OldestIn: map[int]time.Time{}}
}

// add counts another shard's census too.
func (c *Census) add(o Census) {
	c.Open += o.Open
	for merchant, states := range o.States {
		for state, n := range states {
			c.count(merchant, state, n)
		}
	}
	for merchant, at := range o.Oldest {
		earliest(c.Oldest, merchant, at)
	}
	for partition, at := range o.OldestIn {
		earliest(c.OldestIn, partition, at)
	}
}

func (c *Census) count(merchant string, state payout.State, n int) {
	if c.States[merchant] == nil {
		c.States[merchant] = map[payout.State]int{}
	}
	c.States[merchant][state] += n
}

func earliest[K comparable](of map[K]time.Time, key K, at time.Time) {
	if old := of[key]; old.IsZero() || at.Before(old) {
		of[key] = at
	}
}

// Count answers the census; the oldest ones are looked for in the given partitions.
func (j *Journal) Count(ctx context.Context, partitions []int) (Census, error) {
	args := make([]any, len(partitions))
	for i, p := range partitions {
		args[i] = p
	}
	answer, err := j.run(ctx, "counts", args...)
	if err != nil {
		return Census{}, err
	}
	c := newCensus()
	c.Open = int(number(answer, 0))
	counts, _ := answer[1].([]any)
	for i := 0; i+1 < len(counts); i += 2 {
		merchant, state, _ := strings.Cut(word(counts, i), "\n")
		if state == "" {
			continue
		}
		c.count(merchant, payout.State(state[0]), int(number(counts, i+1)))
	}
	records, _ := answer[2].([]any)
	for i := 0; i+1 < len(records); i += 2 {
		p, err := decode(word(records, i), word(records, i+1))
		if err != nil {
			continue // Lease reports it
		}
		earliest(c.Oldest, merchantKey(p), p.ReceivedAt)
		earliest(c.OldestIn, p.Source.Partition, p.Source.Time)
	}
	return c, nil
}

// counted is how many payouts one call of accounts looks at.
const counted = 500

// Accounts counts a merchant's open payouts of one partition that may have been sent, but not
// to the given account. others were sent to another one, of unknown nobody knows to which.
// What ends meanwhile may count twice. between is called between two pages.
func (j *Journal) Accounts(ctx context.Context, partition int, merchant string, mine payout.Account, between func()) (others, unknown int, err error) {
	left := ""
	for {
		a, err := j.run(ctx, "accounts", partition, merchant, account(mine), left, counted)
		if err != nil {
			return 0, 0, err
		}
		others, unknown = others+int(number(a, 1)), unknown+int(number(a, 2))
		if left = word(a, 0); left == "0" {
			return others, unknown, nil
		}
		between()
	}
}
