package app

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"disburser/actions"
	"disburser/config"
	"disburser/internal/partition"
	"disburser/message"
	"disburser/payout/acts"
	"disburser/paypro/paysim"
)

// sayOnce has an action acknowledged that is carried out once, and answers its id.
func (w *town) sayOnce(kind acts.Kind, scope string, change func(*acts.Action)) string {
	w.t.Helper()
	of, err := acts.ParseScope(scope)
	if err != nil {
		w.t.Fatal(err)
	}
	w.said++
	a := acts.Action{ID: acts.NewID(time.Now(), [10]byte{w.said, 1}), Kind: kind, Scope: of, By: "alice", Reason: "wrong file", Time: time.Now(), Lasts: time.Minute}
	if change != nil {
		change(&a)
	}
	if _, err := Act(context.Background(), w.config, Options{DialKafka: w.kafka.Dial}, a); err != nil {
		w.t.Fatal(err)
	}
	return a.ID
}

// outcomes are those that stand in the topic, by the action's id. Nothing has two.
func (w *town) outcomes() map[string]acts.Ended {
	w.t.Helper()
	links, err := newKafka(w.config.Kafka, "reader", w.kafka.Dial)
	if err != nil {
		w.t.Fatal(err)
	}
	defer links.transport.CloseIdleConnections()
	source := partition.Source{Client: links.client, Topic: w.config.Kafka.Topics.Actions, Partition: actions.Number}
	end, err := source.Latest(context.Background())
	if err != nil {
		w.t.Fatal(err)
	}
	reader := partition.Reader{Source: source}
	defer reader.Release()
	all, ids := map[string]acts.Ended{}, map[string]string{}
	for next := int64(0); next < end.Offset; {
		page, err := reader.Next(context.Background(), next, time.Second)
		if err != nil {
			w.t.Fatal(err)
		}
		for _, r := range page.Records {
			a, result, _ := acts.Parse(acts.Record{Offset: r.Offset, Time: r.Time, Key: r.Key, Value: r.Value}, acts.Keys{})
			if result != acts.Obeyed || a.Kind != acts.Outcome {
				continue
			}
			said := fmt.Sprintf("%s %s", a.Ended.Result, a.Ended.Detail)
			if before, known := ids[a.ID]; known && before != said {
				w.t.Errorf("two outcomes of %s: %q and %q", a.Of, before, said)
			}
			ids[a.ID], all[a.Of] = said, *a.Ended
		}
		next = page.Next
	}
	return all
}

// becomes waits for the outcome of an action.
func (w *town) becomes(id string, within time.Duration, result acts.Result, detail string) acts.Ended {
	w.t.Helper()
	began := time.Now()
	for {
		e, found := w.outcomes()[id]
		switch {
		case found && (e.Result != result || !strings.Contains(e.Detail, detail)):
			w.t.Fatalf("%s: %q, want %s %q", e.Result, e.Detail, result, detail)
		case found:
			return e
		case time.Since(began) > within:
			w.t.Fatalf("no outcome within %v, want %s %q", within, result, detail)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// linesOf are commands of a batch.
func linesOf(prefix, batch string, n int) (lines []string) {
	for i := range n {
		lines = append(lines, fmt.Sprintf(`{"tradeNo":"%s-%04d","merchant":"eg-main","batchId":%q,"amount":"300","payee":{"customerName":"kevin","walletId":"01123456789"}}`, prefix, i, batch))
	}
	return lines
}

func TestWhatIsCarriedOutOnce(t *testing.T) {
	inTown(t, paysim.Behavior{SettleMin: time.Hour, SettleMax: 2 * time.Hour}, func(w *town) {
		_, stop := w.run("one", nil)
		defer stop()
		_, stopTwo := w.run("two", nil)
		defer stopTwo()
		time.Sleep(5 * time.Second)
		w.say(acts.Pause, "batch:later")
		time.Sleep(time.Second)
		w.publish("t", 3)
		w.publishLines(linesOf("b", "later", 5))
		time.Sleep(5 * time.Second)

		ask := w.becomes(w.sayOnce(acts.Ask, "payout:t-0000", nil), 3*time.Second, acts.Done, "asked: processing; it is processing")
		if ask.Evidence == nil || ask.Evidence.Finding != "processing" || ask.TradeNo != "t-0000" {
			t.Errorf("%+v", ask)
		}
		w.becomes(w.sayOnce(acts.Ask, "payout:nobody", nil), 3*time.Second, acts.Refused, "no payout with this tradeNo is known")
		w.becomes(w.sayOnce(acts.Ask, "payout:b-0000", nil), 3*time.Second, acts.Refused, "it was not sent yet")
		w.becomes(w.sayOnce(acts.Cancel, "payout:nobody", nil), 3*time.Second, acts.Refused, "no payout with this tradeNo is known")
		w.becomes(w.sayOnce(acts.Cancel, "payout:t-0001", nil), 3*time.Second, acts.Refused, "it was or may have been sent at")
		w.becomes(w.sayOnce(acts.Ask, "payout:t-0001", func(a *acts.Action) { a.Lasts = -time.Second }), 3*time.Second, acts.Refused, "its deadline isn't after its time")
		w.becomes(w.sayOnce(acts.Ask, "batch:nobody", nil), 3*time.Second, acts.Refused, "no open payout of this batch")
		w.becomes(w.sayOnce(acts.Cancel, "batch:nobody", nil), 3*time.Second, acts.Refused, "no open payout of this batch")

		w.becomes(w.sayOnce(acts.Cancel, "payout:b-0000", nil), 3*time.Second, acts.Done, "rejected: cancelled by alice: wrong file")
		w.becomes(w.sayOnce(acts.Cancel, "payout:b-0000", nil), 3*time.Second, acts.Refused, "it has ended as rejected")
		two := w.sayOnce(acts.Cancel, "payout:b-0001", func(a *acts.Action) { a.Needs, a.Lasts = 2, 10*time.Second })
		w.becomes(two, 20*time.Second, acts.Expired, "nobody else has confirmed it in time")
		all := w.becomes(w.sayOnce(acts.Cancel, "batch:later", nil), 5*time.Second, acts.Done, "4 cancelled")
		if all.Counts["cancelled"] != 4 || all.TradeNo != "" {
			t.Errorf("%+v", all)
		}
		w.settled(5, 20*time.Second)
		if n := w.sentSince(time.Time{}); n != 3 {
			t.Errorf("%d sends", n)
		}
	})
}

// A batch is asked about within the query rate, however long a page of it takes. Each payout of it is.
func TestALargeBatchIsAskedAboutSlowly(t *testing.T) {
	inTown(t, paysim.Behavior{SettleMin: time.Hour, SettleMax: 2 * time.Hour}, func(w *town) {
		m := w.config.Merchants["eg-main"]
		m.Query, m.Poll.First, m.Poll.Max = config.Rate{Rate: 2, Burst: 1}, 10*time.Minute, 20*time.Minute
		w.config.Merchants["eg-main"] = m
		_, stop := w.run("one", nil)
		defer stop()
		time.Sleep(5 * time.Second)
		w.publishLines(linesOf("b", "large", 100))
		time.Sleep(30 * time.Second)
		w.mu.Lock()
		before := w.asks
		w.mu.Unlock()
		began := time.Now()
		e := w.becomes(w.sayOnce(acts.Ask, "batch:large", func(a *acts.Action) { a.Lasts = 2 * time.Minute }), 90*time.Second, acts.Done, "100 asked about")
		w.mu.Lock()
		defer w.mu.Unlock()
		if e.Counts["asked"] != 100 || w.asks-before != 100 {
			t.Errorf("%+v, asked %d times in %v", e, w.asks-before, time.Since(began))
		}
	})
}

// refuses has a topic take no record, until the answer is called.
func (w *town) refuses(topic string) (again func()) {
	fault := w.kafka.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: topic, Err: kerr.NotEnoughReplicas, Count: -1})
	return fault.Remove
}

// waiting publishes payouts of a paused batch, and waits until the journal has them.
func (w *town) waiting(n int) {
	w.t.Helper()
	time.Sleep(5 * time.Second)
	w.say(acts.Pause, "batch:later")
	time.Sleep(time.Second)
	w.publishLines(linesOf("b", "later", n))
	time.Sleep(5 * time.Second)
}

// What was made is finished by whoever takes it over, also after the deadline. Here the payout is rejected in Redis,
// and nobody has written that down.
func TestAnActionSurvivesItsInstance(t *testing.T) {
	inTown(t, paysim.Behavior{}, func(w *town) {
		_, stopOne := w.run("one", nil)
		w.waiting(2)
		again := w.refuses(w.config.Kafka.Topics.Decisions)
		id := w.sayOnce(acts.Cancel, "payout:b-0000", func(a *acts.Action) { a.Lasts = 5 * time.Second })
		time.Sleep(10 * time.Second)
		if all := w.outcomes(); len(all) != 0 {
			t.Errorf("said before it is decided: %+v", all)
		}
		stopOne()
		_, stopTwo := w.run("two", nil)
		defer stopTwo()
		time.Sleep(10 * time.Second)
		if all := w.outcomes(); len(all) != 0 {
			t.Errorf("said before it is decided: %+v", all)
		}
		again()
		w.becomes(id, 2*actTakenOver, acts.Done, "rejected: cancelled by alice")
		w.settled(1, time.Minute)
		if n := w.sentSince(time.Time{}); n != 0 {
			t.Errorf("%d sends", n)
		}
	})
}

// actTakenOver is how long a dead instance's claim lasts.
const actTakenOver = 30 * time.Second

// A wipe before the decision: the cancel may or may not have happened, and nobody does it again. A wipe after the
// decision: it is done, since the decision bears its id.
func TestAWipeWhileAnActionIsCarriedOut(t *testing.T) {
	for _, topic := range []string{"decisions", "actions"} {
		inTown(t, paysim.Behavior{SettleMin: time.Second, SettleMax: 2 * time.Second}, func(w *town) {
			_, stop := w.run("one", nil)
			defer stop()
			w.waiting(1)
			of := map[string]string{"decisions": w.config.Kafka.Topics.Decisions, "actions": w.config.Kafka.Topics.Actions}[topic]
			id := ""
			if topic == "actions" { // it takes the action itself, and nothing after it
				id = w.sayOnce(acts.Cancel, "payout:b-0000", nil)
			}
			again := w.refuses(of)
			if topic == "decisions" {
				id = w.sayOnce(acts.Cancel, "payout:b-0000", nil)
			}
			time.Sleep(5 * time.Second)
			if all := w.outcomes(); len(all) != 0 {
				t.Fatalf("%s: %+v", topic, all)
			}
			w.redis.FlushAll()
			time.Sleep(5 * time.Second)
			again()
			if topic == "decisions" {
				e := w.becomes(id, time.Minute, acts.Expired, "it may have happened")
				if !e.Uncertain {
					t.Error("it is said for certain")
				}
				w.say(acts.Resume, "batch:later")
				w.settled(1, time.Minute)
			} else {
				w.becomes(id, time.Minute, acts.Done, "")
			}
			time.Sleep(10 * time.Second)
			want := map[string]int{"decisions": 1, "actions": 0}[topic]
			if n := w.sentSince(time.Time{}); n != want {
				t.Errorf("%s: %d sends", topic, n)
			}
		})
	}
}

// Redis restarts and has lost nothing. An end that was not decided becomes held, since nobody knows what was said of
// it meanwhile. One that was decided stays, though the restart replays only what stands behind the watermark.
func TestARestartWhileAnActionIsCarriedOut(t *testing.T) {
	for _, topic := range []string{"decisions", "actions"} {
		inTown(t, paysim.Behavior{SettleMin: time.Second, SettleMax: 2 * time.Second}, func(w *town) {
			_, stop := w.run("one", nil)
			defer stop()
			w.waiting(1)
			of := map[string]string{"decisions": w.config.Kafka.Topics.Decisions, "actions": w.config.Kafka.Topics.Actions}[topic]
			id := ""
			if topic == "actions" { // it takes the action itself, and nothing after it
				id = w.sayOnce(acts.Cancel, "payout:b-0000", nil)
			}
			again := w.refuses(of)
			if topic == "decisions" {
				id = w.sayOnce(acts.Cancel, "payout:b-0000", nil)
			}
			time.Sleep(30 * time.Second) // watermarks are written where they may
			w.redis.Restarted()
			time.Sleep(5 * time.Second)
			again()
			if topic == "decisions" {
				if e := w.becomes(id, time.Minute, acts.Expired, "it may have happened"); !e.Uncertain {
					t.Error("it is said for certain")
				}
			} else {
				w.becomes(id, time.Minute, acts.Done, "")
			}
			w.say(acts.Resume, "batch:later")
			time.Sleep(time.Minute)
			want := map[string]message.EventType{"decisions": message.EventHeld, "actions": message.EventRejected}[topic]
			if e := w.results()["b-0000"]; e.Type != want {
				t.Errorf("%s: %s, want %s: %s", topic, e.Type, want, e.Reason)
			}
			if n := w.sentSince(time.Time{}); n != 0 {
				t.Errorf("%s: %d sends", topic, n)
			}
		})
	}
}

// The pass of a batch's cancel says in the journal which action must be read by whoever takes commands in. The intake
// goes on, and what comes later for the batch is rejected, also what is scheduled.
func TestAPassSaysWhatMustBeRead(t *testing.T) {
	inTown(t, paysim.Behavior{SettleMin: time.Second, SettleMax: 2 * time.Second}, func(w *town) {
		_, stop := w.run("one", nil)
		defer stop()
		w.waiting(2)
		w.becomes(w.sayOnce(acts.Cancel, "batch:later", nil), 10*time.Second, acts.Done, "2 cancelled")
		if passed := w.redis.HGet("disburser:{0}:epoch", "passed"); passed == "" || passed == "0" {
			t.Errorf("passed is %q", passed)
		}
		scheduled := strings.Replace(linesOf("c", "later", 1)[0], "{", `{"notBefore":"2120-01-01T00:00:00Z",`, 1)
		w.publishLines(append(linesOf("d", "goes on", 1), scheduled))
		time.Sleep(20 * time.Second)
		all := w.results()
		if e := all["c-0000"]; e.Type != message.EventRejected || e.By != "alice" {
			t.Errorf("what is scheduled: %+v", e)
		}
		if e := all["d-0000"]; e.Type != message.EventPaid {
			t.Errorf("what goes on: %+v", e)
		}
	})
}
