package main

import (
	"fmt"
	"io"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"disburser/backoffice/api"
	"disburser/internal/trial"
	"disburser/message"
	"disburser/paypro/paysim"
)

// Dead letters that can be read by now are replayed: by two people at once, and then again as they insist. Each payout is paid once.
func TestReplayedDeadLettersArePaidOnce(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	const payouts = 8
	w, err := newWorld(setup{seed: 1, then: "resend", listen: anyPort})
	if err != nil {
		t.Fatal(err)
	}
	defer w.close()
	if err := w.start(io.Discard); err != nil {
		t.Fatal(err)
	}
	tradeNo := func(n int) string { return fmt.Sprintf("late-%d", n) }
	var letters []kafka.Message
	for n := range payouts {
		d := message.DeadLetter{
			Key: fmt.Append(nil, tradeNo(n)), Code: message.Malformed, Reason: "an older version couldn't read it", Index: n - 1, Topic: trial.DefaultTopics.Commands, Time: time.Now(),
			Value: fmt.Appendf(nil, `{"tradeNo":"%s","merchant":"eg-main","amount":"%d","batchId":"late","batchSize":%d,"payee":{"customerName":"kevin","walletId":"0112%07d"}}`, tradeNo(n), 300+n, payouts, n),
		}
		m := message.EncodeDeadLetter(d)
		letters = append(letters, kafka.Message{Key: m.Key, Value: m.Value, Headers: message.HeadersAs[kafka.Header](m.Headers)})
	}
	to := &kafka.Writer{Addr: kafka.TCP(w.kafka.ListenAddrs()...), Topic: trial.DefaultTopics.DeadLetter, Transport: w.transport, RequiredAcks: kafka.RequireAll}
	defer to.Close()
	if err := to.WriteMessages(t.Context(), letters...); err != nil {
		t.Fatal(err)
	}
	until := func(what string, done func() bool) {
		t.Helper()
		for deadline := time.Now().Add(time.Minute); !done(); time.Sleep(20 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("not %s after a minute", what)
			}
		}
	}
	var ids []string
	until("in the books", func() bool {
		page, err := api.Get[api.Letters](t.Context(), w.office.Client, "/dead-letters", nil)
		ids = nil
		for _, l := range page.Letters {
			ids = append(ids, l.ID)
		}
		return err == nil && len(ids) == payouts
	})
	say := func(word api.ReplayWord) api.Replay {
		done, err := api.Post[api.Replay](t.Context(), w.office.Client, "/dead-letters/replay", nil, word)
		if err != nil {
			t.Error(err)
		}
		return done
	}
	var both [2]api.Replay
	var group sync.WaitGroup
	for i := range both {
		group.Go(func() { both[i] = say(api.ReplayWord{}) })
	}
	group.Wait()
	if both[0].Replayed+both[1].Replayed != payouts {
		t.Errorf("%+v", both)
	}
	say(api.ReplayWord{IDs: ids, Again: true})
	until("ended", func() bool { return ended(w, payouts, tradeNo) })
	say(api.ReplayWord{IDs: ids, Again: true})
	once(t, w.sim.Ledger(), payouts)
}

// ended tells that each payout has a final result.
func ended(w *world, payouts int, tradeNo func(int) string) bool {
	for n := range payouts {
		if !slices.ContainsFunc(w.watcher.Results(tradeNo(n)), func(s trial.Seen) bool { return s.Event.Type != message.EventHeld }) {
			return false
		}
	}
	return true
}

// once looks into the provider's ledger: no money left twice.
func once(t *testing.T, ledger paysim.Ledger, payouts int) {
	t.Helper()
	if len(ledger.Entries) != payouts {
		t.Errorf("%d of %d payouts are at the provider", len(ledger.Entries), payouts)
	}
	for _, e := range ledger.Entries {
		paid := 0
		for _, x := range e.Executions {
			if x.PaidAmount != "0" {
				paid++
			}
		}
		if paid > 1 {
			t.Errorf("%s is paid %d times", e.TradeNo, paid)
		}
	}
}
