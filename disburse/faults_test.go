package disburse

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"disburser/message"
	"disburser/payout"
	"disburser/payout/finding"
)

var errRedis = errors.New("redis: i/o timeout")

// dice are random faults under one seed; safe because the fakes roll under its lock.
type dice chan *rand.Rand

func newDice(seed uint64) dice {
	d := make(dice, 1)
	d <- rand.New(rand.NewPCG(seed, 7))
	return d
}

func (d dice) one(in int) bool {
	r := <-d
	defer func() { d <- r }()
	return r.IntN(in) == 0
}

func (d dice) upTo(most time.Duration) time.Duration {
	r := <-d
	defer func() { d <- r }()
	return time.Duration(r.Int64N(int64(most)))
}

func underFaults(t *testing.T, seed uint64) {
	d := newDice(seed)
	const n = 60
	first := newBench(t, append(orders(n, "a"), orders(n, "b")...)...)
	second := newBench(t)
	second.journal, second.config.Journal = first.journal, first.journal
	journal := first.journal
	var calm atomic.Bool
	journal.fault = func(string) error {
		time.Sleep(d.upTo(30 * time.Millisecond))
		if !calm.Load() && d.one(12) {
			return errRedis
		}
		return nil
	}
	journal.lost = func(string) error {
		if !calm.Load() && d.one(12) {
			return errRedis
		}
		return nil
	}
	at := map[string]bool{} // the provider's ledger
	ledger := make(chan map[string]bool, 1)
	ledger <- at
	for _, b := range []*bench{first, second} {
		for _, name := range []string{"a", "b"} {
			b.merchant(name).Provider = provider{
				send: func(_ context.Context, tradeNo string, _ time.Time) finding.Finding {
					time.Sleep(d.upTo(12 * time.Second))
					if d.one(9) {
						return finding.Finding{Kind: finding.NotSent}
					}
					at := <-ledger
					if at[tradeNo] {
						t.Errorf("%s was paid twice", tradeNo)
					}
					at[tradeNo] = true
					ledger <- at
					if d.one(4) {
						return bad
					}
					return good
				},
				ask: func(_ context.Context, tradeNo string, _ time.Time) finding.Finding {
					time.Sleep(d.upTo(3 * time.Second))
					at := <-ledger
					defer func() { ledger <- at }()
					switch {
					case d.one(5):
						return bad
					case !at[tradeNo]:
						return finding.Finding{Kind: finding.NoRecord}
					case d.one(3):
						return finding.Finding{Kind: finding.Processing, Served: true}
					}
					return finding.Finding{Kind: finding.Paid, Served: true}
				},
			}
		}
		b.decider.send = func(context.Context, []payout.Payout) error {
			time.Sleep(d.upTo(2 * time.Second))
			if !calm.Load() && d.one(6) {
				return errKafka
			}
			return nil
		}
		b.announce.results = func(_ context.Context, events []message.Event) ([]bool, error) {
			ok := make([]bool, len(events))
			for i := range ok {
				ok[i] = !d.one(5)
			}
			return ok, nil
		}
		b.start()
	}
	time.Sleep(5 * time.Minute)
	first.stop() // one leaves in the middle, the other goes on
	time.Sleep(55 * time.Minute)
	calm.Store(true)
	time.Sleep(time.Hour)
	second.stop()
	for tradeNo, r := range journal.rows { // lost leases only: nobody knows that they weren't sent
		unproved := r.State == payout.StateSending && journal.served[r.Merchant].Settled == "" // no settled payout to ask about: asked until give_up
		if r.State != payout.StateHeld && !unproved || at[tradeNo] {
			t.Errorf("%s is still %v, at the provider: %v", tradeNo, r.State, at[tradeNo])
		}
	}
	for tradeNo, state := range journal.gone {
		if state != payout.StatePaid || !at[tradeNo] {
			t.Errorf("%s ended %v, at the provider: %v", tradeNo, state, at[tradeNo])
		}
		if ids := append(first.events(tradeNo), second.events(tradeNo)...); len(ids) == 0 {
			t.Errorf("%s was forgotten and never announced", tradeNo)
		}
	}
	if len(journal.gone) < n/2 {
		t.Errorf("only %d of %d ended", len(journal.gone), 2*n)
	}
}
