package app

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"disburser/actions"
	"disburser/internal/trial"
	"disburser/payout/acts"
	"disburser/paypro/paysim"
)

// unready waits until an instance says that it isn't ready for a reason.
func unready(t *testing.T, a *App, says string) {
	t.Helper()
	for range 600 {
		if strings.Contains(strings.Join(a.reasons(), " "), says) {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("it says %q, and nothing of %q", a.reasons(), says)
}

// The topic of the actions is made anew while every instance is down, and Redis is wiped too. Nothing is sent until a
// person has renewed it. Then what was in force is in force.
func TestATopicMadeAnewWhileAllAreDownLiftsNothing(t *testing.T) {
	inTown(t, paysim.Behavior{SettleMin: time.Second, SettleMax: 2 * time.Second}, func(w *town) {
		_, stop := w.run("one", nil)
		time.Sleep(5 * time.Second)
		w.say(acts.Pause, "batch:other")
		paused := w.say(acts.Pause, "fleet")
		time.Sleep(3 * time.Second)
		w.publish("t", 50)
		time.Sleep(3 * time.Second)
		stop()
		topic := trial.DefaultTopics.Actions
		if err := errors.Join(w.kafka.DeleteTopic(topic), w.kafka.CreateTopic(topic, 1, nil)); err != nil {
			t.Fatal(err)
		}
		w.redis.FlushAll()

		a, stop := w.run("one-again", nil)
		defer stop()
		unready(t, a, "disburser act renew")
		w.staysPaused(paused.Add(w.config.Actions.Staleness), 30*time.Second)

		done, err := Renew(context.Background(), w.config, Options{DialKafka: w.kafka.Dial}, "bob", "it was deleted")
		if err != nil || done.Generation != 1 || len(done.Again) != 2 || done.Pause != nil || done.Again[0].Scope.Kind != acts.Fleet {
			t.Fatalf("%+v, %v", done, err)
		}
		w.staysPaused(paused.Add(w.config.Actions.Staleness), 10*time.Second)
		if view, fresh := a.actions.View(); !fresh || len(view.All()) != 2 || view.Latest().Generation != 1 {
			t.Errorf("%v, %+v: %v", fresh, view.All(), a.reasons())
		}
		if _, err := Renew(context.Background(), w.config, Options{DialKafka: w.kafka.Dial}, "bob", "again"); err == nil || !strings.Contains(err.Error(), "nothing to renew") {
			t.Errorf("it is renewed twice: %v", err)
		}
		w.goesOn(w.say(acts.Resume, "fleet"), time.Second)
		w.whole(50)
	})
}

// A cancel whose topic was made anew can't be refused any more: payouts may have ended by it. A refusal that was void in the
// topic before may still be on its way.
func TestARenewedCancelIsNotRefused(t *testing.T) {
	inTown(t, paysim.Behavior{SettleMin: time.Second, SettleMax: 2 * time.Second}, func(w *town) {
		_, stop := w.run("one", nil)
		w.waiting(2)
		cancel := w.sayOnce(acts.Cancel, "batch:later", nil)
		w.becomes(cancel, 20*time.Second, acts.Done, "2 cancelled")
		w.settled(2, time.Minute)
		stop()
		topic := trial.DefaultTopics.Actions
		if err := errors.Join(w.kafka.DeleteTopic(topic), w.kafka.CreateTopic(topic, 1, nil)); err != nil {
			t.Fatal(err)
		}
		if _, err := Renew(context.Background(), w.config, Options{DialKafka: w.kafka.Dial}, "bob", "it was deleted"); err != nil {
			t.Fatal(err)
		}
		w.late(acts.Ended{Of: cancel, Result: acts.Refused, Detail: "nobody knows the batch"})
		_, stop = w.run("one-again", nil)
		defer stop()
		time.Sleep(5 * time.Second)
		w.say(acts.Resume, "batch:later")
		w.publishLines(linesOf("c", "later", 3))
		w.settled(5, time.Minute)
		if n := w.sentSince(time.Time{}); n != 0 {
			t.Errorf("%d of a cancelled batch are sent", n)
		}
	})
}

// late has an outcome land in the topic that was on its way for long.
func (w *town) late(e acts.Ended) {
	w.t.Helper()
	links, err := newKafka(w.config.Kafka, "late", w.kafka.Dial)
	if err != nil {
		w.t.Fatal(err)
	}
	defer links.transport.CloseIdleConnections()
	record, err := e.Record(w.config.Actions.Key)
	if err == nil {
		_, err = actions.Write(context.Background(), links.client, w.config.Kafka.Topics.Actions, record)
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

// Where nobody knows what was in force, the fleet is paused first.
func TestRenewPausesWhatNobodyKnows(t *testing.T) {
	inTown(t, paysim.Behavior{}, func(w *town) {
		done, err := Renew(context.Background(), w.config, Options{DialKafka: w.kafka.Dial}, "bob", "it was deleted")
		if err != nil || done.Pause == nil || done.Generation != 1 || done.Offset != 1 {
			t.Fatalf("%+v, %v", done, err)
		}
		a, stop := w.run("one", nil)
		defer stop()
		time.Sleep(30 * time.Second) // the first try to begin an epoch may come before the actions are read
		if view, fresh := a.actions.View(); !fresh || len(view.All()) != 1 || view.All()[0].ID != done.Pause.ID {
			t.Errorf("%v, %+v: %v", fresh, view.All(), a.reasons())
		}
	})
}

// A machine that stood still together with its clocks hears it from Redis, before it sends by what it knew.
func TestAStandstillIsHeardOfByTheActions(t *testing.T) {
	inTown(t, paysim.Behavior{SettleMin: time.Second, SettleMax: 2 * time.Second}, func(w *town) {
		a, stop := w.run("one", nil)
		defer stop()
		time.Sleep(5 * time.Second)
		w.redis.SetTime(time.Now().Add(20 * time.Second)) // as if this machine had stood still
		for range 4000 {
			if age, _ := a.actions.Age(); age > 15*time.Second {
				return
			}
			time.Sleep(time.Millisecond)
		}
		t.Error("nobody tells the actions")
	})
}
