package consumer

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kmsg"

	"disburser/internal/kafkatest"
	"disburser/payout"
	"disburser/payout/leases"
)

// anew deletes the commands topic and makes it again, with so many commands in it.
func anew(t *testing.T, k *kafkatest.Kafka, commands ...string) {
	t.Helper()
	ctx := context.Background()
	deleted, err := k.Client.DeleteTopics(ctx, &kafka.DeleteTopicsRequest{Topics: []string{topic}})
	if err != nil || deleted.Errors[topic] != nil {
		t.Fatal(err, deleted.Errors)
	}
	made, err := k.Client.CreateTopics(ctx, &kafka.CreateTopicsRequest{Topics: []kafka.TopicConfig{{Topic: topic, NumPartitions: 1, ReplicationFactor: 1}}})
	if err != nil || made.Errors[topic] != nil {
		t.Fatal(err, made.Errors)
	}
	eventually(t, "the new topic is known", func() bool {
		_, err := k.Client.ListOffsets(ctx, &kafka.ListOffsetsRequest{Topics: map[string][]kafka.OffsetRequest{topic: {kafka.FirstOffsetOf(0)}}})
		return err == nil
	})
	send(t, k, 0, commands...)
}

// remembering is a consumer whose journal remembers what was read.
func remembering(m *memory) func(*Config) {
	return func(c *Config) { c.Anchors, c.Now = m, m.Now }
}

// stands says that the partition has stopped as another one, that nothing of it became
// known, and that nothing was committed.
func stands(t *testing.T, k *kafkatest.Kafka, m *memory, b *bench, why string, open int) {
	t.Helper()
	eventually(t, "it stops", func() bool { _, stopped := b.Status(); return strings.Contains(stopped, why) })
	before, position := k.Committed(group, topic, 0), m.mark(t).Position
	commits := 0
	k.Observe(kmsg.OffsetCommit, func(kmsg.Request) { commits++ })
	time.Sleep(time.Minute)
	if _, stopped := b.Status(); !strings.Contains(stopped, why) {
		t.Errorf("it goes on: %q", stopped)
	}
	if states := m.states(t); states["received"] != open || m.mark(t).Position != position {
		t.Errorf("%v, %+v: something of the new topic was taken in", states, m.mark(t))
	}
	if now := k.Committed(group, topic, 0); now != before {
		t.Errorf("%d was committed, %d before", now, before)
	}
	if !strings.Contains(b.logged(), `"level":"error"`) || !strings.Contains(b.logged(), "delete the partition's position") {
		t.Error(b.logged())
	}
}

const recognised = "stands another record than was read there"

func TestATopicMadeAnewIsNoticedAlsoWhenItHasGrown(t *testing.T) {
	for name, c := range map[string]struct {
		running bool
		grown   int
		why     string
	}{
		"nobody was running, it has grown":      {false, 12, recognised},
		"nobody was running, it is as long":     {false, 9, recognised},
		"nobody was running, it is shorter":     {false, 5, "past the end 5"},
		"while reading, it has grown":           {true, 12, recognised},
		"while reading, it is as long":          {true, 9, recognised},
		"while reading, it is longer by a page": {true, 3000, recognised},
	} {
		t.Run(name, func(t *testing.T) {
			inTime(t, 1, func(t *testing.T, k *kafkatest.Kafka) {
				m := newMemory(t)
				send(t, k, 0, numbered(0, 9)...)
				b := start(t, k, m, remembering(m))
				eventually(t, "all is read", func() bool { return m.mark(t).Position == 9 })
				time.Sleep(time.Second)
				if !c.running {
					b.stop()
				}
				anew(t, k, numbered(100, 100+c.grown)...)
				if !c.running {
					b = start(t, k, m, remembering(m))
				}
				stands(t, k, m, b, c.why, 9)
			})
		})
	}
}

// While the journal is full nothing is fetched: nobody notices that the topic was away, and
// the next fetch brings what is no continuation.
func TestATopicMadeAnewBetweenTwoFetches(t *testing.T) {
	inTime(t, 1, func(t *testing.T, k *kafkatest.Kafka) {
		in := newInbox()
		in.full = 1000
		in.positions[0] = 9
		send(t, k, 0, numbered(0, 9)...)
		b := start(t, k, in)
		eventually(t, "it is full", func() bool { return strings.Contains(b.logged(), "the journal is full") })
		anew(t, k, numbered(100, 112)...)
		do(in, func() any { in.full = 0; return nil })
		eventually(t, "it stops", func() bool { _, why := b.Status(); return strings.Contains(why, recognised) })
		time.Sleep(time.Minute)
		if in.added() != 0 || in.position(0) != 9 {
			t.Fatal(offsets(in), in.position(0))
		}
		if _, why := b.Status(); !strings.Contains(why, recognised) {
			t.Fatal(why)
		}
	})
}

// A journal may be full for long. Payouts end meanwhile, and their mark moves: of the new
// topic everything before it would never be read.
func TestATopicMadeAnewWhileTheJournalIsFull(t *testing.T) {
	inTime(t, 1, func(t *testing.T, k *kafkatest.Kafka) {
		in := newInbox()
		send(t, k, 0, numbered(0, 9)...)
		b := start(t, k, in)
		eventually(t, "all is read", func() bool { return in.position(0) == 9 })
		do(in, func() any { in.full = 1000; return nil })
		time.Sleep(time.Second)
		send(t, k, 0, numbered(9, 10)...) // what comes now waits
		eventually(t, "it is full", func() bool { return strings.Contains(b.logged(), "the journal is full") })
		time.Sleep(time.Minute)
		if _, why := b.Status(); why != "" {
			t.Fatalf("a full journal is no other topic: %s", why)
		}
		anew(t, k, numbered(100, 112)...)
		eventually(t, "it stops, full as it is", func() bool { _, why := b.Status(); return strings.Contains(why, recognised) })
		in.end("t0", "t1", "t2")
		time.Sleep(time.Minute)
		if at := k.Committed(group, topic, 0); at > 0 {
			t.Errorf("%d was committed", at)
		}
		if in.added() != 9 || in.position(0) != 9 {
			t.Error(offsets(in), in.position(0))
		}
	})
}

// lingering are open payouts with old commands, and carried counts what was published again.
type lingering struct{ carried atomic.Int32 }

func (*lingering) Lingering(context.Context, int, int) ([]payout.Payout, error) {
	return []payout.Payout{{Source: payout.Source{Time: time.Now().Add(-time.Hour)}}}, nil
}

func (l *lingering) Carry(_ context.Context, payouts []payout.Payout) error {
	l.carried.Add(int32(len(payouts)))
	return nil
}

// A command names its payee: into a topic that may be somebody else's nothing is carried.
func TestNothingIsCarriedIntoAnotherTopic(t *testing.T) {
	inTime(t, 1, func(t *testing.T, k *kafkatest.Kafka) {
		old := &lingering{}
		send(t, k, 0, numbered(0, 9)...)
		b := start(t, k, newInbox(), func(c *Config) { c.CarryAfter, c.Old, c.Carrier = 40*time.Second, old, old })
		eventually(t, "it is carried", func() bool { return old.carried.Load() > 1 })
		anew(t, k, numbered(100, 112)...)
		eventually(t, "it stops", func() bool { _, why := b.Status(); return strings.Contains(why, recognised) })
		before := old.carried.Load()
		time.Sleep(10 * time.Minute)
		if now := old.carried.Load(); now != before {
			t.Errorf("%d were carried into another topic", now-before)
		}
	})
}

func TestAnotherTopicUnderTheSameNamespace(t *testing.T) {
	inTime(t, 1, func(t *testing.T, k *kafkatest.Kafka) {
		m := newMemory(t)
		send(t, k, 0, numbered(0, 9)...)
		if _, err := m.Position(context.Background(), 0, 9, false); err != nil {
			t.Fatal(err)
		}
		if _, err := m.Anchor(context.Background(), 0, "8/8/1/00000000/payroll.commands"); err != nil {
			t.Fatal(err)
		}
		send(t, k, 0, numbered(9, 12)...)
		b := start(t, k, m, remembering(m))
		stands(t, k, m, b, "the journal has read the topic payroll.commands", 0)
	})
}

// A journal of an earlier version knows the position only. From the first look on, the topic is
// recognised by what stands there then, also if no command comes any more.
func TestAPositionWithoutAnAnchorLearnsOne(t *testing.T) {
	inTime(t, 1, func(t *testing.T, k *kafkatest.Kafka) {
		m := newMemory(t)
		send(t, k, 0, numbered(0, 9)...)
		b := start(t, k, m) // remembers nothing
		eventually(t, "all is read", func() bool { return m.mark(t).Position == 9 })
		b.stop()
		m.redis.HDel("test:{0}:position", "anchor:0")
		b = start(t, k, m, remembering(m))
		time.Sleep(time.Second)
		if _, why := b.Status(); why != "" {
			t.Fatal(why)
		}
		b.stop()
		anew(t, k, numbered(100, 112)...)
		stands(t, k, m, start(t, k, m, remembering(m)), recognised, 9)
	})
}

// What retention has deleted can't be compared, and is no reason to stop.
func TestAnAnchorThatRetentionHasDeletedPasses(t *testing.T) {
	for _, start9 := range []bool{true, false} {
		t.Run(fmt.Sprint(start9), func(t *testing.T) {
			inTime(t, 1, func(t *testing.T, k *kafkatest.Kafka) {
				m := newMemory(t)
				send(t, k, 0, numbered(0, 9)...)
				b := start(t, k, m, remembering(m))
				eventually(t, "all is read", func() bool { return m.mark(t).Position == 9 })
				if start9 {
					b.stop()
				}
				if err := k.DeleteRecords(topic, 0, 9); err != nil {
					t.Fatal(err)
				}
				if start9 {
					b = start(t, k, m, remembering(m))
				}
				time.Sleep(30 * time.Second)
				send(t, k, 0, numbered(9, 12)...)
				eventually(t, "all is read", func() bool { return m.mark(t).Position == 12 })
				if _, why := b.Status(); why != "" {
					t.Fatal(why)
				}
			})
		})
	}
}

// After a wipe nothing is remembered; reading goes on at what is committed.
func TestAfterAWipeTheTopicIsLearnedAgain(t *testing.T) {
	inTime(t, 1, func(t *testing.T, k *kafkatest.Kafka) {
		m := newMemory(t)
		send(t, k, 0, numbered(0, 9)...)
		b := start(t, k, m, remembering(m))
		eventually(t, "all is read", func() bool { return m.mark(t).Position == 9 })
		m.redis.FlushAll()
		eventually(t, "the loss is noticed", func() bool { return b.epochsLost() > 0 })
		m.epoch(t)
		eventually(t, "all is read again", func() bool { return m.mark(t).Position == 9 })
		b.stop()
		anew(t, k, numbered(100, 112)...)
		stands(t, k, m, start(t, k, m, remembering(m)), recognised, 9)
	})
}

// The operator's way out, as docs/operations.md has it.
func TestWithoutItsPositionANewTopicIsReadFromItsBeginning(t *testing.T) {
	inTime(t, 1, func(t *testing.T, k *kafkatest.Kafka) {
		m := newMemory(t)
		send(t, k, 0, numbered(0, 9)...)
		b := start(t, k, m, remembering(m))
		eventually(t, "all is read", func() bool { return m.mark(t).Position == 9 })
		b.stop()
		anew(t, k, numbered(100, 112)...)
		b = start(t, k, m, remembering(m))
		eventually(t, "it stops", func() bool { _, why := b.Status(); return strings.Contains(why, recognised) })
		b.stop()
		m.redis.HDel("test:{0}:position", "0")
		commitFor(t, k, 0, 0)
		b = start(t, k, m, remembering(m))
		eventually(t, "all is read", func() bool { return m.mark(t).Position == 12 && m.states(t)["received"] == 21 })
		if _, why := b.Status(); why != "" {
			t.Fatal(why)
		}
	})
}

// A payout that ends moves the mark; of another topic nothing may be committed.
func TestTheMarkOfATopicThatIsGoneIsNotCommitted(t *testing.T) {
	inTime(t, 1, func(t *testing.T, k *kafkatest.Kafka) {
		in := newInbox()
		send(t, k, 0, numbered(0, 9)...)
		b := start(t, k, in)
		eventually(t, "all is read", func() bool { return in.position(0) == 9 })
		eventually(t, "the mark is committed", func() bool { return k.Committed(group, topic, 0) == 0 })
		anew(t, k, numbered(100, 112)...)
		eventually(t, "it stops", func() bool { _, why := b.Status(); return strings.Contains(why, recognised) })
		in.end("t0", "t1", "t2")
		time.Sleep(10 * time.Second)
		if at := k.Committed(group, topic, 0); at > 0 {
			t.Fatalf("%d was committed", at)
		}
		b.stop()
		if at := k.Committed(group, topic, 0); at > 0 {
			t.Fatalf("%d was committed at the end", at)
		}
	})
}

// A consumer whose clock is wrong delays nothing: what is due, and when it was received,
// goes by Redis' clock.
func TestAWrongClockDelaysNothing(t *testing.T) {
	inTime(t, 1, func(t *testing.T, k *kafkatest.Kafka) {
		m := newMemory(t)
		wrong := time.Hour
		m.redis.SetTime(time.Now().Add(-wrong)) // the same as a consumer an hour ahead
		send(t, k, 0, numbered(0, 3)...)
		start(t, k, m, remembering(m))
		eventually(t, "all is read", func() bool { return m.mark(t).Position == 3 })
		agenda, err := m.Due(context.Background(), []string{"eg-main"})
		if err != nil || agenda.Due[leases.Lane{Step: payout.StepSend, Merchant: "eg-main"}] != 3 {
			t.Fatalf("%+v, %v", agenda, err)
		}
		batch, err := m.Lease(context.Background(), leases.Request{Step: payout.StepSend, Merchant: "eg-main", N: 3, For: time.Minute})
		if err != nil || len(batch.Payouts) != 3 {
			t.Fatal(batch, err)
		}
		if off := batch.Payouts[0].ReceivedAt.Sub(time.Now().Add(-wrong)).Abs(); off > time.Minute {
			t.Errorf("received %v off Redis' clock", off)
		}
	})
}
