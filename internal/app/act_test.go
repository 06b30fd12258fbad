package app

import (
	"context"
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"disburser/internal/trial"
	"disburser/payout/acts"
	"disburser/payout/secrets"
	"disburser/paypro/paysim"
)

// say has an action acknowledged, and answers when it was.
func (w *town) say(kind acts.Kind, scope string) time.Time {
	w.t.Helper()
	of, err := acts.ParseScope(scope)
	if err != nil {
		w.t.Fatal(err)
	}
	w.said++
	a := acts.Action{ID: acts.NewID(time.Now(), [10]byte{w.said}), Kind: kind, Scope: of, By: "alice", Reason: "wrong file", Time: time.Now()}
	if _, err := Act(context.Background(), w.config, Options{DialKafka: w.kafka.Dial}, a); err != nil {
		w.t.Fatal(err)
	}
	return time.Now()
}

// staysPaused watches for a while that nothing is sent from the moment on from which a pause holds.
func (w *town) staysPaused(from time.Time, lasts time.Duration) {
	w.t.Helper()
	time.Sleep(lasts)
	if n := w.sentSince(from); n > 0 {
		w.t.Errorf("%d sends while it is paused", n)
	}
}

// goesOn waits until something is sent again.
func (w *town) goesOn(since time.Time, within time.Duration) {
	w.t.Helper()
	for w.sentSince(since) == 0 {
		if time.Since(since) > within {
			w.t.Fatalf("nothing is sent within %v", within)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// whole says that n payouts ended, and nobody was paid twice.
func (w *town) whole(n int) {
	w.t.Helper()
	w.settled(n, 3*time.Minute)
	if twice := w.sim.Ledger().PaidTwice(); len(twice) > 0 {
		w.t.Errorf("paid twice: %v", twice)
	}
}

// The kill switch: a pause of the fleet in mid-run, while Redis is wiped and every instance is restarted. Nothing is
// sent later than the staleness after its acknowledgement. Asks go on. A resume is felt within a second.
func TestAPauseOfTheFleetHoldsThroughEverything(t *testing.T) {
	inTown(t, paysim.Behavior{SettleMin: time.Second, SettleMax: 5 * time.Second}, func(w *town) {
		_, stopOne := w.run("one", nil)
		_, stopTwo := w.run("two", nil)
		time.Sleep(5 * time.Second)
		w.publish("t", 400)
		time.Sleep(2 * time.Second)
		said := w.say(acts.Pause, "fleet")
		w.mu.Lock()
		sent, asks := len(w.sends), w.asks
		w.mu.Unlock()
		if sent < 50 || sent > 200 {
			t.Fatalf("%d sends before it", sent)
		}
		w.staysPaused(said.Add(w.config.Actions.Staleness), 20*time.Second)
		if w.mu.Lock(); w.asks <= asks {
			t.Error("the asks have stopped too")
		}
		w.mu.Unlock()
		if done := w.logged(`"message":"announced"`); done < sent {
			t.Errorf("%d of %d that were sent are announced", done, sent)
		}

		w.redis.FlushAll()
		time.Sleep(5 * time.Second)
		stopOne()
		stopTwo()
		_, stopOne = w.run("one-again", nil)
		_, stopTwo = w.run("two-again", nil)
		defer stopOne()
		defer stopTwo()
		w.staysPaused(said.Add(w.config.Actions.Staleness), 30*time.Second)

		resumed := w.say(acts.Resume, "fleet")
		w.goesOn(resumed, time.Second)
		w.whole(400)
		if held := w.logged("payout.held"); held > 0 {
			t.Errorf("%d are held", held)
		}
	})
}

// One merchant's pause leaves the others alone, and a batch's the other batches.
func TestANarrowerPauseLeavesOthersAlone(t *testing.T) {
	inTown(t, paysim.Behavior{SettleMin: time.Second, SettleMax: 2 * time.Second}, func(w *town) {
		_, stop := w.run("one", nil)
		defer stop()
		time.Sleep(5 * time.Second)
		w.say(acts.Pause, "merchant:br-main")
		paused := w.say(acts.Pause, "payout:t-0003")
		time.Sleep(time.Second)
		w.publish("t", 50)
		w.settled(49, time.Minute)
		time.Sleep(10 * time.Second)
		if n := w.sentSince(paused); n != 49 {
			t.Errorf("%d sends of 50 payouts, one of which is paused", n)
		}
		w.say(acts.Resume, "payout:t-0003")
		w.whole(50)
	})
}

// While the topic can't be read nothing is sent, and /readyz says why. Asks go on.
func TestNothingIsSentWhileTheActionsCannotBeRead(t *testing.T) {
	inTown(t, paysim.Behavior{SettleMin: 5 * time.Second, SettleMax: 10 * time.Second}, func(w *town) {
		a, stop := w.run("one", nil)
		defer stop()
		time.Sleep(5 * time.Second)
		w.publish("t", 300)
		time.Sleep(2 * time.Second)
		fault := w.kafka.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.ListOffsets}, Topic: trial.DefaultTopics.Actions, Err: kerr.OffsetNotAvailable, Count: -1})
		failed := time.Now()
		time.Sleep(15 * time.Second)
		if n := w.sentSince(failed.Add(w.config.Actions.Staleness)); n > 0 {
			t.Errorf("%d sends though nobody knows whether they are paused", n)
		}
		if w.logged(`"message":"announced"`) == 0 {
			t.Error("what was sent is not asked about")
		}
		if reasons := strings.Join(a.reasons(), " "); !strings.Contains(reasons, "actions: nothing is sent until the actions are known") {
			t.Errorf("it is ready: %q", reasons)
		}
		fault.Remove()
		w.goesOn(time.Now(), 2*time.Second)
		w.whole(300)
	})
}

// /readyz says what is in force, and an unsigned resume is none where a key is set.
func TestReadyzSaysWhatIsInForce(t *testing.T) {
	inTown(t, paysim.Behavior{}, func(w *town) {
		w.config.Actions.Key = secrets.New(strings.Repeat("k", 32))
		a, stop := w.run("one", nil)
		defer stop()
		time.Sleep(5 * time.Second)
		w.say(acts.Pause, "batch:b1")
		w.config.Actions.Key = secrets.Secret{}
		w.say(acts.Resume, "batch:b1")
		w.say(acts.Pause, "merchant:nobody")
		time.Sleep(5 * time.Second)
		answer := httptest.NewRecorder()
		a.admin().ServeHTTP(answer, httptest.NewRequestWithContext(context.Background(), "GET", "/readyz", nil))
		var said struct {
			Ready   bool
			Actions struct {
				Fresh   bool
				InForce []shown
			}
		}
		if err := json.Unmarshal(answer.Body.Bytes(), &said); err != nil {
			t.Fatal(err)
		}
		list := said.Actions.InForce
		if !said.Ready || !said.Actions.Fresh || len(list) != 2 || list[0].Scope != "batch:b1" || list[1].Scope != "merchant:nobody" || list[0].Reason != "wrong file" {
			t.Errorf("%s", answer.Body)
		}
		if w.logged("no key vouches for it") != 1 {
			t.Error("nobody is told of the unsigned resume")
		}
	})
}

// What nobody would obey isn't written, nor where nobody reads it.
func TestAnActionThatNobodyWouldObeyIsNotWritten(t *testing.T) {
	inTown(t, paysim.Behavior{}, func(w *town) {
		a := acts.Action{ID: "an id with spaces", Kind: acts.Pause, Scope: acts.Scope{Kind: acts.Fleet}, By: "alice"}
		if _, err := Act(context.Background(), w.config, Options{DialKafka: w.kafka.Dial}, a); err == nil || !strings.Contains(err.Error(), "would be skipped") {
			t.Error(err)
		}
		a.ID = "1"
		w.config.Kafka.Topics.Actions = "nowhere"
		if _, err := Act(context.Background(), w.config, Options{DialKafka: w.kafka.Dial}, a); err == nil || !strings.Contains(err.Error(), "no topic nowhere") {
			t.Error(err)
		}
	})
}

// What waits for a second person goes on waiting when the list of what needs two is shortened: a pause isn't lifted by a
// restart.
func TestAShorterListOfTwoPeopleLiftsNothing(t *testing.T) {
	inTown(t, paysim.Behavior{}, func(w *town) {
		w.config.Actions.TwoPeople = []string{"resume"}
		w.say(acts.Pause, "fleet")
		w.say(acts.Resume, "fleet")
		w.config.Actions.TwoPeople = nil
		said, err := NewSaid(w.config, Options{DialKafka: w.kafka.Dial})
		if err != nil {
			t.Fatal(err)
		}
		defer said.Close()
		if v, err := said.InForce(context.Background()); err != nil || len(v.All()) != 1 {
			t.Errorf("%d in force: %v", len(v.All()), err)
		}
	})
}
