package journal

import (
	"context"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"disburser/payout"
	"disburser/payout/leases"
)

// mixing is a client that gives the answer of the call before, where it is told to.
type mixing struct {
	redis.Scripter
	before *redis.Cmd
	mixes  bool
}

// EvalSha runs a script, and answers this call or the one before.
func (m *mixing) EvalSha(ctx context.Context, sha string, keys []string, args ...any) *redis.Cmd {
	before := m.before
	m.before = m.Scripter.EvalSha(ctx, sha, keys, args...)
	if m.mixes {
		return before
	}
	return m.before
}

// Eval runs a script that the server doesn't know yet.
func (m *mixing) Eval(ctx context.Context, script string, keys []string, args ...any) *redis.Cmd {
	m.before = m.Scripter.Eval(ctx, script, keys, args...)
	return m.before
}

// An answer that belongs to another call is none. Else a payout would be sent by whoever leased
// another one, for another merchant perhaps, or a write would count as done that wasn't.
func TestTheAnswerOfAnotherCallIsNone(t *testing.T) {
	eachRedis(t, func(t *testing.T, client redis.UniversalClient) {
		m := &mixing{Scripter: client}
		j := newJournal(t, client, time.Hour)
		j.shared = m
		insert(t, j, 4, order("a", "300"), order("b", "300"))
		first := lease(t, j, payout.StepSend, "eg", 1)
		m.mixes = true
		if b, err := j.Lease(t.Context(), leases.Request{Step: payout.StepSend, Merchant: "eg", N: 1, For: time.Minute}); err == nil || len(b.Payouts) != 0 {
			t.Errorf("leased with another one's answer: %v, %v", b.Payouts, err)
		}
		m.mixes = false
		back, err := first.Payouts[0].GiveBack(time.Now(), false)
		if err != nil {
			t.Fatal(err)
		}
		change := leases.Change{Token: first.Token, Epoch: first.Epoch, Before: payout.StateSending, After: back}
		apply(t, j, change)
		m.mixes = true
		if written, err := j.Apply(t.Context(), []leases.Change{change, change}, nil); err == nil {
			t.Errorf("written by another one's answer: %v", written)
		}
	})
}
