package journal

import (
	"context"
	"errors"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"disburser/payout"
	"disburser/payout/intake"
)

// hook lets a test do something around the calls of scripts.
type hook struct {
	calls  int
	before func(call int) error
	after  func(call int)
}

func (h *hook) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		return next(ctx, network, address)
	}
}

func (h *hook) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func (h *hook) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if cmd.Name() != "evalsha" {
			return next(ctx, cmd)
		}
		h.calls++
		call := h.calls // before and after may call scripts themselves
		if h.before != nil {
			if err := h.before(call); err != nil {
				cmd.SetErr(err)
				return err
			}
		}
		err := next(ctx, cmd)
		if h.after != nil {
			h.after(call)
		}
		return err
	}
}

// page is one chunk and one payout more.
func page() []intake.Entry {
	entries := make([]intake.Entry, chunk+1)
	for i := range entries {
		entries[i].Payout = order(fmt.Sprint("t", i), "300")
		entries[i].Payout.Source.Time = time.Now()
	}
	return entries
}

func positionIs(t *testing.T, j *Journal, want int64) {
	t.Helper()
	if m, err := j.Marks(context.Background(), []int{0}); err != nil || m[0].Position != want {
		t.Errorf("%+v, %v; want the position %d", m[0], err, want)
	}
}

func TestThePositionMovesWithTheLastChunkOnly(t *testing.T) {
	eachRedis(t, func(t *testing.T, client redis.UniversalClient) {
		j := newJournal(t, client, time.Hour)
		lost := errors.New("a lost connection")
		client.AddHook(&hook{before: func(call int) error {
			if call == 2 {
				return lost
			}
			return nil
		}})
		if _, _, err := j.Insert(context.Background(), intake.Range{To: 9}, page()); !errors.Is(err, lost) {
			t.Fatal(err)
		}
		positionIs(t, j, 0)
	})
}

// Between two chunks the journal may be lost, and this process join the next epoch. Then the
// first chunk is gone, and the second must not move the position over it.
func TestAPageIsInsertedInOneEpochOnly(t *testing.T) {
	rebuilding(t, func(t *testing.T, client redis.UniversalClient, j *Journal) {
		insert(t, j, 0) // the script is known from here on
		client.AddHook(&hook{after: func(call int) {
			if call == 1 {
				open(t, j, build(t, j))
			}
		}})
		_, _, err := j.Insert(context.Background(), intake.Range{To: 9}, page())
		epochError(t, err)
		positionIs(t, j, 0)
	})
}

func TestAConflictInAnEarlierChunkKeepsThePosition(t *testing.T) {
	eachRedis(t, func(t *testing.T, client redis.UniversalClient) {
		j := newJournal(t, client, time.Hour)
		insert(t, j, 1, order("t0", "5"))
		if outcomes, _, err := j.Insert(context.Background(), intake.Range{From: 1, To: 9}, page()); err != nil || outcomes[0] != intake.Conflicted || outcomes[chunk] != intake.Added {
			t.Fatal(outcomes, err)
		}
		positionIs(t, j, 1)
	})
}

func TestThePositionIsSetOnceAndMovedForwardByAnOperatorOnly(t *testing.T) {
	eachRedis(t, func(t *testing.T, client redis.UniversalClient) {
		j := newJournal(t, client, time.Hour)
		for i, c := range []struct {
			offset  int64
			forward bool
			want    int64
		}{{7, false, 7}, {9, false, 7}, {3, false, 7}, {3, true, 7}, {9, true, 9}} {
			if got, err := j.Position(context.Background(), 5, c.offset, c.forward); err != nil || got != c.want {
				t.Errorf("step %d: %d, %v; want %d", i, got, err, c.want)
			}
		}
	})
}

// Position and safe mark are of one moment: read one after the other, an insert in between
// would let the mark pass its payout.
func TestNoInsertSlipsBetweenPositionAndMark(t *testing.T) {
	eachRedis(t, func(t *testing.T, client redis.UniversalClient) {
		j := newJournal(t, client, time.Hour)
		positionIs(t, j, 0) // the script is known from here on
		client.AddHook(&hook{after: func(call int) {
			if call == 1 {
				insert(t, j, 4, at("a", 3))
			}
		}})
		if m, err := j.Marks(context.Background(), []int{0}); err != nil || m[0].Safe > 3 {
			t.Fatalf("%+v, %v: the payout at 3 is open", m[0], err)
		}
	})
}

func TestACarriedCommandToAnotherPartitionLeavesTheOldOne(t *testing.T) {
	rebuilding(t, func(t *testing.T, client redis.UniversalClient, j *Journal) {
		ctx := context.Background()
		insert(t, j, 4, at("a", 3))
		if _, err := j.Position(ctx, 1, 0, false); err != nil {
			t.Fatal(err)
		}
		p := at("a", 7)
		p.Source.Partition = 1
		if _, _, err := j.Insert(ctx, intake.Range{Partition: 1, To: 8}, []intake.Entry{{Payout: p, Carried: payout.StateReceived}}); err != nil {
			t.Fatal(err)
		}
		if m, err := j.Marks(ctx, []int{0, 1}); err != nil || m[0].Safe != 4 || m[1].Safe != 7 {
			t.Fatalf("%+v, %v", m, err)
		}
	})
}

// A command may be carried forward while a lease runs: what its owner writes then keeps
// the new place.
func TestWhatAnInsertFilledInStaysAfterTheNextWrite(t *testing.T) {
	rebuilding(t, func(t *testing.T, client redis.UniversalClient, j *Journal) {
		insert(t, j, 4, at("a", 3))
		b := lease(t, j, payout.StepSend, "eg", 1)
		carried := []intake.Entry{{Payout: at("a", 7), Carried: payout.StateSending}}
		if _, _, err := j.Insert(context.Background(), intake.Range{From: 4, To: 8}, carried); err != nil {
			t.Fatal(err)
		}
		if !write(t, j, b, func(p *payout.Payout) { p.State, p.Due = payout.StateProcessing, time.Now() }) {
			t.Fatal("not written")
		}
		if p := show(t, client, j, "a"); p.Source.Offset != 7 || p.State != payout.StateProcessing {
			t.Errorf("%v at offset %d", p.State, p.Source.Offset)
		}
	})
}
