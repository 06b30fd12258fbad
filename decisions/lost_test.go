package decisions

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"
	"github.com/segmentio/kafka-go"

	"disburser/internal/embedded"
	"disburser/internal/kafkatest"
	"disburser/internal/partition"
	"disburser/journal"
	"disburser/message"
	"disburser/payout"
	"disburser/payout/epochs"
	"disburser/payout/intake"
)

// anew deletes a topic and makes it again, empty.
func anew(t *testing.T, k *kafkatest.Kafka, name string, partitions int32) {
	t.Helper()
	if err := k.DeleteTopic(name); err != nil {
		t.Fatal(err)
	}
	if err := k.CreateTopic(name, partitions, nil); err != nil {
		t.Fatal(err)
	}
	time.Sleep(2 * kafkatest.MetadataTTL)
}

// grows has another fleet's records stand where the topic's own stood.
func grows(t *testing.T, k *kafkatest.Kafka, name string, partitions, records int) {
	t.Helper()
	for p := range partitions {
		for n := range records {
			k.Write(t, name, p, kafkatest.Record("other", fmt.Sprintf(`{"kind":"alive","shard":9,"seq":%d,"time":%q}`, n, time.Now().Format(time.RFC3339Nano))))
		}
	}
}

// compacts leaves of each key in the decisions its last record.
func compacts(t *testing.T, k *kafkatest.Kafka, i *instance) {
	t.Helper()
	for p := range 3 {
		for range 2 { // the last batch stays
			if _, err := i.Log.append(background, p, []message.Decision{{Kind: message.KindAlive, Epoch: i.current()}}); err != nil {
				t.Fatal(err)
			}
		}
	}
	res, err := k.Client.AlterConfigs(background, &kafka.AlterConfigsRequest{Resources: []kafka.AlterConfigRequestResource{{
		ResourceType: kafka.ResourceTypeTopic, ResourceName: topic, Configs: []kafka.AlterConfigRequestConfig{{Name: "cleanup.policy", Value: "compact"}},
	}}})
	if err != nil || len(res.Errors) != 1 {
		t.Fatal(err, res)
	}
	k.Compact()
}

// startOn starts a keeper with another name for the decisions, and maybe a group that has
// committed something.
func startOn(t *testing.T, k *kafkatest.Kafka, client *redis.Client, decisionsTopic string, lived func(context.Context) (bool, error)) *instance {
	t.Helper()
	j := journal.New(client, journal.Options{Namespace: "test", Window: time.Hour})
	l := NewLog(k.Client, decisionsTopic, "pod-9", 0)
	running(t, l.Run)
	i := &instance{journal: j, Keeper: NewKeeper(KeeperConfig{
		Journal: j, Log: l, Results: results, Shards: 1, Lease: 90 * time.Second, Logger: zerolog.Nop(), Lived: lived,
		Owns: func(string) bool { return true }, Knows: func(merchant string) bool { return merchant == "eg-main" },
	})}
	ctx, stop := context.WithCancel(background)
	i.stop = stop
	running(t, func(until context.Context) {
		defer context.AfterFunc(until, stop)()
		i.Run(ctx)
	})
	return i
}

// A history that is lost and then a journal that is wiped: whoever was decided to be sent
// is nowhere to be read. It is held, not sent again; what is ordered later is sent.
func TestAWipeAfterALostHistoryHoldsWhatItDoesNotKnow(t *testing.T) {
	stop := func(i *instance) { i.stop(); time.Sleep(time.Second) }
	wipe := func(r *embedded.Redis, i *instance) { r.FlushAll(); i.CheckEpoch() }
	for name, lose := range map[string]func(t *testing.T, k *kafkatest.Kafka, r *embedded.Redis, client *redis.Client, i *instance) *instance{
		"decisions made anew while running": func(t *testing.T, k *kafkatest.Kafka, r *embedded.Redis, _ *redis.Client, i *instance) *instance {
			before := i.current()
			anew(t, k, topic, 3)
			i.next(t, before)
			wipe(r, i)
			return i
		},
		"decisions made anew and wiped before anybody looked": func(t *testing.T, k *kafkatest.Kafka, r *embedded.Redis, _ *redis.Client, i *instance) *instance {
			anew(t, k, topic, 3)
			wipe(r, i)
			return i
		},
		"decisions made anew with fewer partitions": func(t *testing.T, k *kafkatest.Kafka, r *embedded.Redis, _ *redis.Client, i *instance) *instance {
			before := i.current()
			anew(t, k, topic, 1)
			i.next(t, before)
			wipe(r, i)
			return i
		},
		"decisions made anew and grown while running": func(t *testing.T, k *kafkatest.Kafka, r *embedded.Redis, _ *redis.Client, i *instance) *instance {
			before := i.current()
			anew(t, k, topic, 3)
			grows(t, k, topic, 3, 12)
			i.next(t, before)
			wipe(r, i)
			return i
		},
		"decisions made anew while nobody runs": func(t *testing.T, k *kafkatest.Kafka, r *embedded.Redis, client *redis.Client, i *instance) *instance {
			stop(i)
			anew(t, k, topic, 3)
			next := startKeeper(t, k, client, "pod-2", 1)
			next.settles(t)
			wipe(r, next)
			return next
		},
		"decisions made anew and grown while nobody runs": func(t *testing.T, k *kafkatest.Kafka, r *embedded.Redis, client *redis.Client, i *instance) *instance {
			stop(i)
			anew(t, k, topic, 3)
			grows(t, k, topic, 3, 12)
			next := startKeeper(t, k, client, "pod-2", 1)
			next.settles(t)
			wipe(r, next)
			return next
		},
		"decisions made anew, and wiped, while nobody runs": func(t *testing.T, k *kafkatest.Kafka, r *embedded.Redis, client *redis.Client, i *instance) *instance {
			announces(t, k, 1, message.EventPaid, "earlier")
			stop(i)
			anew(t, k, topic, 3)
			r.FlushAll()
			return startKeeper(t, k, client, "pod-2", 1)
		},
		"the same, and a version that doesn't look has run in between": func(t *testing.T, k *kafkatest.Kafka, r *embedded.Redis, client *redis.Client, i *instance) *instance {
			announces(t, k, 1, message.EventPaid, "earlier")
			stop(i)
			time.Sleep(2 * slack)
			anew(t, k, topic, 3)
			for p := range 3 {
				write(t, k, p, fenceOf("old", 0))
				write(t, k, p, strings.Replace(fenceOf("old", 0), "fence", "open", 1))
			}
			r.FlushAll()
			return startKeeper(t, k, client, "pod-2", 1)
		},
		"the same, and only commits tell": func(t *testing.T, k *kafkatest.Kafka, r *embedded.Redis, client *redis.Client, i *instance) *instance {
			stop(i)
			anew(t, k, topic, 3)
			r.FlushAll()
			return startOn(t, k, client, topic, func(context.Context) (bool, error) { return true, nil })
		},
		"another topic is configured": func(t *testing.T, k *kafkatest.Kafka, r *embedded.Redis, client *redis.Client, i *instance) *instance {
			stop(i)
			if err := k.CreateTopic("payout.renamed", 3, nil); err != nil {
				t.Fatal(err)
			}
			time.Sleep(2 * kafkatest.MetadataTTL)
			grows(t, k, "payout.renamed", 3, 12)
			next := startOn(t, k, client, "payout.renamed", nil)
			next.settles(t)
			wipe(r, next)
			return next
		},
		"decisions were compacted while nobody runs": func(t *testing.T, k *kafkatest.Kafka, r *embedded.Redis, client *redis.Client, i *instance) *instance {
			stop(i)
			compacts(t, k, i)
			r.FlushAll()
			return startKeeper(t, k, client, "pod-2", 1)
		},
		"decisions were compacted": func(t *testing.T, k *kafkatest.Kafka, r *embedded.Redis, _ *redis.Client, i *instance) *instance {
			compacts(t, k, i)
			wipe(r, i)
			return i
		},
	} {
		t.Run(name, func(t *testing.T) {
			inTime(t, func(t *testing.T, k *kafkatest.Kafka) {
				r, client := newRedis(t)
				i := startKeeper(t, k, client, "pod-1", 1)
				before := i.settles(t)
				i.takeIn(t, "sent", "waiting")
				ordered := place(some("sent", "waiting"))
				i.decides(t, 1)
				marked()
				i = lose(t, k, r, client, i)
				i.next(t, before)
				eventually(t, "a rebuilt journal", func() bool {
					_, err := i.journal.Position(background, 0, 0, false)
					return err == nil
				})
				time.Sleep(time.Second)
				later := place(some("sent", "waiting", "later"))[2]
				out, _, err := i.journal.Insert(background, intake.Range{To: 3}, append(ordered, later))
				if err != nil || out[0] != intake.TooOld || out[1] != intake.TooOld || out[2] != intake.Added {
					t.Fatalf("outcomes %q, %v", out, err)
				}
				if got := i.due(t, payout.StepSend); got != "later" {
					t.Errorf("%q would be sent", got)
				}

				// It is on record: another wipe, and whoever starts then.
				i.stop()
				time.Sleep(time.Second)
				r.FlushAll()
				again := startOn(t, k, client, i.Log.topic, nil)
				again.settles(t)
				eventually(t, "a rebuilt journal", func() bool {
					_, err := again.journal.Position(background, 0, 0, false)
					return err == nil
				})
				out, _, err = again.journal.Insert(background, intake.Range{To: 3}, append(ordered, later))
				if err != nil || out[0] != intake.TooOld || out[1] != intake.TooOld || out[2] != intake.Added {
					t.Errorf("after another wipe: outcomes %q, %v", out, err)
				}
			})
		})
	}
}

// lostRecords counts what is on record of losses.
func lostRecords(t *testing.T, k *kafkatest.Kafka, partitions int) (n int) {
	t.Helper()
	for p := range partitions {
		n += strings.Count(fmt.Sprint(kinds(t, k, p)), string(message.KindLost))
	}
	return n
}

// A journal that has lost nothing goes on as before. What waits is sent. What was ordered before
// and is still to be read is no older than what the journal remembers.
//
// It does so too where the first attempt fails after it has put the loss on record.
func TestAJournalThatIsWholeGoesOnAfterALostHistory(t *testing.T) {
	for _, c := range []struct {
		lost  string
		fails int
	}{{topic, 0}, {results, 0}, {topic, 1}, {results, 1}} {
		lost := c.lost
		t.Run(fmt.Sprint(lost, " ", c.fails, " fail"), func(t *testing.T) {
			inTime(t, func(t *testing.T, k *kafkatest.Kafka) {
				r, client := newRedis(t)
				var opened atomic.Int32
				i := startHooked(t, k, client, "pod-1", 1, func(_ Journal, step string) {
					if n := int(opened.Load()); step == "open" && opened.Add(1) > 1 && n <= c.fails {
						r.SetError("LOADING for a moment")
						time.AfterFunc(time.Second, func() { r.SetError("") })
					}
				})
				before := i.settles(t)
				i.takeIn(t, "a", "b")
				i.decides(t, 1)
				announces(t, k, 1, message.EventPaid, "x")
				backlog := place(some("a", "b", "backlog"))
				marked()
				anew(t, k, lost, map[string]int32{topic: 3, results: 2}[lost])
				i.next(t, before)
				records := 3 * (1 + c.fails)
				if n := lostRecords(t, k, 3); n != records {
					t.Errorf("%d records of the loss, want %d", n, records)
				}
				out, _, err := i.journal.Insert(background, intake.Range{To: 3}, backlog)
				if err != nil || out[2] != intake.Added {
					t.Errorf("outcomes %q, %v", out, err)
				}
				if got := names(i.decides(t, 2)); got != "b backlog" && got != "backlog b" {
					t.Errorf("%q is sent", got)
				}
				e := i.current()
				time.Sleep(5 * time.Minute)
				if i.current() != e || lostRecords(t, k, 3) != records {
					t.Errorf("the loss is found again and again: %v, then %v", e, i.current())
				}
			})
		})
	}
}

// A journal may have lost nothing of what it wrote, and yet not be the last one. A later epoch
// worked on another server, and what it decided is lost.
func TestAWholeJournalThatWasNotTheLastOneHolds(t *testing.T) {
	for name, opened := range map[string]bool{"an epoch that worked": true, "an attempt that failed": false} {
		t.Run(name, func(t *testing.T) {
			inTime(t, func(t *testing.T, k *kafkatest.Kafka) {
				_, client := newRedis(t)
				i := startKeeper(t, k, client, "pod-1", 1)
				before := i.settles(t)
				i.takeIn(t, "a")
				backlog := place(some("a", "backlog"))
				marked()
				for p := range 3 {
					for _, kind := range map[bool][]message.DecisionKind{true: {message.KindFence, message.KindLost, message.KindOpen}, false: {message.KindFence, message.KindLost}}[opened] {
						write(t, k, p, fmt.Sprintf(`{"kind":%q,"shard":0,"epoch":{"number":2,"id":"elsewhere"},"time":%q}`, kind, time.Now().Format(time.RFC3339Nano)))
					}
				}
				i.CheckEpoch()
				i.next(t, before)
				i.takeIn(t)
				want := map[bool]intake.Outcome{true: intake.TooOld, false: intake.Added}[opened]
				out, _, err := i.journal.Insert(background, intake.Range{To: 2}, backlog)
				if err != nil || out[1] != want {
					t.Errorf("outcomes %q, %v, want %q", out, err, want)
				}
			})
		})
	}
}

// A server comes back without its end, and the log doesn't say any more what was decided then.
// Whatever waits to be sent may have been sent.
func TestWhatWaitsIsAskedAboutWhereItsDecisionMayBeLost(t *testing.T) {
	inTime(t, func(t *testing.T, k *kafkatest.Kafka) {
		r, client := newRedis(t)
		i := startKeeper(t, k, client, "pod-1", 1)
		before := i.settles(t)
		var all []string
		for n := range 2*presumedAtOnce + 1 {
			all = append(all, fmt.Sprint("t", n))
		}
		i.takeIn(t, all...)
		scheduled := some("scheduled")
		scheduled[0].Due = time.Now().Add(time.Hour / 2)
		scheduled[0].Source = payout.Source{Offset: int64(len(all)), Time: time.Now()}
		if _, _, err := i.journal.Insert(background, intake.Range{From: int64(len(all)), To: int64(len(all)) + 1}, []intake.Entry{{Payout: scheduled[0]}}); err != nil {
			t.Fatal(err)
		}
		marked()
		saved := imageOf(t, client)
		i.decides(t, 1)
		anew(t, k, topic, 3)
		saved.load(t, r, client)
		i.CheckEpoch()
		i.next(t, before)
		if got := i.due(t, payout.StepSend); got != "" {
			t.Errorf("%q would be sent", got)
		}
		asked := 0
		for range 5 {
			asked += len(strings.Fields(i.due(t, payout.StepAsk)))
		}
		if asked != len(all) {
			t.Errorf("%d of %d are asked about", asked, len(all))
		}
		time.Sleep(time.Hour / 2)
		if got := i.due(t, payout.StepSend); got != "scheduled" {
			t.Errorf("%q is sent: only what wasn't due before can't have been sent", got)
		}
	})
}

// Who starts for the first time beside another fleet's leftovers is told where to look.
func TestAWipedJournalSaysWhatToDoAtAFirstStart(t *testing.T) {
	if !strings.Contains(toDo(true), "Before the first start") || strings.Contains(toDo(false), "first start") {
		t.Error(toDo(true), toDo(false))
	}
}

// stuck is a journal in which a payout waits to be sent, whatever is restored.
type stuck struct{ Journal }

func (stuck) Unsent(context.Context, string, int) ([]epochs.Restored, error) {
	return []epochs.Restored{{TradeNo: "a"}}, nil
}

func (stuck) Restore(context.Context, string, time.Duration, []epochs.Restored) error { return nil }

func TestADoubtThatChangesNothingEnds(t *testing.T) {
	k := NewKeeper(KeeperConfig{Journal: stuck{}, Log: &Log{}})
	if err := k.presumeSent(background, "id"); err == nil || !strings.Contains(err.Error(), "a may have been sent") {
		t.Errorf("%v", err)
	}
}

// A loss counts until the later of two clocks: the broker's and that of who noticed it.
func TestALossIsAsLateAsTheClockThatIsAhead(t *testing.T) {
	early, late := time.UnixMilli(1_764_000_000_000), time.UnixMilli(1_764_000_600_000)
	for name, times := range map[string][2]time.Time{"the broker is ahead": {late, early}, "the instance is ahead": {early, late}} {
		value := fmt.Sprintf(`{"kind":"lost","shard":3,"epoch":{"number":8,"id":"e"},"time":%q}`, times[1].UTC().Format(time.RFC3339Nano))
		var p epochs.Portion
		if _, err := (reading{keeper: &Keeper{KeeperConfig: KeeperConfig{Log: &Log{}}}}).decision(partition.Record{Value: []byte(value), Time: times[0]}, &p); err != nil || p.Lost != late.UnixMilli() {
			t.Errorf("%s: lost until %d, want %d, %v", name, p.Lost, late.UnixMilli(), err)
		}
	}
}

// A first start has lost nothing, nor has a wipe whose topics are complete. Nor is anything lost
// where another program writes to the topic of the results.
func TestAFirstStartHasLostNothing(t *testing.T) {
	inTime(t, func(t *testing.T, k *kafkatest.Kafka) {
		for p := range 2 {
			for range 20 {
				k.Write(t, results, p, kafkatest.Record("other", `{"type":"payout.paid","tradeNo":"other"}`))
			}
		}
		time.Sleep(2 * slack)
		r, client := newRedis(t)
		old := place(some("a", "b"))
		for n := range old {
			old[n].Payout.Source.Time = time.Now().Add(-50 * time.Minute)
		}
		i := startOn(t, k, client, topic, func(context.Context) (bool, error) { return false, nil })
		before := i.settles(t)
		i.takeIn(t)
		out, _, err := i.journal.Insert(background, intake.Range{To: 2}, old)
		if err != nil || out[0] != intake.Added || out[1] != intake.Added {
			t.Fatalf("outcomes %q, %v", out, err)
		}
		i.decides(t, 1)
		announces(t, k, 1, message.EventPaid, "a")
		r.FlushAll()
		i.CheckEpoch()
		i.next(t, before)
		i.takeIn(t)
		out, _, err = i.journal.Insert(background, intake.Range{To: 2}, old)
		if err != nil || out[0] != intake.Known || out[1] != intake.Added {
			t.Errorf("outcomes %q, %v", out, err)
		}
		if n := lostRecords(t, k, 3); n != 0 {
			t.Errorf("%d records of a loss", n)
		}
	})
}

// Retention deletes what is old; that is no loss.
func TestRetentionIsNoLostHistory(t *testing.T) {
	inTime(t, func(t *testing.T, k *kafkatest.Kafka) {
		_, client := newRedis(t)
		i := startKeeper(t, k, client, "pod-1", 1)
		e := i.settles(t)
		for range 5 {
			decision(t, k, 1, message.KindSend, e.ID, "x")
			time.Sleep(checkHistoryEvery + markEvery)
			_, end, err := i.Log.source(1).Bounds(background)
			if err != nil {
				t.Fatal(err)
			}
			if err := k.DeleteRecords(topic, 1, end); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(checkHistoryEvery + markEvery)
		if i.current() != e || lostRecords(t, k, 3) != 0 {
			t.Errorf("%v, and %d records of a loss", i.current(), lostRecords(t, k, 3))
		}
		next := startKeeper(t, k, client, "pod-2", 1)
		if next.settles(t) != e {
			t.Errorf("%v", next.current())
		}
	})
}

// Compaction leaves the first record where it is, and takes what lies behind it.
func TestOffsetsThatAreMissingAreALostHistory(t *testing.T) {
	inTime(t, func(t *testing.T, k *kafkatest.Kafka) {
		r, client := newRedis(t)
		grows(t, k, topic, 3, 1) // of a key that has no later record
		i := startKeeper(t, k, client, "pod-1", 1)
		i.settles(t)
		ordered := place(some("sent"))
		i.takeIn(t, "sent")
		i.decides(t, 1)
		i.stop()
		time.Sleep(time.Second)
		compacts(t, k, i)
		if start, _, err := i.Log.source(i.Log.home).Bounds(background); err != nil || start != 0 {
			t.Fatalf("the partition begins at %d: %v", start, err)
		}
		r.FlushAll()
		next := startKeeper(t, k, client, "pod-2", 1)
		next.settles(t)
		next.takeIn(t)
		out, _, err := next.journal.Insert(background, intake.Range{To: 1}, ordered)
		if err != nil || out[0] != intake.TooOld {
			t.Errorf("outcomes %q, %v", out, err)
		}
	})
}
