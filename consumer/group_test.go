package consumer

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"disburser/internal/kafkatest"
	"disburser/payout/intake"
)

// neverPast fails the test when an offset is committed that passes an open payout.
func neverPast(t *testing.T, k *kafkatest.Kafka, in *inbox) {
	k.Observe(kmsg.OffsetCommit, func(r kmsg.Request) {
		for _, topic := range r.(*kmsg.OffsetCommitRequest).Topics {
			for _, p := range topic.Partitions {
				if safe := do(in, func() int64 { return in.safeOf(int(p.Partition)) }); p.Offset > safe {
					t.Errorf("%d/%d was committed, the safe mark is %d", p.Partition, p.Offset, safe)
				}
			}
		}
	})
}

func TestTheCommittedOffsetNeverPassesAnOpenPayout(t *testing.T) {
	inTime(t, 1, func(t *testing.T, k *kafkatest.Kafka) {
		in := newInbox()
		neverPast(t, k, in)
		send(t, k, 0, numbered(0, 6)...)
		start(t, k, in)
		eventually(t, "all is read", func() bool { return in.position(0) == 6 })
		for _, step := range []struct {
			end  string
			want int64
		}{{"t3", 0}, {"t1", 0}, {"t0", 2}, {"t5", 2}, {"t2", 4}, {"t4", 6}} {
			in.end(step.end)
			time.Sleep(2 * commitIdle)
			if at := k.Committed(group, topic, 0); at != step.want {
				t.Fatalf("%s ended: %d committed, want %d", step.end, at, step.want)
			}
		}
	})
}

func TestTheCommittedOffsetFollowsTheRealJournal(t *testing.T) {
	inTime(t, 1, func(t *testing.T, k *kafkatest.Kafka) {
		m := newMemory(t)
		send(t, k, 0, "{", command("a", "1"), command("b", "1"))
		start(t, k, m)
		eventually(t, "all is read", func() bool { return m.mark(t).Position == 3 })
		eventually(t, "something is committed", func() bool { return k.Committed(group, topic, 0) >= 0 })
		time.Sleep(5 * time.Second) // further commits say the same
		if at := k.Committed(group, topic, 0); at != 1 || m.mark(t).Safe != 1 {
			t.Fatalf("%d committed, %+v", at, m.mark(t))
		}
	})
}

func TestTheResolvedOffsetIsCommittedAtOnce(t *testing.T) {
	inTime(t, 2, func(t *testing.T, k *kafkatest.Kafka) {
		start(t, k, newInbox())
		eventually(t, "both are committed", func() bool { return k.Committed(group, topic, 0) == 0 && k.Committed(group, topic, 1) == 0 })
	})
}

// A commit that was refused is tried again; a mark that was set back is followed.
func TestCommitsAreRepeatedAndFollowTheMarkBack(t *testing.T) {
	inTime(t, 1, func(t *testing.T, k *kafkatest.Kafka) {
		in := newInbox()
		send(t, k, 0, numbered(0, 4)...)
		fault := k.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetCommit}, Topic: topic, Err: kerr.CoordinatorLoadInProgress, Count: 3})
		start(t, k, in)
		eventually(t, "all is read", func() bool { return in.position(0) == 4 })
		in.end("t0", "t1", "t2", "t3")
		eventually(t, "it is committed", func() bool { return k.Committed(group, topic, 0) == 4 })
		if fault.Hits() != 3 {
			t.Errorf("%d faults", fault.Hits())
		}
		do(in, func() any { in.positions[0] = 1; clear(in.known); return nil })
		eventually(t, "the mark went back", func() bool { return k.Committed(group, topic, 0) == 1 })
	})
}

func TestStoppingCommitsOnceMoreAndLeavesTheGroup(t *testing.T) {
	inTime(t, 2, func(t *testing.T, k *kafkatest.Kafka) {
		in := newInbox()
		neverPast(t, k, in)
		send(t, k, 0, numbered(0, 5)...)
		b := start(t, k, in)
		eventually(t, "all is read and committed", func() bool { return in.position(0) == 5 && k.Committed(group, topic, 1) == 0 })
		if got := slices.Sorted(slices.Values(b.Partitions())); !slices.Equal(got, []int{0, 1}) {
			t.Error(got)
		}
		in.end("t0", "t1", "t2") // just now: only a last commit can tell
		began := time.Now()
		b.stop()
		if took := time.Since(began); took > time.Second {
			t.Errorf("stopping took %v", took)
		}
		if at := k.Committed(group, topic, 0); at != 3 {
			t.Errorf("%d committed", at)
		}
		if info := k.GroupInfo(group); len(info.Members) != 0 {
			t.Errorf("%d members", len(info.Members))
		}
		if joined, _ := b.Status(); joined || len(b.Partitions()) != 0 {
			t.Error("it says that it is still in the group")
		}
	})
}

// A reader that is in the middle of an insert is waited for; what it has inserted is
// in the last commit's marks.
func TestTheLastCommitWaitsForTheReaders(t *testing.T) {
	inTime(t, 1, func(t *testing.T, k *kafkatest.Kafka) {
		in := newInbox()
		neverPast(t, k, in)
		slow := slowInbox{in, 700 * time.Millisecond}
		send(t, k, 0, "{")
		b := start(t, k, slow)
		time.Sleep(3500 * time.Millisecond)
		send(t, k, 0, "{", "{")
		eventually(t, "the insert has begun", func() bool { return len(b.letters.list()) == 3 })
		b.stop()
		if at := k.Committed(group, topic, 0); at != 3 {
			t.Fatalf("%d committed", at)
		}
	})
}

// slowInbox takes its time to insert, whatever its context says.
type slowInbox struct {
	*inbox
	takes time.Duration
}

func (s slowInbox) Insert(ctx context.Context, r intake.Range, entries []intake.Entry) ([]intake.Outcome, int, error) {
	time.Sleep(s.takes)
	return s.inbox.Insert(ctx, r, entries)
}

func TestAReaderThatHangsDoesNotHoldUpTheStop(t *testing.T) {
	inTime(t, 1, func(t *testing.T, k *kafkatest.Kafka) {
		in := newInbox()
		send(t, k, 0, numbered(0, 1)...)
		b := start(t, k, slowInbox{in, 4 * time.Second})
		eventually(t, "it is in the group", func() bool { joined, _ := b.Status(); return joined })
		time.Sleep(500 * time.Millisecond)
		began := time.Now()
		b.stop()
		if took := time.Since(began); took > 5*time.Second {
			t.Fatalf("took %v", took)
		}
	})
}

func TestASecondMemberTakesItsShareAndNothingIsLostOrAddedTwice(t *testing.T) {
	inTime(t, 6, func(t *testing.T, k *kafkatest.Kafka) {
		in := newInbox()
		neverPast(t, k, in)
		const n = 50
		var writer sync.WaitGroup
		writer.Go(func() {
			for i := range n {
				for p := range 6 {
					send(t, k, p, command(fmt.Sprintf("p%d-%d", p, i), "1"))
				}
				time.Sleep(100 * time.Millisecond)
			}
		})
		wide := func(c *Config) { c.MaxOpen = 10_000 }
		one := start(t, k, in, wide)
		time.Sleep(time.Second)
		two := start(t, k, in, wide)
		eventually(t, "they share", func() bool { return len(one.Partitions()) == 3 && len(two.Partitions()) == 3 })
		all := append(one.Partitions(), two.Partitions()...)
		slices.Sort(all)
		if !slices.Equal(all, []int{0, 1, 2, 3, 4, 5}) {
			t.Error(all)
		}
		one.stop()
		eventually(t, "the other has all", func() bool { return len(two.Partitions()) == 6 })
		writer.Wait()
		eventually(t, "all is read", func() bool { return in.added() == 6*n })
		for p := range 6 {
			if at := in.position(p); at != n {
				t.Errorf("partition %d: %d", p, at)
			}
			last := int64(-1)
			for _, e := range in.entries {
				if e.Payout.Source.Partition != p {
					continue
				}
				if e.Payout.Source.Offset != last+1 {
					t.Errorf("partition %d: %d after %d", p, e.Payout.Source.Offset, last)
				}
				last = e.Payout.Source.Offset
			}
		}
	})
}

// Two that read the same partition at once, as a stale generation may, do no harm.
func TestTwoThatReadTheSamePartition(t *testing.T) {
	inTime(t, 1, func(t *testing.T, k *kafkatest.Kafka) {
		m := newMemory(t)
		send(t, k, 0, command("a", "1"), "{", command("a", "2"), command("b", "1"))
		other := func(c *Config) { c.Group.ID = "another" }
		one, two := start(t, k, m), start(t, k, m, other)
		send(t, k, 0, numbered(0, 20)...)
		eventually(t, "all is read", func() bool { return m.mark(t).Position == 24 })
		synctest.Wait() // it is counted after that
		if got := m.states(t); got["received"] != 22 || len(got) != 1 {
			t.Fatal(got)
		}
		if total := one.counted("new") + two.counted("new"); total != 22 {
			t.Errorf("%v new", total)
		}
	})
}

func TestAYoungOrMovingCoordinatorIsWaitedOut(t *testing.T) {
	for _, c := range []struct {
		key kmsg.Key
		err *kerr.Error
	}{
		{kmsg.FindCoordinator, kerr.CoordinatorNotAvailable}, {kmsg.JoinGroup, kerr.CoordinatorNotAvailable},
		{kmsg.JoinGroup, kerr.NotCoordinator}, {kmsg.SyncGroup, kerr.RebalanceInProgress}, {kmsg.JoinGroup, kerr.UnknownMemberID},
		{kmsg.OffsetFetch, kerr.CoordinatorLoadInProgress},
	} {
		t.Run(c.key.Name()+" "+c.err.Message, func(t *testing.T) {
			inTime(t, 1, func(t *testing.T, k *kafkatest.Kafka) {
				in := newInbox()
				send(t, k, 0, numbered(0, 3)...)
				fault := k.Fault(kfake.Fault{Keys: []kmsg.Key{c.key}, Err: c.err, Count: 4, TopLevel: c.key == kmsg.OffsetFetch})
				b := start(t, k, in)
				eventually(t, "all is read", func() bool { return in.position(0) == 3 })
				if fault.Hits() == 0 {
					t.Fatal("no fault was met")
				}
				if c.key != kmsg.OffsetFetch && !strings.Contains(b.logged(), "no place in the consumer group yet") {
					t.Error(b.logged())
				}
			})
		})
	}
}

func TestALostPlaceInTheGroupIsTakenAgain(t *testing.T) {
	for _, e := range []*kerr.Error{kerr.CoordinatorNotAvailable, kerr.NotCoordinator, kerr.RebalanceInProgress, kerr.UnknownMemberID, kerr.IllegalGeneration} {
		t.Run(e.Message, func(t *testing.T) {
			inTime(t, 1, func(t *testing.T, k *kafkatest.Kafka) {
				in := newInbox()
				start(t, k, in)
				eventually(t, "it is committed", func() bool { return k.Committed(group, topic, 0) == 0 })
				fault := k.Fail(kmsg.Heartbeat, "", e, 2)
				time.Sleep(10 * time.Second)
				if fault.Hits() == 0 {
					t.Fatal("no fault was met")
				}
				send(t, k, 0, numbered(0, 3)...)
				eventually(t, "all is read", func() bool { return in.position(0) == 3 })
			})
		})
	}
}

func TestALostKafkaEndsNothingAndStopsPromptly(t *testing.T) {
	inTime(t, 1, func(t *testing.T, k *kafkatest.Kafka) {
		b := start(t, k, newInbox())
		eventually(t, "it is in the group", func() bool { joined, _ := b.Status(); return joined })
		k.Close()
		eventually(t, "it says that it isn't", func() bool { joined, _ := b.Status(); return !joined })
		time.Sleep(time.Minute)
		began := time.Now()
		b.stop()
		if took := time.Since(began); took > 5*time.Second {
			t.Fatalf("stopping took %v", took)
		}
	})
}

// TestAStopAtAnyMoment ends Run after every length of time, while it finds, joins,
// reads, commits and idles.
func TestAStopAtAnyMoment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := kafkatest.Start(t, map[string]int{topic: 2})
		in := newInbox()
		neverPast(t, k, in)
		sent := 0
		for after := time.Duration(0); after < 2*time.Second; after = after*11/10 + 3*time.Millisecond {
			send(t, k, sent%2, numbered(sent, sent+1)...)
			sent++
			b := start(t, k, in)
			time.Sleep(after)
			began := time.Now()
			b.stop()
			if took := time.Since(began); took > 3*time.Second {
				t.Errorf("stopping after %v took %v", after, took)
			}
			if info := k.GroupInfo(group); info != nil && len(info.Members) != 0 {
				t.Errorf("stopped after %v: %d members are left", after, len(info.Members))
				time.Sleep(11 * time.Second)
			}
		}
		start(t, k, in)
		eventually(t, "all is read", func() bool { return in.added() == sent })
	})
}

func TestBadGroupSettingsAreAnError(t *testing.T) {
	inTime(t, 1, func(t *testing.T, k *kafkatest.Kafka) {
		c := New(Config{Group: kafka.ConsumerGroupConfig{Topics: []string{topic}, ID: group}})
		if err := c.Run(t.Context()); err == nil {
			t.Fatal("no error without brokers")
		}
	})
}

// bulks are so many payouts in each partition, a hundred to a message, each numbered by
// where it stands.
func bulks(t *testing.T, k *kafkatest.Kafka, partitions, messages int) (payouts int) {
	t.Helper()
	for p := range partitions {
		for m := range messages {
			var all []string
			for i := range 100 {
				all = append(all, command(fmt.Sprintf("p%d-m%d-%d", p, m, i), "1"))
			}
			send(t, k, p, `{"payouts": [`+strings.Join(all, ",")+`]}`)
			payouts += len(all)
		}
	}
	return payouts
}

// onceEach wants each payout known once, and every partition read to its end.
func (i *inbox) onceEach(t *testing.T, partitions int, messages int64, payouts int) {
	t.Helper()
	if n, distinct := i.added(), do(i, func() int { return len(i.known) }); n != payouts || distinct != payouts {
		t.Errorf("%d were added, %d are known, of %d", n, distinct, payouts)
	}
	for p := range partitions {
		if at := i.position(p); at != messages {
			t.Errorf("partition %d is read up to %d of %d", p, at, messages)
		}
	}
}

// Members come and go while thousands of payouts are being taken in. Nothing is lost or added
// twice, and no commit passes what is open.
func TestARebalanceWhileThousandsAreInFlight(t *testing.T) {
	const partitions, messages = 6, 12
	inTime(t, partitions, func(t *testing.T, k *kafkatest.Kafka) {
		in := newInbox()
		neverPast(t, k, in)
		payouts := bulks(t, k, partitions, messages)
		slow := slowInbox{in, 150 * time.Millisecond} // so that each rebalance meets inserts in flight
		roomy := func(c *Config) { c.MaxOpen = 10 * payouts }
		first := start(t, k, slow, roomy)
		eventually(t, "some are in", func() bool { return in.added() > 0 })
		second := start(t, k, slow, roomy)
		eventually(t, "the second one has its share", func() bool { return len(second.Partitions()) > 0 })
		third := start(t, k, slow, roomy)
		eventually(t, "the third one has its share", func() bool { return len(third.Partitions()) > 0 })
		first.stop()
		eventually(t, "all are in", func() bool { return in.added() == payouts })
		for p := range partitions {
			eventually(t, "the partition is at its end", func() bool { return in.position(p) == messages })
		}
		in.onceEach(t, partitions, messages, payouts)
		do(in, func() any { clear(in.open); return nil })
		for p := range partitions {
			eventually(t, "all is committed", func() bool { return k.Committed(group, topic, p) == messages })
		}
	})
}

// The group gives an instance's partitions to others while it is being stopped. Its last commit
// is refused, or late, and passes nothing. Whoever reads on loses nothing.
func TestAGenerationThatIsLostDuringTheDrain(t *testing.T) {
	const partitions, messages = 4, 8
	for name, err := range map[string]*kerr.Error{"its place is another one's": kerr.UnknownMemberID, "another generation is on": kerr.IllegalGeneration, "the group moves": kerr.NotCoordinator} {
		t.Run(name, func(t *testing.T) {
			inTime(t, partitions, func(t *testing.T, k *kafkatest.Kafka) {
				in := newInbox()
				neverPast(t, k, in)
				payouts := bulks(t, k, partitions, messages)
				slow := slowInbox{in, 300 * time.Millisecond}
				roomy := func(c *Config) { c.MaxOpen = 10 * payouts }
				b := start(t, k, slow, roomy)
				eventually(t, "some are in", func() bool { return in.added() > 0 })
				fault := k.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetCommit}, Topic: topic, Err: err, Count: -1})
				began := time.Now()
				b.stop() // inserts are in flight
				if took := time.Since(began); took > 5*time.Second {
					t.Errorf("stopping took %v", took)
				}
				fault.Remove()
				start(t, k, in, roomy)
				eventually(t, "all are in", func() bool { return in.added() == payouts })
				for p := range partitions {
					eventually(t, "the partition is at its end", func() bool { return in.position(p) == messages })
				}
				in.onceEach(t, partitions, messages, payouts)
			})
		})
	}
}
