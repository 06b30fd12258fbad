package disburse

import (
	"testing"
	"time"

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
	} {
		e := &executor{OneShots: &OneShots{Shard: c.shard, Shards: c.shards}}
		if got := e.unknownBatch(pendingOf(t, c.shards, c.stand...), leases.Acted{Old: c.old}, "why"); got.mark != c.want {
			t.Errorf("%s: %q, want %q", name, got.mark, c.want)
		}
	}
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
