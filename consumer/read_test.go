package consumer

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/twmb/franz-go/pkg/kmsg"

	"disburser/internal/kafkatest"
	"disburser/payout"
	"disburser/payout/epochs"
	"disburser/payout/intake"
)

func numbered(from, to int) (values []string) {
	for i := from; i < to; i++ {
		values = append(values, command(fmt.Sprint("t", i), "1"))
	}
	return values
}

// offsets are those of what was added, in order.
func offsets(in *inbox) (list []int64) {
	return do(in, func() (list []int64) {
		for _, e := range in.entries {
			list = append(list, e.Payout.Source.Offset)
		}
		return list
	})
}

func TestReadingBeginsAtTheJournalsPosition(t *testing.T) {
	for name, c := range map[string]struct {
		journal, committed int64 // -1: none
		want               int64 // the first offset read
	}{
		"the journal's, though less is committed":              {journal: 7, committed: 3, want: 7},
		"the journal's, though more is committed":              {journal: 2, committed: 6, want: 2},
		"the journal's, though nothing is committed":           {journal: 5, committed: -1, want: 5},
		"what is committed, where the journal has none":        {journal: -1, committed: 4, want: 4},
		"the first offset, where there is neither":             {journal: -1, committed: -1, want: 0},
		"the journal's end":                                    {journal: 10, committed: 3, want: 10},
		"what is committed at the end, where there is no more": {journal: -1, committed: 10, want: 10},
	} {
		t.Run(name, func(t *testing.T) {
			inTime(t, 1, func(t *testing.T, k *kafkatest.Kafka) {
				in := newInbox()
				send(t, k, 0, numbered(0, 10)...)
				if c.journal >= 0 {
					in.positions[0] = c.journal
				}
				if c.committed >= 0 {
					commitFor(t, k, 0, c.committed)
				}
				start(t, k, in)
				eventually(t, "all is read", func() bool { return in.position(0) == 10 && in.added() == int(10-c.want) })
				if got := offsets(in); len(got) > 0 && got[0] != c.want {
					t.Fatal(got)
				}
			})
		})
	}
}

func TestTheFirstOffsetAfterRetentionIsABeginning(t *testing.T) {
	inTime(t, 1, func(t *testing.T, k *kafkatest.Kafka) {
		in := newInbox()
		send(t, k, 0, numbered(0, 10)...)
		if err := k.DeleteRecords(topic, 0, 6); err != nil {
			t.Fatal(err)
		}
		b := start(t, k, in)
		eventually(t, "all is read", func() bool { return in.position(0) == 10 && in.added() == 4 })
		if _, stopped := b.Status(); stopped != "" {
			t.Fatal(stopped)
		}
	})
}

func TestAGapStopsThePartitionAloneAndLoudly(t *testing.T) {
	inTime(t, 2, func(t *testing.T, k *kafkatest.Kafka) {
		in := newInbox()
		in.positions[0] = 2
		send(t, k, 0, numbered(0, 10)...)
		send(t, k, 1, numbered(10, 15)...)
		if err := k.DeleteRecords(topic, 0, 6); err != nil {
			t.Fatal(err)
		}
		b := start(t, k, in)
		eventually(t, "the other partition is read", func() bool { return in.position(1) == 5 })
		time.Sleep(30 * time.Second)
		joined, stopped := b.Status()
		if !joined || !strings.Contains(stopped, "payout.commands/0: the offsets 2 to 5 were deleted by retention") {
			t.Fatal(joined, stopped)
		}
		if in.added() != 5 || in.position(0) != 2 {
			t.Fatal(in.added(), in.position(0))
		}
		if n := strings.Count(b.logged(), "the partition can't be read"); n != 1 {
			t.Errorf("it was said %d times", n)
		}
		if !strings.Contains(b.logged(), `"level":"error"`) || !strings.Contains(b.logged(), "commit an offset behind the gap") {
			t.Error(b.logged())
		}
		if at := k.Committed(group, topic, 0); at > 2 {
			t.Errorf("%d was committed though 2 to 5 were never read", at)
		}
	})
}

func TestAGapThatOpensWhileReading(t *testing.T) {
	inTime(t, 1, func(t *testing.T, k *kafkatest.Kafka) {
		in := newInbox()
		send(t, k, 0, numbered(0, 3)...)
		in.full = 5000 // it stands still
		b := start(t, k, in)
		eventually(t, "it stands still", func() bool { return in.position(0) == 0 && strings.Contains(b.logged(), "the journal is full") })
		if err := k.DeleteRecords(topic, 0, 2); err != nil {
			t.Fatal(err)
		}
		do(in, func() any { in.full = 0; return nil })
		eventually(t, "it stops", func() bool { _, why := b.Status(); return strings.Contains(why, "the offsets 0 to 1") })
		if in.added() != 0 {
			t.Fatal(offsets(in))
		}
	})
}

func TestAnOperatorsCommitBehindTheGapLetsItGoOn(t *testing.T) {
	inTime(t, 1, func(t *testing.T, k *kafkatest.Kafka) {
		in := newInbox()
		in.positions[0] = 2
		send(t, k, 0, numbered(0, 10)...)
		if err := k.DeleteRecords(topic, 0, 6); err != nil {
			t.Fatal(err)
		}
		b := start(t, k, in)
		eventually(t, "it stops", func() bool { _, why := b.Status(); return why != "" })
		b.stop()
		commitFor(t, k, 0, 7)
		b = start(t, k, in)
		eventually(t, "it goes on", func() bool { return in.position(0) == 10 })
		if got := offsets(in); !slices.Equal(got, []int64{7, 8, 9}) {
			t.Fatal(got)
		}
		if _, why := b.Status(); why != "" || !strings.Contains(b.logged(), "commands were lost to retention") {
			t.Error(why, b.logged())
		}
	})
}

func TestATopicMadeAnewIsAGap(t *testing.T) {
	for name, c := range map[string]struct{ journal, committed, want int64 }{
		"by the journal":              {journal: 9, committed: 9, want: 9},
		"by what is committed, alone": {journal: -1, committed: 9, want: -1},
	} {
		t.Run(name, func(t *testing.T) {
			inTime(t, 1, func(t *testing.T, k *kafkatest.Kafka) {
				in := newInbox()
				send(t, k, 0, numbered(0, 3)...)
				if c.journal >= 0 {
					in.positions[0] = c.journal
				}
				commitFor(t, k, 0, c.committed)
				b := start(t, k, in)
				eventually(t, "it stops", func() bool { _, why := b.Status(); return strings.Contains(why, "offset 9 is past the end 3") })
				if in.added() != 0 || in.position(0) != c.want {
					t.Fatalf("%d added, position %d: one past the end can never be set back", in.added(), in.position(0))
				}
			})
		})
	}
}

func TestAfterErrPositionItReadsOnFromTheJournals(t *testing.T) {
	inTime(t, 1, func(t *testing.T, k *kafkatest.Kafka) {
		in := newInbox()
		send(t, k, 0, numbered(0, 5)...)
		start(t, k, in)
		eventually(t, "all is read", func() bool { return in.position(0) == 5 })
		do(in, func() any { // a new epoch remembers less
			in.positions[0] = 2
			clear(in.known)
			in.entries = nil
			return nil
		})
		send(t, k, 0, numbered(5, 6)...)
		eventually(t, "all is read again", func() bool { return in.position(0) == 6 })
		if got := offsets(in); !slices.Equal(got, []int64{2, 3, 4, 5}) {
			t.Fatal(got)
		}
	})
}

// Where no new command comes, nothing but a look tells the reader that it must go back.
func TestAnIdlePartitionNoticesThatItsPositionWasSetBack(t *testing.T) {
	inTime(t, 1, func(t *testing.T, k *kafkatest.Kafka) {
		m := newMemory(t)
		send(t, k, 0, numbered(0, 5)...)
		b := start(t, k, m)
		eventually(t, "all is read", func() bool { return m.mark(t).Position == 5 })
		time.Sleep(time.Minute)
		m.redis.FlushAll()
		eventually(t, "the loss is noticed", func() bool { return b.epochsLost() > 0 })
		m.epoch(t)
		if _, err := m.Position(context.Background(), 0, 1, false); err != nil {
			t.Fatal(err)
		}
		eventually(t, "all is read again", func() bool { return m.mark(t).Position == 5 })
		if got := m.states(t); got["received"] != 4 {
			t.Fatal(got)
		}
	})
}

func TestErrEpochIsReportedAndWaitedOut(t *testing.T) {
	for _, call := range []string{"insert", "position", "marks"} {
		t.Run(call, func(t *testing.T) {
			inTime(t, 1, func(t *testing.T, k *kafkatest.Kafka) {
				in := newInbox()
				send(t, k, 0, numbered(0, 3)...)
				in.failing(call, -1, fmt.Errorf("journal: %s: %w", call, epochs.ErrOver))
				b := start(t, k, in)
				eventually(t, "it is reported", func() bool { return b.epochsLost() > 2 })
				if call != "marks" && in.added() != 0 {
					t.Fatal("added without an epoch")
				}
				in.failing("", 0, nil)
				eventually(t, "all is read", func() bool { return in.position(0) == 3 })
				eventually(t, "all is well", func() bool { _, why := b.Status(); return why == "" })
				if strings.Contains(b.logged(), "panic") {
					t.Error(b.logged())
				}
			})
		})
	}
}

func TestAJournalThatFailsIsWaitedOutWithoutHammering(t *testing.T) {
	inTime(t, 1, func(t *testing.T, k *kafkatest.Kafka) {
		in := newInbox()
		send(t, k, 0, numbered(0, 3)...)
		in.failing("insert", -1, intake.ErrFull)
		start(t, k, in)
		time.Sleep(time.Minute)
		if n := do(in, func() int { return len(in.calls) }); n > 400 { // the marks alone are 240
			t.Errorf("%d calls in a minute", n)
		}
		in.failing("", 0, nil)
		eventually(t, "all is read", func() bool { return in.position(0) == 3 })
	})
}

func TestAFullJournalStopsFetchingAndNothingElse(t *testing.T) {
	inTime(t, 2, func(t *testing.T, k *kafkatest.Kafka) {
		in := newInbox()
		fetches, looks, beats := 0, 0, 0 // a look asks for one batch, whether it is still the same topic
		k.Observe(kmsg.Fetch, func(r kmsg.Request) {
			do(in, func() any {
				if f, ok := r.(*kmsg.FetchRequest); ok && f.MaxBytes == 1 {
					looks++
				} else {
					fetches++
				}
				return nil
			})
		})
		k.Observe(kmsg.Heartbeat, func(kmsg.Request) { do(in, func() any { beats++; return nil }) })
		counts := func() (f, h int) { do(in, func() any { f, h = fetches, beats; return nil }); return f, h }
		send(t, k, 0, numbered(0, 10)...)
		send(t, k, 1, numbered(19, 20)...) // a look needs a record that must be there
		b := start(t, k, in, func(c *Config) { c.MaxOpen = 11 })
		eventually(t, "it is full", func() bool { return in.position(0) == 10 && in.position(1) == 1 })
		time.Sleep(fetchWait / 2) // partition 1's fetch still waits: it brings what comes, which stays untaken
		send(t, k, 0, numbered(10, 12)...)
		send(t, k, 1, numbered(20, 22)...)
		time.Sleep(fetchWait)
		before, beatsBefore := counts()
		time.Sleep(3 * time.Minute)
		after, beatsAfter := counts()
		if after != before {
			t.Errorf("%d fetches while full", after-before)
		}
		if n := do(in, func() int { return looks }); n < 32 || n > 40 { // at both partitions, each ten seconds
			t.Errorf("%d looks in three minutes", n)
		}
		if beatsAfter-beatsBefore < 150 {
			t.Errorf("%d heartbeats in three minutes", beatsAfter-beatsBefore)
		}
		if in.added() != 11 {
			t.Errorf("%d added", in.added())
		}
		if joined, _ := b.Status(); !joined || len(k.GroupInfo(group).Members) != 1 {
			t.Error("the group was left")
		}
		in.end("t0")
		eventually(t, "it goes on", func() bool { return in.added() > 11 })
		in.end("t1", "t2", "t3", "t4", "t5")
		eventually(t, "all is read", func() bool { return in.position(0) == 12 && in.position(1) == 3 })
	})
}

func TestAFullJournalTakesNothingRightAfterARebalance(t *testing.T) {
	inTime(t, 1, func(t *testing.T, k *kafkatest.Kafka) {
		in := newInbox()
		in.full = 1000
		send(t, k, 0, numbered(0, 10)...)
		b := start(t, k, in)
		time.Sleep(30 * time.Second)
		if in.added() != 0 {
			t.Fatalf("%d added to a full journal", in.added())
		}
		began := time.Now()
		b.stop()
		if took := time.Since(began); took > 3*time.Second {
			t.Errorf("stopping took %v", took)
		}
	})
}

func TestAPanicRestsOnePartitionAndIsSaid(t *testing.T) {
	inTime(t, 2, func(t *testing.T, k *kafkatest.Kafka) {
		var cured atomic.Bool
		in := newInbox()
		send(t, k, 0, command("boom", "1"))
		send(t, k, 1, command("fine", "1"))
		b := start(t, k, in, func(c *Config) {
			c.Resolve = func(c payout.Command) (payout.Command, string, string) {
				if c.TradeNo == "boom" && !cured.Load() {
					panic("boom")
				}
				return resolve(c)
			}
		})
		eventually(t, "the other is read", func() bool { return in.position(1) == 1 })
		eventually(t, "it is said", func() bool { _, why := b.Status(); return strings.Contains(why, "panic") })
		if in.position(0) != 0 {
			t.Fatal(in.position(0))
		}
		time.Sleep(time.Minute)
		if _, why := b.Status(); !strings.Contains(why, "panic") {
			t.Errorf("stopped because of %q", why)
		}
		cured.Store(true)
		eventually(t, "it is read after all", func() bool { return in.position(0) == 1 })
		if _, why := b.Status(); why != "" {
			t.Errorf("still stopped because of %q", why)
		}
		eventually(t, "the mark is committed", func() bool { return k.Committed(group, topic, 0) == 0 && k.Committed(group, topic, 1) == 0 })
	})
}

func (b *bench) gauge(name string, number int) float64 {
	families, _ := b.registry.Gather()
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.GetMetric() {
			if label(m, "topic") == topic && label(m, "partition") == fmt.Sprint(number) {
				return m.GetGauge().GetValue()
			}
		}
	}
	return -1
}

func label(m *dto.Metric, name string) string {
	for _, l := range m.GetLabel() {
		if l.GetName() == name {
			return l.GetValue()
		}
	}
	return ""
}

func TestLagAndSafeMark(t *testing.T) {
	inTime(t, 1, func(t *testing.T, k *kafkatest.Kafka) {
		in := newInbox()
		send(t, k, 0, numbered(0, 8)...)
		b := start(t, k, in)
		eventually(t, "all is read", func() bool { return in.position(0) == 8 })
		in.end("t0", "t1", "t2")
		time.Sleep(time.Second)
		if lag, safe := b.gauge("disburser_intake_lag", 0), b.gauge("disburser_safe_mark_lag", 0); lag != 0 || safe != 5 {
			t.Fatal(lag, safe)
		}
		b.stop()
		if lag := b.gauge("disburser_intake_lag", 0); lag != -1 {
			t.Error("the gauge of a partition that isn't read any more stays")
		}
	})
}

// An alert looks at the lag, above all where nothing is read any more.
func TestTheLagGrowsWhereNothingIsRead(t *testing.T) {
	inTime(t, 1, func(t *testing.T, k *kafkatest.Kafka) {
		in := newInbox()
		send(t, k, 0, numbered(0, 20)...)
		b := start(t, k, in, func(c *Config) { c.MaxOpen = 10 })
		eventually(t, "the journal is full", func() bool { return in.position(0) == 20 })
		send(t, k, 0, numbered(20, 70)...)
		time.Sleep(2 * measureEvery)
		if lag := b.gauge("disburser_intake_lag", 0); lag != 50 {
			t.Errorf("the lag is %v where 50 commands wait", lag)
		}
	})
}

func TestZerosAreShownBeforeTheFirst(t *testing.T) {
	inTime(t, 1, func(t *testing.T, k *kafkatest.Kafka) {
		b := start(t, k, newInbox())
		families, err := b.registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		outcomes := 0
		for _, f := range families {
			if f.GetName() == "disburser_intake_total" {
				outcomes = len(f.GetMetric())
			}
		}
		if outcomes != 5 {
			t.Fatalf("%d outcomes", outcomes)
		}
	})
}

func TestALongPageIsTakenInPieces(t *testing.T) {
	inTime(t, 1, func(t *testing.T, k *kafkatest.Kafka) {
		in := newInbox()
		send(t, k, 0, numbered(0, 2*decodedAtOnce+10)...)
		in.positions[0] = 4
		in.failing("insert 0 [1004,2004)", 1, intake.ErrPosition)
		start(t, k, in, func(c *Config) { c.MaxOpen = 1_000_000 })
		eventually(t, "all is read", func() bool { return in.position(0) == 2*decodedAtOnce+10 && in.added() == 2*decodedAtOnce+6 })
		inserts := do(in, func() (list []string) {
			for _, call := range in.calls {
				if strings.HasPrefix(call, "insert") && !strings.HasSuffix(call, " 0") {
					list = append(list, call)
				}
			}
			return list
		})
		want := []string{"insert 0 [4,1004) 1000", "insert 0 [1004,2004) 1000", "insert 0 [1004,2004) 1000", "insert 0 [2004,2010) 6"}
		if !slices.Equal(inserts, want) {
			t.Fatal(inserts)
		}
	})
}
