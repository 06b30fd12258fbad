package service

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"disburser/backoffice/api"
	"disburser/config"
	"disburser/payout/acts"
	"disburser/payout/secrets"
)

// saidResolves is n people's words about as many payouts, each looked for as soon as it is said, as who waits for it does.
// Then come their outcomes. It answers how many bytes that took.
func saidResolves(t *testing.T, n int) (bytes uint64, s *said) {
	t.Helper()
	s = newSaid(&Service{config: config.Config{}})
	records := make([]acts.Record, 0, 2*n)
	add := func(r acts.Record, err error) {
		if err != nil {
			t.Fatal(err)
		}
		r.Offset = int64(len(records))
		records = append(records, r)
	}
	at := time.Date(2026, 11, 21, 10, 30, 0, 0, time.UTC)
	for i := range n {
		add(acts.Write(acts.Action{
			ID: fmt.Sprint("a", i), Kind: acts.Resolve, As: acts.Failed, Scope: acts.Scope{Kind: acts.Payout, Name: fmt.Sprint("p", i)}, By: "alice", Reason: "absent", Time: at,
		}, secrets.Secret{}))
	}
	for i := range n {
		add(acts.Ended{Of: fmt.Sprint("a", i), Result: acts.Done, TradeNo: fmt.Sprint("p", i), Time: at}.Record(secrets.Secret{}))
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	from := int64(0)
	for i, r := range records {
		s.take(r)
		want := statusWaits
		if i >= n {
			want = "done"
		}
		id := fmt.Sprint("a", i%n)
		if a, known := s.find(id); !known || a.Status != want {
			t.Fatalf("%d: %v %+v", i, known, a)
		}
		s.find("not-read-yet")
		changed, next := s.changes(from, 100)
		if from = next; len(changed) != 1 || changed[0].action.ID != id {
			t.Fatalf("%d: %+v", i, changed)
		}
	}
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc, s
}

// Actions about many payouts cost as much each as about few: whoever waits for one looks for it again and again, while
// thousands are pending.
func TestManyActionsCostNoMoreEach(t *testing.T) {
	few, _ := saidResolves(t, 200)
	many, s := saidResolves(t, 8*200)
	if many > 2*8*few {
		t.Errorf("8 times as many actions take %d times as many bytes", many/few)
	}
	if len(s.all) != 8*200 {
		t.Errorf("%d actions", len(s.all))
	}
}

// What is in force, waits or is ignored is found by its id.
func TestWhatHasBecomeOfAnAction(t *testing.T) {
	s := newSaid(&Service{config: config.Config{}})
	offset := int64(0)
	say := func(a acts.Action) {
		t.Helper()
		a.By, a.Reason, a.Time = "alice", "why", time.Now()
		r, err := acts.Write(a, secrets.Secret{})
		if err != nil {
			t.Fatal(err)
		}
		r.Offset = offset
		offset++
		s.take(r)
	}
	batch := acts.Scope{Kind: acts.Batch, Name: "b"}
	say(acts.Action{ID: "lifted", Kind: acts.Pause, Scope: batch})
	say(acts.Action{ID: "resume", Kind: acts.Resume, Scope: batch})
	say(acts.Action{ID: "stands", Kind: acts.Pause, Scope: batch})
	say(acts.Action{ID: "pends", Kind: acts.Cancel, Scope: batch})
	say(acts.Action{ID: "waits", Kind: acts.Ask, Scope: batch, Needs: 2})
	say(acts.Action{ID: "ignored", Kind: acts.Confirm, Of: "nobody's"})
	for id, want := range map[string]string{
		"lifted": "lifted", "resume": "obeyed", "stands": "in force", "pends": statusWaits, "waits": statusWaitsForPerson, "ignored": "ignored", "unknown": "",
	} {
		var a api.Action
		if a, _ = s.find(id); a.Status != want {
			t.Errorf("%s: %q, want %q", id, a.Status, want)
		}
	}
}
