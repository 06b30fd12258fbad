package decisions

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"disburser/internal/kafkatest"
	"disburser/message"
	"disburser/payout"
	"disburser/payout/epochs"
	"disburser/payout/intake"
	"disburser/payout/leases"
)

// A restart that loses nothing but a tail reads from the watermarks on only, and goes on
// at the journal's own position.
func TestARestartReplaysItsTailOnly(t *testing.T) {
	inTime(t, func(t *testing.T, k *kafkatest.Kafka) {
		r, client := newRedis(t)
		i := startKeeper(t, k, client, "pod-1", 1)
		first := i.settles(t)
		i.takeIn(t, "a", "b", "c", "d")
		for range 20 {
			announces(t, k, 0, message.EventPaid, "x", "y")
		}
		i.decides(t, 1) // a
		marked()
		s, err := i.journal.Standing(background)
		if err != nil || s.Results[0] != 40 || len(s.Results) != 2 || len(s.Decisions) != 3 {
			t.Fatalf("%+v %v", s, err)
		}
		saved := imageOf(t, client)
		i.decides(t, 1)                                     // b, and this the Redis forgets
		announces(t, k, 1, message.EventPaid, "c", "z")     // and this
		decision(t, k, 2, message.KindFinal, first.ID, "d") // and this
		saved.load(t, r, client)
		seen := watchReads(k)
		i.CheckEpoch()
		second := i.next(t, first)
		if second.Number != 2 {
			t.Errorf("%+v", second)
		}
		for p := range 3 {
			if at := seen.of(topic, p); at >= 0 && at < s.Decisions[p] {
				t.Errorf("decisions %d were read from %d, the watermark is %d", p, at, s.Decisions[p])
			}
		}
		if seen.of(results, 0) != -1 || seen.of(results, 1) != 0 {
			t.Errorf("results were read from %d and %d", seen.of(results, 0), seen.of(results, 1))
		}
		if m, err := i.journal.Marks(background, []int{0}); err != nil || m[0].Position != 4 {
			t.Errorf("%+v %v", m, err)
		}
		if got := i.due(t, payout.StepSend); got != "" {
			t.Errorf("%s would be sent again", got)
		}
		if got := i.due(t, payout.StepAsk); got != "b" { // a has its lease still
			t.Errorf("%s is asked about", got)
		}
		if got := i.due(t, payout.StepAnnounce); got != "d" {
			t.Errorf("%s is announced", got)
		}
		if got := i.takeIn(t, "a", "b", "c", "d", "e"); got != "ddddn" {
			t.Errorf("outcomes %s", got)
		}
	})
}

func TestAWipedJournalIsRebuiltFromTheWholeWindow(t *testing.T) {
	inTime(t, func(t *testing.T, k *kafkatest.Kafka) {
		r, client := newRedis(t)
		i := startKeeper(t, k, client, "pod-1", 1)
		first := i.settles(t)
		all := []string{"1-paid", "2-failed", "3-partial", "4-rejected", "5-sent", "6-ended", "7-stale", "8-received", "9-held"}
		i.takeIn(t, all...)
		i.decides(t, 5)
		announces(t, k, 0, message.EventPaid, "1-paid")
		announces(t, k, 1, message.EventFailed, "2-failed")
		announces(t, k, 1, message.EventPartial, "3-partial")
		announces(t, k, 0, message.EventRejected, "4-rejected")
		announces(t, k, 0, message.EventHeld, "9-held") // no final, but only a final follows it
		marked()
		decision(t, k, 0, message.KindFinal, first.ID, "6-ended")
		decision(t, k, 1, message.KindFinal, "an epoch that was fenced", "7-stale")
		for _, nonsense := range []string{"nonsense", "", `{"kind":7}`, `{"kind":"send","tradeNos":["8-received"]}`, `{"kind":"final","tradeNos":["8-received"],"fingerprints":[]}`, `null`, `[]`, `{"kind":"resolve","tradeNos":["8-received"]}`} {
			write(t, k, 2, nonsense)
			k.Write(t, results, 0, kafkatest.Record("x", nonsense))
		}
		k.Write(t, results, 1, kafkatest.Record("8-received", `{"type":"payout.paid","tradeNo":"8-received"}`)) // without a fingerprint: not ours
		k.Write(t, results, 1, kafka.Record{Key: kafka.NewBytes([]byte("8-received"))})                         // a tombstone
		r.FlushAll()
		i.CheckEpoch()
		i.next(t, first)
		if m, err := i.journal.Marks(background, []int{0}); err != nil || m[0].Position != -1 {
			t.Fatalf("%+v %v", m, err)
		}
		if got := i.due(t, payout.StepAnnounce); got != "" {
			t.Errorf("%s is announced without content", got)
		}
		if got := i.takeIn(t, all...); got != "ddddddnnd" {
			t.Errorf("outcomes %s", got)
		}
		if got := i.due(t, payout.StepSend); got != "7-stale 8-received" {
			t.Errorf("%s would be sent", got)
		}
		b := i.lease(t, payout.StepAsk, 9)
		if names(b) != "5-sent 9-held" || b.Payouts[1].State != payout.StateHeld || b.Payouts[0].Amount.String() != "300" || b.Payouts[0].LastSentAt.IsZero() {
			t.Errorf("%s is asked about: %+v", names(b), b.Payouts)
		}
		if b.Evidence.Settled != "1-paid" && b.Evidence.Settled != "3-partial" || !b.Evidence.ServedAt.IsZero() {
			t.Errorf("nobody is left to be asked about, or is taken for an answer: %+v", b.Evidence)
		}
		b = i.lease(t, payout.StepAnnounce, 9)
		if names(b) != "6-ended" || b.Payouts[0].Reason != "because" || b.Payouts[0].State != payout.StateRejected {
			t.Errorf("%s is announced: %+v", names(b), b.Payouts)
		}
	})
}

// A decision, to send or final, counts by the last fence before it in its partition.
func TestDecisionsCountByTheirFence(t *testing.T) {
	inTime(t, func(t *testing.T, k *kafkatest.Kafka) {
		decision(t, k, 0, message.KindFinal, "one", "before-any-fence")
		write(t, k, 0, fenceOf("one", 0))
		decision(t, k, 0, message.KindFinal, "one", "valid-1")
		write(t, k, 0, fenceOf("two", 1)) // of another shard
		decision(t, k, 0, message.KindFinal, "one", "valid-2")
		write(t, k, 0, fenceOf("two", 0))
		decision(t, k, 0, message.KindFinal, "one", "stale")
		decision(t, k, 0, message.KindFinal, "two", "valid-3")
		decision(t, k, 0, message.KindSend, "one", "stale-send")
		write(t, k, 1, fenceOf("one", 0)) // no fence of two here: it didn't come so far
		decision(t, k, 1, message.KindFinal, "one", "valid-4")
		_, client := newRedis(t)
		i := startKeeper(t, k, client, "pod-1", 1)
		i.settles(t)
		if got := i.takeIn(t, "before-any-fence", "valid-1", "valid-2", "stale", "valid-3", "stale-send", "valid-4"); got != "nddndnd" {
			t.Errorf("outcomes %s", got)
		}
		if got := i.due(t, payout.StepSend); got != "before-any-fence stale stale-send" { // nothing was done on account of a stale decision
			t.Errorf("%s would be sent", got)
		}
		if got := i.due(t, payout.StepAsk); got != "" {
			t.Errorf("%s is asked about", got)
		}
	})
}

func TestKeepersOfAWipedJournalEndInOneEpoch(t *testing.T) {
	for _, apart := range []time.Duration{0, time.Millisecond, 100 * time.Millisecond, 3 * time.Second} {
		t.Run(apart.String(), func(t *testing.T) {
			inTime(t, func(t *testing.T, k *kafkatest.Kafka) {
				r, client := newRedis(t)
				var all []*instance
				for n := range 3 {
					all = append(all, startKeeper(t, k, client, fmt.Sprint("pod-", n), 1))
				}
				before := all[0].settles(t)
				for _, i := range all {
					i.settles(t)
				}
				all[0].takeIn(t, "a", "b")
				all[0].decides(t, 1)
				r.FlushAll()
				for _, i := range all {
					i.CheckEpoch()
					time.Sleep(apart)
				}
				after := all[0].next(t, before)
				if after.Number != before.Number+1 {
					t.Errorf("%+v after %+v: the numbers go on over a wipe", after, before)
				}
				for _, i := range all {
					if e := i.next(t, before); e != after {
						t.Errorf("%+v and %+v", e, after)
					}
				}
				if got := all[1].takeIn(t, "a", "b"); got != "dn" {
					t.Errorf("outcomes %s", got)
				}
				all[2].decides(t, 1)
				if n := fences(t, k, 0); n != 2 {
					t.Errorf("%d fences", n)
				}
			})
		})
	}
}

func TestADeadBuilderIsReplaced(t *testing.T) {
	inTime(t, func(t *testing.T, k *kafkatest.Kafka) {
		_, client := newRedis(t)
		i := startKeeper(t, k, client, "pod-1", 1)
		before := i.settles(t)
		i.takeIn(t, "a")
		if err := i.journal.Build(background, "dead", before.ID, claimFor); err != nil { // and dies
			t.Fatal(err)
		}
		write(t, k, 0, fenceOf("dead", 0))
		i.CheckEpoch()
		began := time.Now()
		time.Sleep(claimFor / 2)
		if e, why := i.Epoch(); e.ID != "" || why != "another instance is rebuilding the journal" {
			t.Errorf("%+v %s", e, why)
		}
		e := i.next(t, before)
		if took := time.Since(began); took < claimFor || took > claimFor+2*time.Second || e.Number <= before.Number {
			t.Errorf("%+v after %v", e, took)
		}
		i.decides(t, 1)
	})
}

// Two halves of a Redis that was split, and one Kafka.
func TestAStaleHalfIsRefusedAndDoesNotFight(t *testing.T) {
	inTime(t, func(t *testing.T, k *kafkatest.Kafka) {
		_, oldClient := newRedis(t)
		stale := startKeeper(t, k, oldClient, "pod-1", 1)
		before := stale.settles(t)
		stale.takeIn(t, "a", "b", "c")
		sending := stale.lease(t, payout.StepSend, 1)
		own := some("c")
		own[0].State, own[0].Reason = payout.StateRejected, "expired"

		_, newClient := newRedis(t)
		live := startKeeper(t, k, newClient, "pod-2", 1)
		after := live.settles(t)
		if got := live.takeIn(t, "a", "b", "c"); got != "nnn" {
			t.Fatal(got)
		}
		if err := stale.Log.Send(background, sending.Epoch, sending.Payouts); !errors.Is(err, epochs.ErrOver) {
			t.Errorf("the stale half may send: %v", err)
		}
		if err := stale.Log.Final(background, sending.Epoch, own); !errors.Is(err, epochs.ErrOver) {
			t.Errorf("the stale half may end: %v", err)
		}
		live.decides(t, 1)
		stood := fences(t, k, 0)
		began := time.Now()
		for time.Since(began) < 3*deadAfter { // the live half is idle
			time.Sleep(time.Second)
			if time.Since(began) > 7*time.Second {
				if e, why := stale.Epoch(); e.ID != "" || !strings.Contains(why, "stale") {
					t.Fatalf("after %v: %+v %s", time.Since(began), e, why)
				}
			}
			if e, why := live.Epoch(); e != after {
				t.Fatalf("after %v: %+v %s", time.Since(began), e, why)
			}
		}
		// Its Redis would still give out work: asks that end in a hold, after the live half
		// has announced the end.
		for _, step := range []payout.Step{payout.StepAsk, payout.StepAnnounce} {
			if _, err := stale.journal.Lease(background, leases.Request{Step: step, Merchant: "eg-main", N: 9, For: time.Minute}); !errors.Is(err, epochs.ErrOver) {
				t.Errorf("the stale half may %v: %v", step, err)
			}
		}
		for time.Since(began) < 6*time.Minute { // the live half works
			live.works(t)
			time.Sleep(10 * time.Second)
		}
		if n := fences(t, k, 0); n != stood {
			t.Errorf("%d fences, then %d", stood, n)
		}
		if e, _ := stale.Epoch(); e.ID != "" {
			t.Errorf("the stale half is in %+v", e)
		}
		live.stop()
		ceased := time.Now()
		stale.next(t, before)
		if took := time.Since(ceased); took < deadAfter-aliveEvery-10*time.Second {
			t.Errorf("after %v", took)
		}
		if got := stale.due(t, payout.StepAsk); !strings.Contains(got, "a") {
			t.Errorf("asked about: %q; the half knows nothing of what the other one decided", got)
		}
		if err := live.Log.Send(background, after.ID, some("x")); !errors.Is(err, epochs.ErrOver) {
			t.Errorf("two halves decide at once: %v", err)
		}
	})
}

func TestAFenceOfABuilderThatNeverOpenedIsAnswered(t *testing.T) {
	inTime(t, func(t *testing.T, k *kafkatest.Kafka) {
		_, client := newRedis(t)
		i := startKeeper(t, k, client, "pod-1", 1)
		before := i.settles(t)
		i.takeIn(t, "a")
		fence := strings.Replace(fenceOf("dead", 0), "2026-11-21T10:30:00Z", time.Now().UTC().Format(time.RFC3339Nano), 1)
		write(t, k, 1, fence)
		began := time.Now()
		marked()
		if e, why := i.Epoch(); e.ID != "" || why != "another instance is beginning an epoch" {
			t.Errorf("%+v %s", e, why)
		}
		e := i.next(t, before)
		if took := time.Since(began); took < claimFor-time.Second || took > claimFor+2*time.Second || e.Number <= before.Number {
			t.Errorf("%+v after %v", e, took)
		}
		i.decides(t, 1)
	})
}

func TestTrimmedTopicsGiveAReach(t *testing.T) {
	for name, trim := range map[string]func(k *kafkatest.Kafka, sent int64) error{
		"decisions": func(k *kafkatest.Kafka, sent int64) error { return k.DeleteRecords(topic, 2, sent) },
		"results":   func(k *kafkatest.Kafka, _ int64) error { return k.DeleteRecords(results, 1, 1) },
		"both, the shortest": func(k *kafkatest.Kafka, sent int64) error {
			return errors.Join(k.DeleteRecords(results, 0, 2), k.DeleteRecords(topic, 2, sent))
		},
	} {
		t.Run(name, func(t *testing.T) {
			inTime(t, func(t *testing.T, k *kafkatest.Kafka) {
				r, client := newRedis(t)
				i := startKeeper(t, k, client, "pod-1", 1)
				before := i.settles(t)
				announces(t, k, 0, message.EventPaid, "v")
				announces(t, k, 0, message.EventPaid, "w")
				announces(t, k, 1, message.EventPaid, "x")
				time.Sleep(10 * time.Minute)
				written := time.Now()
				announces(t, k, 0, message.EventPaid, "w2")
				announces(t, k, 1, message.EventPaid, "y")
				sent := decision(t, k, 2, message.KindSend, before.ID, "z")
				time.Sleep(10 * time.Minute)
				if err := trim(k, sent); err != nil {
					t.Fatal(err)
				}
				r.FlushAll()
				i.CheckEpoch()
				i.next(t, before)
				_, _ = i.journal.Position(background, 0, 0, false)
				entries := place(some("older", "younger", "y", "z"))
				for n, at := range []time.Duration{-time.Minute, time.Minute, -time.Minute, -time.Minute} {
					entries[n].Payout.Source.Time = written.Add(at)
				}
				out, _, err := i.journal.Insert(background, intake.Range{To: 4}, entries)
				if err != nil || out[0] != intake.TooOld || out[1] != intake.Added || out[2] != intake.Known || out[3] != intake.Known {
					t.Fatalf("outcomes %q, %v", out, err)
				}
			})
		})
	}
}

func TestEverythingTrimmedHoldsWhateverIsOlderThanTheRebuilding(t *testing.T) {
	inTime(t, func(t *testing.T, k *kafkatest.Kafka) {
		r, client := newRedis(t)
		i := startKeeper(t, k, client, "pod-1", 1)
		before := i.settles(t)
		time.Sleep(time.Minute)
		_, end, err := i.Log.source(1).Bounds(background)
		if err == nil {
			err = k.DeleteRecords(topic, 1, end)
		}
		if err != nil {
			t.Fatal(err)
		}
		asked := place(some("a"))
		r.FlushAll()
		time.Sleep(time.Second)
		i.CheckEpoch()
		i.next(t, before)
		_, _ = i.journal.Position(background, 0, 0, false)
		out, _, err := i.journal.Insert(background, intake.Range{To: 1}, asked)
		if err != nil || out[0] != intake.TooOld {
			t.Fatalf("%q %v", out, err)
		}
	})
}

func TestATopicTrimmedPastTheMarkIsReadWhole(t *testing.T) {
	inTime(t, func(t *testing.T, k *kafkatest.Kafka) {
		r, client := newRedis(t)
		i := startKeeper(t, k, client, "pod-1", 1)
		before := i.settles(t)
		i.takeIn(t, "a", "b")
		marked()
		saved := imageOf(t, client)
		announces(t, k, 1, message.EventPaid, "lost", "gone")
		time.Sleep(time.Minute)
		announces(t, k, 1, message.EventPaid, "a")
		if err := k.DeleteRecords(results, 1, 2); err != nil {
			t.Fatal(err)
		}
		saved.load(t, r, client)
		i.CheckEpoch()
		i.next(t, before)
		if got := i.due(t, payout.StepSend); got != "b" {
			t.Errorf("%q would be sent", got)
		}
		entries := place(some("a", "b", "lost"))
		entries[2].Payout.Source.Time = time.Now().Add(-2 * time.Minute)
		out, _, err := i.journal.Insert(background, intake.Range{To: 3}, entries)
		if err != nil || out[0] != intake.Known || out[2] != intake.TooOld {
			t.Errorf("outcomes %q, %v: what was trimmed before it was known may have been paid", out, err)
		}
	})
}

func TestPartitionsAddedToTheDecisions(t *testing.T) {
	inTime(t, func(t *testing.T, k *kafkatest.Kafka) {
		r, client := newRedis(t)
		i := startKeeper(t, k, client, "pod-1", 1)
		before := i.settles(t)
		res, err := k.Client.CreatePartitions(background, &kafka.CreatePartitionsRequest{Topics: []kafka.TopicPartitionsConfig{{Name: topic, Count: 7}}})
		if err != nil || res.Errors[topic] != nil {
			t.Fatal(err, res)
		}
		time.Sleep(time.Minute)
		if e := i.settles(t); e != before {
			t.Fatalf("%+v", e)
		}
		for n := range 8 { // by name they would spread over all seven
			joined := startKeeper(t, k, client, fmt.Sprint("pod-", n), 1)
			joined.settles(t)
			joined.works(t)
		}
		for p := 3; p < 7; p++ {
			if n := len(k.Read(t, topic, p)); n != 0 {
				t.Errorf("partition %d holds %d records: it has no fence", p, n)
			}
		}
		r.Restarted()
		i.CheckEpoch()
		i.next(t, before)
		for p := 3; p < 7; p++ {
			if n := fences(t, k, p); n != 1 {
				t.Errorf("partition %d holds %d fences", p, n)
			}
		}
		s, err := i.journal.Standing(background)
		if err != nil || len(s.Fences) != 7 || len(s.Decisions) != 7 {
			t.Errorf("%+v %v", s, err)
		}
		i.works(t)
	})
}

func TestALogThatIsShorterThanItWasEndsTheEpoch(t *testing.T) {
	inTime(t, func(t *testing.T, k *kafkatest.Kafka) {
		l := startLog(t, k, "pod-1")
		l.enter(seventh, map[int]int64{1: 100})
		if err := l.Send(background, seventh.ID, some("a")); !errors.Is(err, epochs.ErrOver) || !strings.Contains(err.Error(), "shorter than it was") {
			t.Fatal(err)
		}
	})
}

// An instance that decides nothing for as long as records are kept must be able to
// decide again: its keeper looks for it.
func TestAnIdleInstanceDecidesAfterRetention(t *testing.T) {
	inTime(t, func(t *testing.T, k *kafkatest.Kafka) {
		_, client := newRedis(t)
		i := startKeeper(t, k, client, "pod-1", 1)
		i.settles(t)
		i.works(t)
		home := i.Log.home
		for range 5 {
			decision(t, k, home, message.KindSend, i.current().ID, "x")
		}
		marked()
		_, end, err := i.Log.source(home).Bounds(background)
		if err != nil {
			t.Fatal(err)
		}
		if err := k.DeleteRecords(topic, int32(home), end); err != nil {
			t.Fatal(err)
		}
		i.works(t)
	})
}

func TestKafkaFailingAtAnyStepOnlyPostponesTheEpoch(t *testing.T) {
	for name, fault := range map[string]kfake.Fault{
		"metadata of decisions":        {Keys: []kmsg.Key{kmsg.Metadata}, Topic: topic, Err: kerr.LeaderNotAvailable, Count: 1},
		"a fence":                      {Keys: []kmsg.Key{kmsg.Produce}, Topic: topic, Partitions: []int32{2}, Err: kerr.NotEnoughReplicas, Count: 1},
		"a fence that stands":          {Keys: []kmsg.Key{kmsg.Produce}, Topic: topic, Partitions: []int32{1}, Err: kerr.NotEnoughReplicasAfterAppend, Count: 1},
		"three fences":                 {Keys: []kmsg.Key{kmsg.Produce}, Topic: topic, Err: kerr.RequestTimedOut, Count: 3},
		"the ends of decisions":        {Keys: []kmsg.Key{kmsg.ListOffsets}, Topic: topic, Err: kerr.NotLeaderForPartition, Count: 1},
		"the ends of results":          {Keys: []kmsg.Key{kmsg.ListOffsets}, Topic: results, Err: kerr.NotLeaderForPartition, Count: 3},
		"the results":                  {Keys: []kmsg.Key{kmsg.Fetch}, Topic: results, Err: kerr.KafkaStorageError, Count: 1},
		"the decisions":                {Keys: []kmsg.Key{kmsg.Fetch}, Topic: topic, Err: kerr.KafkaStorageError, Count: 1},
		"the decisions, half the time": {Keys: []kmsg.Key{kmsg.Fetch}, Topic: topic, Err: kerr.KafkaStorageError, Count: 5},
	} {
		t.Run(name, func(t *testing.T) {
			inTime(t, func(t *testing.T, k *kafkatest.Kafka) {
				r, client := newRedis(t)
				i := startKeeper(t, k, client, "pod-1", 1)
				before := i.settles(t)
				i.takeIn(t, "a", "b", "c")
				i.decides(t, 2)
				announces(t, k, 1, message.EventPaid, "a")
				r.FlushAll()
				k.Fault(fault)
				i.CheckEpoch()
				after := i.next(t, before)
				if s, err := i.journal.Standing(background); err != nil || !s.Open() || s.Epoch != after || s.Building != "" {
					t.Errorf("%+v %v", s, err)
				}
				if got := i.takeIn(t, "a", "b", "c"); got != "ddn" {
					t.Errorf("outcomes %s", got)
				}
				if got := names(i.decides(t, 1)); got != "c" {
					t.Errorf("%q is sent", got)
				}
				if got := i.due(t, payout.StepAsk); got != "b" {
					t.Errorf("%q is asked about", got)
				}
			})
		})
	}
}

// The opening in the log is a courtesy: where it fails the epoch stands.
func TestAnOpeningThatIsNotInTheLog(t *testing.T) {
	inTime(t, func(t *testing.T, k *kafkatest.Kafka) {
		_, client := newRedis(t)
		i := startHooked(t, k, client, "pod-1", 1, func(_ Journal, step string) {
			if step == "open" {
				k.Fail(kmsg.Produce, topic, kerr.NotEnoughReplicas, 3)
			}
		})
		e := i.settles(t)
		if got := fmt.Sprint(kinds(t, k, 0)); got != "[fence 1]" {
			t.Errorf("%s", got)
		}
		i.works(t)
		marked()
		if again := i.settles(t); again != e {
			t.Errorf("%+v", again)
		}
	})
}

// A server that is lost once more while its rebuilding begins or goes on: whatever it
// knew before counts no longer.
func TestAJournalLostWhileItIsRebuilt(t *testing.T) {
	for _, at := range []string{"build", "restore", "open"} {
		for _, nth := range []int32{1, 2, 3} {
			for _, lose := range []string{"wiped", "restarted empty", "restarted from an older image"} {
				t.Run(fmt.Sprint(lose, " at ", at, " ", nth), func(t *testing.T) {
					inTime(t, func(t *testing.T, k *kafkatest.Kafka) {
						r, client := newRedis(t)
						var armed atomic.Bool
						var calls atomic.Int32
						var saved image
						i := startHooked(t, k, client, "pod-1", 1, func(_ Journal, step string) {
							if step != at || !armed.Load() || calls.Add(1) != nth {
								return
							}
							switch lose {
							case "wiped":
								r.FlushAll()
							case "restarted empty":
								r.FlushAll()
								r.Restarted()
							default:
								saved.load(t, r, client)
							}
							time.Sleep(claimFor / 2) // meanwhile the claim is renewed
						})
						before := i.settles(t)
						i.takeIn(t, "a", "b", "c", "d", "e")
						marked()
						saved = imageOf(t, client)
						i.decides(t, 2) // a, b
						announces(t, k, 1, message.EventPaid, "a")
						i.decides(t, 2) // c, d
						marked()        // the watermarks are past all of it
						armed.Store(true)
						r.Restarted()
						i.CheckEpoch()
						i.next(t, before)
						// Whatever of it the Redis forgot, it was told again.
						i.takeIn(t, "a", "b", "c", "d", "e")
						if got := i.due(t, payout.StepSend); got != "e" {
							t.Errorf("%q would be sent", got)
						}
					})
				})
			}
		}
	}
}

func TestProgressIsVisible(t *testing.T) {
	inTime(t, func(t *testing.T, k *kafkatest.Kafka) {
		r, client := newRedis(t)
		i := startKeeper(t, k, client, "pod-1", 1)
		before := i.settles(t)
		for n := range 10 {
			decision(t, k, n%3, message.KindSend, before.ID, fmt.Sprint("t", n))
			announces(t, k, n%2, message.EventPaid, fmt.Sprint("u", n))
		}
		k.ControlKey(int16(kmsg.Fetch), func(kmsg.Request) (kmsg.Response, error, bool) {
			k.KeepControl()
			k.SleepControl(func() { time.Sleep(2 * time.Second) })
			return nil, nil, false
		})
		r.FlushAll()
		i.CheckEpoch()
		said := map[string]bool{}
		eventually(t, "another epoch", func() bool {
			e, why := i.Epoch()
			if strings.Contains(why, "records replayed") {
				said[why] = true
			}
			return e.ID != "" && e != before
		})
		between := 0 // which portions come first isn't fixed
		for why := range said {
			if strings.HasSuffix(why, " of 29 records replayed") && !strings.Contains(why, ": 0 of ") && !strings.Contains(why, ": 29 of ") {
				between++
			}
		}
		if between < 2 {
			t.Errorf("%v", said)
		}
	})
}

func TestAPaymentsWindowIsReplayedInReasonableTime(t *testing.T) {
	if testing.Short() {
		t.Skip("make test-long runs it")
	}
	k := kafkatest.Start(t, map[string]int{topic: 3, results: 2})
	r, client := newRedis(t)
	r.ClockTTL(false) // it looks at all keys that expire with every command
	i := startKeeper(t, k, client, "pod-1", 1)
	before := i.settles(t)
	const ended, sent, each = 100_000, 10_000, 1000
	for n := 0; n < ended; n += each {
		list := make([]string, each)
		for m := range list {
			list[m] = fmt.Sprintf("ended-%020d", n+m)
		}
		announces(t, k, n/each%2, message.EventPaid, list...)
	}
	for n := 0; n < sent; n += 100 {
		list := make([]string, 100)
		for m := range list {
			list[m] = fmt.Sprintf("sent-%020d", n+m)
		}
		decision(t, k, n/100%3, message.KindSend, before.ID, list...)
	}
	r.FlushAll()
	began := time.Now()
	i.CheckEpoch()
	for e := i.current(); e.ID == "" || e == before; e = i.current() {
		if time.Since(began) > 3*time.Minute {
			_, why := i.Epoch()
			t.Fatal(why)
		}
		time.Sleep(10 * time.Millisecond) // real time: this measures
	}
	took := time.Since(began)
	again := []string{fmt.Sprintf("ended-%020d", ended-1), fmt.Sprintf("sent-%020d", sent-1), "new"}
	if got := i.takeIn(t, again...); got != "ddn" {
		t.Fatalf("outcomes %s", got)
	}
	t.Logf("%d payouts in %v: %.0f/s on miniredis", ended+sent, took.Round(time.Millisecond), (ended+sent)/took.Seconds())
}

// After a wipe a hold says again what its event said.
func TestAHoldKeepsTheReasonOfItsEvent(t *testing.T) {
	inTime(t, func(t *testing.T, k *kafkatest.Kafka) {
		r, client := newRedis(t)
		i := startKeeper(t, k, client, "pod-1", 1)
		before := i.settles(t)
		i.takeIn(t, "a")
		i.decides(t, 1)
		p := some("a")[0]
		value, err := json.Marshal(message.Event{Type: message.EventHeld, TradeNo: "a", Merchant: "eg-main", Reason: "its code 00032 is unknown"})
		if err != nil {
			t.Fatal(err)
		}
		at := time.Now().UTC()
		time.Sleep(time.Second)
		k.Write(t, results, 1, kafkatest.Record("a", string(value), kafka.Header{Key: "fingerprint", Value: []byte(p.Fingerprint)},
			kafka.Header{Key: "ce_time", Value: []byte(at.Format(time.RFC3339Nano))}))
		r.FlushAll()
		i.CheckEpoch()
		i.next(t, before)
		i.takeIn(t, "a")
		b := i.lease(t, payout.StepAsk, 1)
		if names(b) != "a" || b.Payouts[0].Reason != "its code 00032 is unknown" || !b.Payouts[0].HeldAt.Equal(at.Truncate(time.Millisecond)) {
			t.Errorf("%+v", b.Payouts)
		}
	})
}
