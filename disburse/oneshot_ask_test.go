package disburse

import (
	"context"
	"testing"
	"time"

	"disburser/payout"
	"disburser/payout/acts"
	"disburser/payout/leases"
)

// emptyJournal knows no open payout of a batch, and of a payout what is given.
type emptyJournal struct {
	ActJournal
	found leases.Named
	state payout.State
}

func (*emptyJournal) OpenOf(context.Context, string, string, int64) (leases.OpenPage, error) {
	return leases.OpenPage{}, nil
}

func (j *emptyJournal) LeaseByName(context.Context, leases.ByName) (leases.LeasedByName, error) {
	return leases.LeasedByName{Payouts: []leases.NamedPayout{{Found: j.found, Payout: payout.Payout{State: j.state}}}}, nil
}

// What was begun is never refused: the journal takes no such mark, and the action would never have an outcome. Whoever
// began it has died, and its ask may have ended the payout, or made it wait to be sent again.
func TestAnAskThatWasBegunIsDone(t *testing.T) {
	for name, c := range map[string]struct {
		scope acts.ScopeKind
		found leases.Named
		state payout.State
		want  leases.Mark // where it was not begun
	}{
		"it waits to be sent again": {acts.Payout, leases.NamedOther, payout.StateReceived, leases.MarkRefused},
		"it has ended":              {acts.Payout, leases.NamedOther, payout.StatePaid, leases.MarkRefused},
		"it is remembered":          {acts.Payout, leases.NamedEnded, payout.StatePaid, leases.MarkRefused},
		"it is forgotten":           {acts.Payout, leases.NamedUnknown, 0, leases.MarkRefused},
		"somebody has it":           {acts.Payout, leases.NamedBusy, payout.StateHeld, ""},
		"a batch that has ended":    {acts.Batch, 0, 0, leases.MarkRefused},
	} {
		for _, made := range []bool{false, true} {
			e := &executor{OneShots: &OneShots{Shards: 1, Journal: &emptyJournal{found: c.found, state: c.state}}, loop: &Loop{}}
			o := acts.OneShot{Action: acts.Action{ID: "a1", Kind: acts.Ask, Scope: acts.Scope{Kind: c.scope, Name: "x"}}, Complete: true}
			want := c.want
			if made && want != "" {
				want = leases.MarkDone
			}
			got := e.attempt(context.Background(), context.Background(), o, leases.Acted{Made: made, Mine: true, Left: time.Minute})
			if got.mark != want || got.err != nil {
				t.Errorf("%s, begun %v: %q %q %v, want %q", name, made, got.mark, got.said.Detail, got.err, want)
			}
			if made && c.scope == acts.Batch && len(got.said.Counts) == 0 {
				t.Errorf("%s: shard 0 would take it for one that knows nothing of the batch", name)
			}
		}
	}
}

// onePageJournal has all of a batch in one page.
type onePageJournal struct {
	ActJournal
	page []payout.Payout
}

func (j *onePageJournal) OpenOf(context.Context, string, string, int64) (leases.OpenPage, error) {
	return leases.OpenPage{Payouts: j.page}, nil
}

// A batch is known of which nobody can be asked about now: it is tried again, from the same place.
func TestABatchThatNobodyCanBeAskedAbout(t *testing.T) {
	inTime(t, func(t *testing.T) {
		b, j := newBench(t), &onePageJournal{page: []payout.Payout{{
			Command: payout.Command{TradeNo: "p1", Merchant: "a", BatchID: "b1"}, State: payout.StateProcessing, Step: payout.StepAsk,
		}}}
		b.merchant("a").Query = limiter{take: func(context.Context, int) ([]time.Time, time.Duration, error) { return nil, time.Minute, nil }}
		e := &executor{OneShots: &OneShots{Shards: 1, Journal: j}, loop: b.build().Loop}
		o := acts.OneShot{Action: acts.Action{ID: "a1", Kind: acts.Ask, Scope: acts.Scope{Kind: acts.Batch, Name: "b1"}}, Complete: true}
		if got := e.attempt(t.Context(), t.Context(), o, leases.Acted{Mine: true, Left: time.Minute}); got.mark != "" || got.err != nil {
			t.Errorf("%q %q %v", got.mark, got.said.Detail, got.err)
		}
		if got := e.attempt(t.Context(), t.Context(), o, leases.Acted{Mine: true, Made: true}); got.mark != leases.MarkDone {
			t.Errorf("begun, and its time is over: %q %q %v", got.mark, got.said.Detail, got.err)
		}
	})
}

// toldJournal is one in which an outcome is marked as published.
type toldJournal struct{ ActJournal }

func (toldJournal) ToldAct(context.Context, leases.Claim) error { return nil }

// An outcome that is published and isn't read stood in a topic that was lost. It is published once more.
func TestAnOutcomeThatNobodyReadsIsPublishedAgain(t *testing.T) {
	told := 0
	e := &executor{OneShots: &OneShots{
		Shards: 1, Journal: toldJournal{}, Unfenced: func(context.Context, string) error { return nil },
		Tell: func(context.Context, acts.Ended) error { told++; return nil },
	}, table: map[string]*entry{}}
	known := &entry{shot: pendingOf(t, 1)}
	e.table["a1"] = known
	at := time.Now()
	for _, c := range []struct {
		after time.Duration
		want  int
	}{{0, 0}, {actUnread / 2, 0}, {actUnread, 1}, {actUnread + 10*time.Second, 1}, {3 * actUnread, 2}} {
		known.marked, known.own, known.next = &leases.Acted{Mark: leases.MarkDone, Told: true}, true, time.Time{}
		if e.publish(context.Background(), at.Add(c.after)); told != c.want {
			t.Errorf("after %v: published %d times, want %d", c.after, told, c.want)
		}
	}
}
