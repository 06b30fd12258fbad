package app

import (
	"context"
	"slices"
	"testing"
	"time"

	"disburser/internal/partition"
	"disburser/message"
	"disburser/payout/acts"
	"disburser/paypro/paysim"
)

// results are the last events of payouts, by tradeNo. No payout has two ends.
func (w *town) results() map[string]message.Event {
	w.t.Helper()
	links, err := newKafka(w.config.Kafka, "reader", w.kafka.Dial)
	if err != nil {
		w.t.Fatal(err)
	}
	defer links.transport.CloseIdleConnections()
	source := partition.Source{Client: links.client, Topic: w.config.Kafka.Topics.Results, Partition: 0}
	end, err := source.Latest(context.Background())
	if err != nil {
		w.t.Fatal(err)
	}
	reader := partition.Reader{Source: source}
	defer reader.Release()
	last := map[string]message.Event{}
	for next := int64(0); next < end.Offset; {
		page, err := reader.Next(context.Background(), next, time.Second)
		if err != nil {
			w.t.Fatal(err)
		}
		for _, r := range page.Records {
			e, err := message.DecodeEvent(message.New(r.Key, r.Value, r.Headers))
			if err != nil {
				w.t.Fatal(err)
			}
			before := last[e.TradeNo]
			if _, ended := message.FinalOf(before.Type); ended && before.EventID != e.EventID {
				w.t.Errorf("%s: %s, and then %s", e.TradeNo, before.Type, e.Type)
			}
			last[e.TradeNo] = e
		}
		next = page.Next
	}
	return last
}

// holding brings some payouts to be held: the provider has no record of them, though it has others.
func (w *town) holding() (held []string) {
	w.t.Helper()
	w.publish("t", 20)
	time.Sleep(3 * time.Minute)
	for tradeNo, e := range w.results() {
		if e.Type == message.EventHeld {
			held = append(held, tradeNo)
		}
	}
	slices.Sort(held)
	if len(held) < 3 {
		w.t.Fatalf("%d are held", len(held))
	}
	return held
}

// quickly has payouts held soon, for want of a record.
func (w *town) quickly() {
	m := w.config.Merchants["eg-main"]
	m.Poll.First, m.Poll.Max, m.Poll.GiveUp = time.Second, 5*time.Second, time.Hour
	m.NoRecord.Every, m.NoRecord.Answers, m.NoRecord.Then = 5*time.Second, 2, "hold"
	w.config.Merchants["eg-main"] = m
}

// resolve says how a held payout ended.
func (w *town) resolve(tradeNo string, as acts.As) string {
	return w.sayOnce(acts.Resolve, "payout:"+tradeNo, func(a *acts.Action) { a.As, a.Reason = as, "the provider wrote so" })
}

// A person ends held payouts, as far as the provider's answers allow it. None of them is sent again.
func TestAPersonResolvesHeldPayouts(t *testing.T) {
	inTown(t, paysim.Behavior{EarlyError: 0.4, SettleMin: time.Second, SettleMax: 2 * time.Second}, func(w *town) {
		w.quickly()
		_, stop := w.run("one", nil)
		defer stop()
		_, stopTwo := w.run("two", nil)
		defer stopTwo()
		time.Sleep(5 * time.Second)
		held := w.holding()
		sent := w.sentSince(time.Time{})

		w.becomes(w.resolve(held[0], acts.Paid), 10*time.Second, acts.Refused, "no record")
		failed := w.becomes(w.resolve(held[0], acts.Failed), 10*time.Second, acts.Done, "resolved as failed by alice")
		if failed.Evidence == nil || failed.Evidence.Finding != "no_record" || failed.TradeNo != held[0] {
			t.Errorf("%+v", failed)
		}
		time.Sleep(5 * time.Second)
		if e := w.results()[held[0]]; e.Type != message.EventFailed || e.By != "alice" || e.PaidAmount != "" {
			t.Errorf("%+v", e)
		}
		w.becomes(w.resolve(held[0], acts.Failed), 10*time.Second, acts.Done, "already")
		w.becomes(w.resolve(held[0], acts.Paid), 10*time.Second, acts.Refused, "it has ended as failed")
		w.becomes(w.resolve("nobody", acts.Paid), 10*time.Second, acts.Refused, "no payout with this tradeNo is known")
		if n := w.sentSince(time.Time{}); n != sent {
			t.Errorf("%d sends, and %d before", n, sent)
		}
	})
}

// A wipe at any moment of a resolve: the payout is held again, or ended as the person said, and never sent.
func TestAWipeWhileAPersonResolves(t *testing.T) {
	for _, stopped := range []string{"decisions", "results"} {
		inTown(t, paysim.Behavior{EarlyError: 0.4, SettleMin: time.Second, SettleMax: 2 * time.Second}, func(w *town) {
			w.quickly()
			_, stop := w.run("one", nil)
			defer stop()
			time.Sleep(5 * time.Second)
			held := w.holding()
			sent := w.sentSince(time.Time{})
			again := w.refuses(map[string]string{"decisions": w.config.Kafka.Topics.Decisions, "results": w.config.Kafka.Topics.Results}[stopped])
			id := w.resolve(held[0], acts.Failed)
			time.Sleep(5 * time.Second)
			w.redis.FlushAll()
			time.Sleep(5 * time.Second)
			again()
			time.Sleep(time.Minute)
			e := w.results()[held[0]]
			switch outcome := w.outcomes()[id]; {
			case stopped == "decisions" && (e.Type != message.EventHeld || outcome.Result != acts.Expired || !outcome.Uncertain):
				t.Errorf("nothing was decided: %s, %+v", e.Type, outcome)
			case stopped == "results" && (e.Type != message.EventFailed || e.By != "alice" || outcome.Result != acts.Done):
				t.Errorf("it was decided: %+v, %+v", e, outcome)
			}
			if n := w.sentSince(time.Time{}); n != sent {
				t.Errorf("%s: %d sends, and %d before", stopped, n, sent)
			}
		})
	}
}
