package decisions

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"disburser/internal/kafkatest"
	"disburser/message"
	"disburser/payout/acts"
	"disburser/payout/secrets"
)

// heardActions is a follower of the actions that says what a test wants.
type heardActions struct {
	mu       sync.Mutex
	view     *acts.View
	fresh    bool
	expected []acts.Place
}

func (h *heardActions) View() (*acts.View, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.view, h.fresh
}

func (h *heardActions) Expect(p acts.Place) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if p.Any() && !slices.Contains(h.expected, p) {
		h.expected = append(h.expected, p)
	}
}

func (h *heardActions) told(p acts.Place) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Contains(h.expected, p)
}

// viewOf is what is in force after so many pauses.
func viewOf(t *testing.T, pauses ...string) *acts.View {
	t.Helper()
	fold := acts.NewFold(acts.Rules{})
	for i, scope := range pauses {
		of, err := acts.ParseScope(scope)
		if err != nil {
			t.Fatal(err)
		}
		r, err := acts.Write(acts.Action{ID: scope, Kind: acts.Pause, Scope: of, By: "alice", Reason: "why"}, secrets.Secret{})
		if err != nil {
			t.Fatal(err)
		}
		r.Offset = int64(i)
		if _, result, why := fold.Take(r); result != acts.Obeyed {
			t.Fatal(result, why)
		}
	}
	return fold.View()
}

// startActing starts a keeper beside a follower that knows a view.
func startActing(t *testing.T, k *kafkatest.Kafka, client *redis.Client, name string, view *acts.View, fresh bool) (*instance, *heardActions) {
	heard := &heardActions{view: view, fresh: fresh}
	i := startWith(t, k, client, func(c *KeeperConfig) { c.Log, c.Actions = startLog(t, k, name), heard })
	i.settles(t)
	return i, heard
}

// on record are the latest actions that the decisions name in records of a kind.
func onRecord(t *testing.T, k *kafkatest.Kafka, kind message.DecisionKind) (list []message.Decision) {
	t.Helper()
	for p := range 3 {
		for _, r := range k.Read(t, topic, p) {
			if d, err := message.DecodeDecision(r.Value); err == nil && d.Kind == kind && d.Latest != nil {
				list = append(list, d)
			}
		}
	}
	return list
}

var second = acts.Place{Offset: 1, ID: "merchant:m"}

// The latest action is put on record once, in the journal and in the decisions, whoever reads it.
func TestTheLatestActionIsPutOnRecord(t *testing.T) {
	inTime(t, func(t *testing.T, k *kafkatest.Kafka) {
		_, client := newRedis(t)
		a, _ := startActing(t, k, client, "pod-1", viewOf(t), false)
		b, heard := startActing(t, k, client, "pod-2", viewOf(t), false)
		view := viewOf(t, "batch:b", "merchant:m")
		for _, i := range []*instance{a, b, a} {
			if known, err := i.Record(background, view); err != nil || known != second {
				t.Fatalf("%v, %v", known, err)
			}
		}
		said := onRecord(t, k, message.KindAlive)
		if len(said) != 1 || *said[0].Latest != second || !said[0].Kept || len(said[0].InForce) != 2 || said[0].InForce[0].Scope != "merchant:m" || said[0].Left != 0 {
			t.Errorf("%+v", said)
		}
		s, err := b.journal.Standing(background)
		if err != nil || s.Action != second {
			t.Errorf("%v, %v", s.Action, err)
		}
		if known, err := b.Record(background, viewOf(t, "batch:b")); err != nil || known != second { // an earlier one
			t.Errorf("%v, %v", known, err)
		}
		if known, err := b.Record(background, viewOf(t, "batch:b", "fleet")); err != nil || known != second || !known.Denies(viewOf(t, "batch:b", "fleet").Latest()) {
			t.Errorf("%v, %v", known, err) // another one at its place
		}
		marked()
		if !heard.told(second) {
			t.Error("who keeps the epoch wasn't told")
		}
	})
}

// Without the decisions it isn't on record: Redis may be lost.
func TestAnActionIsNotOnRecordInRedisAlone(t *testing.T) {
	inTime(t, func(t *testing.T, k *kafkatest.Kafka) {
		_, client := newRedis(t)
		a, _ := startActing(t, k, client, "pod-1", viewOf(t), false)
		view := viewOf(t, "fleet")
		fault := k.Fail(kmsg.Produce, topic, kerr.NotEnoughReplicas, -1)
		if _, err := a.Record(background, view); err == nil {
			t.Error("it counts as on record")
		}
		fault.Remove()
		if _, err := a.Record(background, view); err != nil || len(onRecord(t, k, message.KindAlive)) == 0 {
			t.Error(err)
		}
	})
}

// Who joins, who begins after a wipe, and who sees another one's record tells its follower.
func TestWhatIsOnRecordIsExpected(t *testing.T) {
	inTime(t, func(t *testing.T, k *kafkatest.Kafka) {
		r, client := newRedis(t)
		a, _ := startActing(t, k, client, "pod-1", viewOf(t), false)
		if _, err := a.Record(background, viewOf(t, "batch:b", "merchant:m")); err != nil {
			t.Fatal(err)
		}
		a.stop()
		b, heard := startActing(t, k, client, "pod-2", viewOf(t), false)
		if !heard.told(second) {
			t.Error("it joined, and its follower wasn't told")
		}
		before := b.current()
		r.FlushAll()
		b.CheckEpoch()
		b.next(t, before)
		b.stop()
		if s, err := b.journal.Standing(background); err != nil || s.Action != second {
			t.Errorf("after the wipe: %v, %v", s.Action, err)
		}
		if opened := onRecord(t, k, message.KindOpen); len(opened) == 0 || *opened[len(opened)-1].Latest != second || opened[0].Kept {
			t.Errorf("%+v", opened)
		}
		_, heard = startActing(t, k, client, "pod-3", viewOf(t), false)
		if !heard.told(second) {
			t.Error("it joined after the wipe, and its follower wasn't told")
		}
	})
}

// What a follower has read of a topic that isn't known to be the right one becomes no record.
func TestWhatIsNotFreshBecomesNoRecord(t *testing.T) {
	inTime(t, func(t *testing.T, k *kafkatest.Kafka) {
		_, client := newRedis(t)
		i, _ := startActing(t, k, client, "pod-1", viewOf(t, "fleet", "merchant:m"), false)
		time.Sleep(2 * keepEvery)
		s, err := i.journal.Standing(background)
		if err != nil || s.Action.Any() || len(onRecord(t, k, message.KindOpen)) > 0 || len(onRecord(t, k, message.KindAlive)) > 0 {
			t.Errorf("%v, %v", s.Action, err)
		}
	})
}

// What is in force is kept again each hour, by one of them: the decisions have an end.
func TestWhatIsInForceIsKeptAgain(t *testing.T) {
	if testing.Short() {
		t.Skip("it lives through hours")
	}
	inTime(t, func(t *testing.T, k *kafkatest.Kafka) {
		_, client := newRedis(t)
		view := viewOf(t, "fleet", "merchant:m")
		a, _ := startActing(t, k, client, "pod-1", view, true)
		startActing(t, k, client, "pod-2", view, true)
		if opened := onRecord(t, k, message.KindOpen); len(opened) != 3 || *opened[0].Latest != second || len(opened[0].InForce) != 2 {
			t.Errorf("%+v", opened)
		}
		for end := time.Now().Add(5*keepEvery + time.Minute); time.Now().Before(end); time.Sleep(10 * time.Second) {
			if err := a.Log.Send(background, a.current().ID, some("a")); err != nil { // never silent
				t.Fatal(err)
			}
		}
		kept := 0
		for _, d := range onRecord(t, k, message.KindAlive) {
			if d.Kept {
				kept++
			}
		}
		if kept < 4 || kept > 8 {
			t.Errorf("kept %d times in five hours", kept)
		}
		found, err := ReadOnRecord(background, k.Client, topic)
		if err != nil || found.Latest != second || !found.Whole() || len(found.InForce) != 2 || found.InForce[0].ID != "fleet" {
			t.Errorf("%+v, %v", found, err)
		}
	})
}

// A record has room for so much, and says what it leaves out.
func TestWhatIsKeptHasAnEnd(t *testing.T) {
	var scopes []string
	for i := range 3000 {
		scopes = append(scopes, fmt.Sprint("batch:", i))
	}
	var d message.Decision
	keepIn(&d, viewOf(t, append(scopes, "fleet")...))
	value, err := message.EncodeDecision(d)
	if err != nil || len(value) > 100_000 || len(d.InForce)+d.Left != 3001 || d.Left == 0 || d.InForce[0].Scope != "fleet" {
		t.Errorf("%d bytes, %d kept, %d left, %v", len(value), len(d.InForce), d.Left, err)
	}
	if (OnRecord{Latest: *d.Latest, Of: *d.Latest, Left: d.Left}).Whole() {
		t.Error("what is left out isn't known")
	}
}

// Who joins hears of it from the journal too: the decisions before the watermark aren't read again.
func TestAJoinerExpectsWhatTheJournalHas(t *testing.T) {
	inTime(t, func(t *testing.T, k *kafkatest.Kafka) {
		_, client := newRedis(t)
		a, _ := startActing(t, k, client, "pod-1", viewOf(t), false)
		if _, err := a.Record(background, viewOf(t, "batch:b", "merchant:m")); err != nil {
			t.Fatal(err)
		}
		marked()
		if _, heard := startActing(t, k, client, "pod-2", viewOf(t), false); !heard.told(second) {
			t.Error("it joined, and its follower wasn't told")
		}
	})
}
