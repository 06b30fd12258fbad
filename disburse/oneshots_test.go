package disburse

import (
	"context"
	"encoding/json"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"disburser/payout"
	"disburser/payout/acts"
	"disburser/payout/leases"
	"disburser/payout/secrets"
)

// pendingOf is an action about a batch, with the outcomes that stand already.
func pendingOf(t *testing.T, shards int, stand ...acts.Ended) acts.OneShot {
	t.Helper()
	f := acts.NewFold(acts.Rules{Shards: shards})
	r, err := acts.Write(acts.Action{ID: "a1", Kind: acts.Cancel, Scope: acts.Scope{Kind: acts.Batch, Name: "b1"}, By: "alice", Time: time.Now()}, secrets.Secret{})
	if err != nil {
		t.Fatal(err)
	}
	f.Take(r)
	for i, e := range stand {
		e.Of = "a1"
		r, err := e.Record(secrets.Secret{})
		if err != nil {
			t.Fatal(err)
		}
		r.Offset = int64(1 + i)
		f.Take(r)
	}
	return f.View().OneShots()[0]
}

// Shard 0 refuses a batch that no shard knows, after all others have spoken. It never does in an epoch that began
// after the action: a wiped journal may not know the batch yet.
func TestWhoKnowsABatch(t *testing.T) {
	known, unknown := acts.Ended{Result: acts.Done, Shard: 1, Counts: map[string]int{"cancelled": 3}}, acts.Ended{Result: acts.Done, Shard: 1}
	for name, c := range map[string]struct {
		shard, shards int
		old           bool
		stand         []acts.Ended
		want          leases.Mark
	}{
		"the only shard":                {0, 1, false, nil, leases.MarkRefused},
		"after a new epoch":             {0, 1, true, nil, leases.MarkDone},
		"another shard":                 {1, 2, false, nil, leases.MarkDone},
		"before the others have spoken": {0, 2, false, nil, ""},
		"another one knows it":          {0, 2, false, []acts.Ended{known}, leases.MarkDone},
		"nobody knows it":               {0, 2, false, []acts.Ended{unknown}, leases.MarkRefused},
		"another one can't know it":     {0, 2, false, []acts.Ended{afterAWipe(t)}, leases.MarkDone},
	} {
		e := &executor{OneShots: &OneShots{Shard: c.shard, Shards: c.shards}}
		if got := e.unknownBatch(pendingOf(t, c.shards, c.stand...), leases.Acted{Old: c.old}, "why"); got.mark != c.want {
			t.Errorf("%s: %q, want %q", name, got.mark, c.want)
		}
	}
}

// afterAWipe is the outcome of shard 1 whose epoch began after the action, as the others read it.
func afterAWipe(t *testing.T) acts.Ended {
	t.Helper()
	e := &executor{OneShots: &OneShots{Shard: 1, Shards: 2}}
	o := pendingOf(t, 2)
	a := e.unknownBatch(o, leases.Acted{Old: true}, "why")
	text, err := json.Marshal(a.said)
	if err != nil {
		t.Fatal(err)
	}
	record, err := outcomeOf(o, leases.Acted{Mark: a.mark, Said: string(text)}, 1).Record(secrets.Secret{})
	if err != nil {
		t.Fatal(err)
	}
	read, result, why := acts.Parse(record, acts.Keys{})
	if result != acts.Obeyed {
		t.Fatal(result, why)
	}
	return *read.Ended
}

// Whoever publishes what is marked says the same.
func TestWhatIsPublishedOfAMark(t *testing.T) {
	payout := acts.OneShot{Action: acts.Action{ID: "a1", Scope: acts.Scope{Kind: acts.Payout, Name: "p1"}}, Complete: true}
	at := time.Now()
	for name, c := range map[string]struct {
		acted     leases.Acted
		complete  bool
		uncertain bool
		detail    string
	}{
		"done":        {leases.Acted{Mark: leases.MarkDone, Said: `{"detail":"asked"}`}, true, false, "asked"},
		"lost":        {leases.Acted{Mark: leases.MarkExpired, Said: leases.SaidLost}, true, true, "the journal was lost or restarted meanwhile, and it may have happened: look at the payout, then say it again if it is still needed"},
		"late":        {leases.Acted{Mark: leases.MarkExpired}, true, false, "it could not be carried out in time: say it again if it is still needed"},
		"unconfirmed": {leases.Acted{Mark: leases.MarkExpired}, false, false, "nobody else has confirmed it in time: say it again"},
		"decided":     {leases.Acted{Mark: leases.MarkDone}, true, false, "it was decided before the journal was lost or restarted"},
	} {
		o := payout
		o.Complete, c.acted.MarkedAt = c.complete, at
		got := outcomeOf(o, c.acted, 3)
		if got.Detail != c.detail || got.Uncertain != c.uncertain || got.TradeNo != "p1" || got.Shard != 0 || !got.Time.Equal(at) || got.Of != "a1" {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// spoken is what people and instances have said, by a fold.
type spoken struct {
	mu     sync.Mutex
	fold   *acts.Fold
	offset int64
}

func (s *spoken) take(t *testing.T, r acts.Record, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r.Offset = s.offset
	s.offset++
	if _, result, why := s.fold.Take(r); err != nil || result == acts.Unreadable || result == acts.Unknown {
		t.Error(result, why, err)
	}
}

func (s *spoken) view() *acts.View {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.fold.View()
}

func (s *spoken) Stops(merchant, batchID, tradeNo string) acts.Stop {
	return s.view().Stops(true, merchant, batchID, tradeNo)
}

func (s *spoken) Narrow() (acts.Narrow, int64) { return s.view().Narrow(), s.view().Order() }

// touching is a journal of which only the counting of what ends is used.
type touching struct {
	ActJournal
	n atomic.Int64
}

func (j *touching) TouchAct(_ context.Context, _, _ string, tradeNos []string) error {
	j.n.Add(int64(len(tradeNos)))
	return nil
}

// Nothing ends by a batch's cancel before the topic says that it stands. If a refusal stands there first, a late one
// too, nothing has ended by it, and the payouts are sent.
func TestNothingEndsByACancelThatMayBeRefused(t *testing.T) {
	for name, refused := range map[string]bool{"it stands": false, "a refusal was faster": true} {
		inTime(t, func(t *testing.T) {
			all := orders(3, "a")
			for i := range all {
				all[i].BatchID = "b1"
			}
			b, said, journal := newBench(t, all...), &spoken{fold: acts.NewFold(acts.Rules{})}, &touching{}
			r, err := acts.Write(acts.Action{ID: "a1", Kind: acts.Cancel, Scope: acts.Scope{Kind: acts.Batch, Name: "b1"}, By: "alice", Time: time.Now()}, secrets.Secret{})
			said.take(t, r, err)
			var times atomic.Int64
			b.config.Actions, b.config.MaxOpen = said, 1000
			b.config.OneShots = &OneShots{
				View: func() (*acts.View, bool) { return acts.NewFold(acts.Rules{}).View(), true }, Journal: journal,
				Stands: func(_ context.Context, cancel string) error { times.Add(1); return nil },
			}
			b.start()
			time.Sleep(3 * time.Second)
			if n := times.Load(); n != 1 || journal.n.Load() != 0 || b.allSends() != 0 || b.journal.left() != 3 {
				t.Errorf("%s: said %d times, %d ended, %d sent", name, n, journal.n.Load(), b.allSends())
			}
			if refused {
				r, err := acts.Ended{Of: "a1", Result: acts.Refused, Time: time.Now()}.Record(secrets.Secret{})
				said.take(t, r, err)
			}
			r, err = acts.StandsFor("a1", time.Now(), secrets.Secret{})
			said.take(t, r, err)
			time.Sleep(20 * time.Second)
			want, ended := payout.StateRejected, int64(3)
			if refused {
				want, ended = payout.StatePaid, 0
			}
			for _, p := range all {
				if got := b.journal.forgotten(p.TradeNo); got != want {
					t.Errorf("%s: %s ended as %v: %+v", name, p.TradeNo, got, b.journal.get(p.TradeNo))
				}
			}
			if journal.n.Load() != ended {
				t.Errorf("%s: %d are counted", name, journal.n.Load())
			}
			b.stop()
		})
	}
}

// Shard 0 doesn't refuse a cancel of which the topic says that it stands, though it knows nothing of the batch.
func TestWhatStandsIsNotRefused(t *testing.T) {
	e := &executor{OneShots: &OneShots{Shards: 1}}
	o := pendingOf(t, 1)
	o.Firm = true
	if got := e.unknownBatch(o, leases.Acted{}, "why"); got.mark != leases.MarkDone {
		t.Errorf("%q", got.mark)
	}
}

// refusingJournal is a journal in which a cancel is marked as refused, until it is touched.
type refusingJournal struct {
	ActJournal
	touched bool
}

func (j *refusingJournal) Act(context.Context, leases.Act, string, time.Duration) (leases.Acted, error) {
	if j.touched {
		return leases.Acted{}, nil
	}
	return leases.Acted{Mark: leases.MarkRefused}, nil
}

func (j *refusingJournal) TouchAct(context.Context, string, string, []string) error {
	j.touched = true
	return nil
}

// A refusal that was marked before the topic said that the cancel stands is void, and isn't published.
func TestARefusalThatIsVoidBeginsAgain(t *testing.T) {
	for _, firm := range []bool{false, true} {
		j := &refusingJournal{}
		e := &executor{OneShots: &OneShots{Shards: 1, Journal: j}}
		known := &entry{shot: pendingOf(t, 1)}
		known.shot.Firm = firm
		e.step(context.Background(), context.Background(), known)
		if j.touched != firm || (known.marked == nil) != firm {
			t.Errorf("firm %v: touched %v, marked %+v", firm, j.touched, known.marked)
		}
	}
}

// seeing is a journal that counts how often an action is looked at.
type seeing struct {
	ActJournal
	n atomic.Int64
}

func (j *seeing) Act(context.Context, leases.Act, string, time.Duration) (leases.Acted, error) {
	j.n.Add(1)
	return leases.Acted{}, nil
}

// A batch's cancel has no deadline. While it waits for another person it costs the journal nothing, however long that is. What
// has a deadline is looked at: somebody must say that it is over.
func TestWhatWaitsForAPersonCostsNothing(t *testing.T) {
	for scope, looks := range map[string]bool{"batch:b1": false, "payout:p1": true} {
		inTime(t, func(t *testing.T) {
			b, said, journal := newBench(t), &spoken{fold: acts.NewFold(acts.Rules{TwoPeople: acts.NeedTwo})}, &seeing{}
			of, err := acts.ParseScope(scope)
			if err != nil {
				t.Fatal(err)
			}
			r, err := acts.Write(acts.Action{ID: "a1", Kind: acts.Cancel, Scope: of, By: "alice", Time: time.Now()}, secrets.Secret{})
			said.take(t, r, err)
			b.config.OneShots = &OneShots{
				Shards: 1, Journal: journal, Owns: func(string) bool { return true }, View: func() (*acts.View, bool) { return said.view(), true },
			}
			b.start()
			time.Sleep(time.Minute)
			if got := journal.n.Load() > 0; got != looks {
				t.Errorf("%s: looked at %d times", scope, journal.n.Load())
			}
			b.stop()
		})
	}
}
