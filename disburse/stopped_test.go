package disburse

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"disburser/payout"
	"disburser/payout/acts"
	"disburser/payout/finding"
)

// pausable is what people forbid, as a test changes it.
type pausable struct {
	why   atomic.Value // acts.Why: of the whole fleet
	batch atomic.Value // string: the batch that is paused
	asked atomic.Int64 // about a payout
	from  atomic.Int64 // stopped is a payout from this question on, 0: never

	narrow  atomic.Bool  // the lanes are told what is stopped
	others  atomic.Int64 // so many other batches are stopped, too
	follows atomic.Int64
	cancel  atomic.Bool // the batch is cancelled, not paused
}

func (p *pausable) Narrow() (n acts.Narrow, follows int64) {
	if batch, _ := p.batch.Load().(string); p.narrow.Load() && batch != "" {
		n.Batches = append(n.Batches, batch)
	}
	for i := range p.others.Load() {
		n.Batches = append(n.Batches, fmt.Sprint("other", i))
	}
	return n, p.follows.Load()
}

func (p *pausable) Stops(_, batchID, tradeNo string) acts.Stop {
	fleet := []acts.Standing{{Scope: acts.Scope{Kind: acts.Fleet}}}
	if tradeNo != "" {
		if n := p.asked.Add(1); p.from.Load() > 0 && n >= p.from.Load() {
			return acts.Stop{Why: acts.Paused, By: fleet}
		}
	}
	if why, _ := p.why.Load().(acts.Why); why != "" {
		return acts.Stop{Why: why, By: fleet}
	}
	if paused, _ := p.batch.Load().(string); paused != "" && batchID == paused {
		why := acts.Paused
		if p.cancel.Load() {
			why = acts.Cancelled
		}
		return acts.Stop{Why: why, By: []acts.Standing{{ID: "c1", By: "alice", Reason: "wrong file", Scope: acts.Scope{Kind: acts.Batch, Name: batchID}}}}
	}
	return acts.Stop{}
}

// While everything is paused, or nobody knows, nothing is leased to be sent. Asks and announcements go on. Then the
// sends go on at once.
func TestNothingIsLeasedWhileEverythingIsStopped(t *testing.T) {
	for _, why := range []acts.Why{acts.Paused, acts.NotFresh} {
		inTime(t, func(t *testing.T) {
			open := order("a9", "a")
			open.State, open.Step, open.Sends, open.LastSentAt = payout.StateProcessing, payout.StepAsk, 1, time.Now()
			b := newBench(t, append(orders(5, "a"), open)...)
			var said pausable
			said.why.Store(why)
			b.config.Actions = &said
			b.start()
			time.Sleep(time.Minute)
			if b.journal.called("lease send") != 0 || b.allSends() != 0 {
				t.Errorf("%s: %d leases, %d sends", why, b.journal.called("lease send"), b.allSends())
			}
			if b.journal.forgotten("a9") != payout.StatePaid {
				t.Errorf("%s: what was sent before isn't asked about and announced", why)
			}
			said.why.Store(acts.Why(""))
			time.Sleep(2 * stoppedRest)
			if b.allSends() != 5 {
				t.Errorf("%s: %d sends half a second after it is over", why, b.allSends())
			}
			b.stop()
		})
	}
}

// A pause that comes after the lane has looked leaves the others alone. Nothing is decided about the payouts of its
// batch.
func TestAPausedBatchIsGivenBackUndecided(t *testing.T) {
	inTime(t, func(t *testing.T) {
		all := orders(20, "a")
		for i := range all {
			all[i].BatchID = []string{"paused", "goes on"}[i%2]
		}
		b := newBench(t, all...)
		var said pausable
		said.batch.Store("paused")
		b.config.Actions = &said
		var decided atomic.Int64
		b.decider.send = func(_ context.Context, payouts []payout.Payout) error {
			decided.Add(int64(len(payouts)))
			return nil
		}
		b.start()
		time.Sleep(time.Minute + 2*time.Second) // between two tries
		if decided.Load() != 10 || b.allSends() != 10 {
			t.Errorf("%d decided, %d sent of the other batch", decided.Load(), b.allSends())
		}
		for _, p := range all {
			if got := b.journal.get(p.TradeNo); p.BatchID == "paused" && (got.State != payout.StateReceived || got.Sends != 0) {
				t.Errorf("%s is %v, sent %d times", p.TradeNo, got.State, got.Sends)
			}
		}
		if n := b.journal.called("lease send"); n > 40 {
			t.Errorf("%d leases in a minute for what is paused", n)
		}
		said.batch.Store("")
		time.Sleep(aloneFor + time.Second)
		if b.allSends() != 20 {
			t.Errorf("%d sends after it is over", b.allSends())
		}
		b.stop()
	})
}

// A pause stops a send at whatever moment of its way it comes. The first question about it is after the lease, the
// second after the decision, the third right before the first byte. The payout is received again, and no breaker
// hears of it.
func TestAPauseStopsASendOnItsWay(t *testing.T) {
	for _, question := range []int64{1, 2, 3} {
		inTime(t, func(t *testing.T) {
			b := newBench(t, order("a1", "a"))
			b.config.Breaker.MinRequests, b.config.Breaker.Refusals = 1, 1
			var said pausable
			said.from.Store(question)
			b.config.Actions = &said
			b.start()
			time.Sleep(50 * time.Millisecond)
			said.why.Store(acts.Paused)
			time.Sleep(500 * time.Millisecond)
			got := b.journal.get("a1")
			if got.State != payout.StateReceived || got.Sends != 0 || got.Unacknowledged || b.allSends() != 0 {
				t.Errorf("question %d: %v, %d sends, unacknowledged %v", question, got.State, got.Sends, got.Unacknowledged)
			}
			if b.merchants["a"].sendGate.state() != 0 {
				t.Errorf("question %d: a breaker has opened", question)
			}
			said.from.Store(0)
			said.why.Store(acts.Why(""))
			time.Sleep(time.Second)
			if b.sends("a1") != 1 {
				t.Errorf("question %d: sent %d times after it is over", question, b.sends("a1"))
			}
			b.stop()
		})
	}
}

// What a person has stopped says nothing about the provider: neither that it works nor that it doesn't.
func TestAStoppedCallSaysNothingToTheBreakers(t *testing.T) {
	f := finding.Finding{Kind: finding.Stopped}
	if !errors.Is(failure(f), errNothing) || !errors.Is(refusal(f), errNothing) {
		t.Errorf("%v, %v", failure(f), refusal(f))
	}
}
