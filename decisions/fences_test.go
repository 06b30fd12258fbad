package decisions

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kmsg"

	"disburser/internal/kafkatest"
	"disburser/message"
	"disburser/payout"
	"disburser/payout/epochs"
)

// during holds the next request of a kind back for a second, and lets the test do
// something meanwhile.
func during(k *kafkatest.Kafka, key kmsg.Key, start func(), meanwhile func()) {
	duringNext(k, key, func() bool { return true }, start, meanwhile)
}

// duringNext does it with the first such request once it is ready for it.
func duringNext(k *kafkatest.Kafka, key kmsg.Key, ready func() bool, start func(), meanwhile func()) {
	held := make(chan struct{})
	var first atomic.Bool // others come while it is held back
	k.ControlKey(int16(key), func(request kmsg.Request) (kmsg.Response, error, bool) {
		// kafka-go asks for beginning and end at once, by two requests; it is the end that counts.
		if l, is := request.(*kmsg.ListOffsetsRequest); is && l.Topics[0].Partitions[0].Timestamp != kafka.LastOffset {
			return nil, nil, false
		}
		if ready() && first.CompareAndSwap(false, true) {
			close(held)
			k.SleepControl(func() { time.Sleep(time.Second) })
		}
		return nil, nil, false
	})
	start()
	<-held
	meanwhile()
}

// Until the fence stands the old epoch's decisions are good. So the ends up to which they are
// replayed are noted after it (protocol E4 c).
func TestADecisionThatLandsBeforeTheFenceIsReplayed(t *testing.T) {
	inTime(t, func(t *testing.T, k *kafkatest.Kafka) {
		r, client := newRedis(t)
		i := startKeeper(t, k, client, "pod-1", 1)
		before := i.settles(t)
		r.FlushAll()
		during(k, kmsg.Produce, i.CheckEpoch, func() { decision(t, k, 0, message.KindSend, before.ID, "a") })
		i.next(t, before)
		if got := i.takeIn(t, "a"); got != "d" {
			t.Errorf("outcome %s", got)
		}
		if got := i.due(t, payout.StepSend); got != "" {
			t.Errorf("%s would be sent again", got)
		}
	})
}

// Of two that begin at once, the one that sees the other's fence behind its own starts over. The
// other may have noted its ends already.
func TestWhoIsFencedWhileBeginningBeginsAgain(t *testing.T) {
	inTime(t, func(t *testing.T, k *kafkatest.Kafka) {
		_, client := newRedis(t)
		var i *instance
		var foreign int64
		var fenced atomic.Int32 // the other fence comes when the own ones stand, in all three partitions
		k.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
			fenced.Add(1)
			return nil, nil, false
		})
		duringNext(k, kmsg.ListOffsets, func() bool { return fenced.Load() >= 3 }, func() { i = startKeeper(t, k, client, "pod-1", 1) }, func() {
			now := time.Now().UTC().Format(time.RFC3339Nano)
			foreign = write(t, k, 1, strings.Replace(fenceOf("rival", 0), "2026-11-21T10:30:00Z", now, 1))
		})
		i.settles(t)
		if s, err := i.journal.Standing(background); err != nil || s.Fences[1] < foreign {
			t.Errorf("%v: the own fence stands at %d, the other one's at %d", err, s.Fences[1], foreign)
		}
		i.works(t)
	})
}

func TestAPartitionAddedWhileFencingIsFencedToo(t *testing.T) {
	inTime(t, func(t *testing.T, k *kafkatest.Kafka) {
		_, client := newRedis(t)
		var i *instance
		during(k, kmsg.Produce, func() { i = startKeeper(t, k, client, "pod-1", 1) }, func() {
			res, err := k.Client.CreatePartitions(background, &kafka.CreatePartitionsRequest{Topics: []kafka.TopicPartitionsConfig{{Name: topic, Count: 5}}})
			if err != nil || res.Errors[topic] != nil {
				t.Error(err, res)
			}
		})
		i.settles(t)
		for p := range 5 {
			if n := fences(t, k, p); n != 1 {
				t.Errorf("partition %d holds %d fences", p, n)
			}
		}
	})
}

// What comes between the look and its result isn't looked at, so the watermark ends before
// it, of decisions and of results (protocol E5).
func TestTheWatermarkPassesNothingThatCameAfterTheLook(t *testing.T) {
	inTime(t, func(t *testing.T, k *kafkatest.Kafka) {
		_, client := newRedis(t)
		i := startKeeper(t, k, client, "pod-1", 1)
		e := i.settles(t)
		decision(t, k, 1, message.KindSend, e.ID, "x") // so that there is something to look at
		var fence int64
		during(k, kmsg.Fetch, func() {}, func() {
			fence = write(t, k, 1, fenceOf("rival", 0))
			announces(t, k, 0, message.EventPaid, "y")
		})
		time.Sleep(2 * time.Second)
		if s, err := i.journal.Standing(background); err != nil || s.Decisions[1] != fence || s.Results[0] != 0 {
			t.Errorf("%v: the watermark is %d, the fence stands at %d; of results %d, one stands at 0", err, s.Decisions[1], fence, s.Results[0])
		}
	})
}

// Watermarks that stand still are written once: where nothing happens, Redis needs no log.
func TestWatermarksAreWrittenWhenTheyMove(t *testing.T) {
	inTime(t, func(t *testing.T, k *kafkatest.Kafka) {
		_, client := newRedis(t)
		var writes atomic.Int64
		i := startHooked(t, k, client, "pod-1", 1, func(_ Journal, step string) {
			if step == "watermark" {
				writes.Add(1)
			}
		})
		e := i.settles(t)
		time.Sleep(time.Minute)
		before := writes.Load()
		if before == 0 || before > 3 {
			t.Errorf("%d writes in a minute in which nothing happened", before)
		}
		end := decision(t, k, 1, message.KindSend, e.ID, "x")
		marked()
		if s, err := i.journal.Standing(background); err != nil || s.Decisions[1] != end+1 || writes.Load() != before+1 {
			t.Errorf("%v: the watermark is %d, want %d; %d writes", err, s.Decisions[1], end+1, writes.Load()-before)
		}
	})
}

// Records that were looked at are gone, the topic was made anew: nothing vouches for the
// open epoch any more.
func TestALogThatWasCutEndsTheOpenEpoch(t *testing.T) {
	inTime(t, func(t *testing.T, k *kafkatest.Kafka) {
		_, client := newRedis(t)
		i := startKeeper(t, k, client, "pod-1", 1)
		before := i.settles(t)
		if _, err := i.journal.Watermark(background, map[int]int64{1: 99}, nil); err != nil {
			t.Fatal(err)
		}
		other := startKeeper(t, k, client, "pod-2", 1)
		if e := other.settles(t); e == before {
			t.Errorf("%+v goes on", e)
		}
	})
}

// unwritten makes one restore fail.
type unwritten struct {
	of   string // a fingerprint in it
	once atomic.Bool
}

func (*unwritten) DialHook(next redis.DialHook) redis.DialHook { return next }
func (*unwritten) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func (u *unwritten) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if strings.Contains(fmt.Sprint(cmd.Args()...), u.of) && u.once.CompareAndSwap(false, true) {
			cmd.SetErr(kafkatest.ErrTest)
			return kafkatest.ErrTest
		}
		return next(ctx, cmd)
	}
}

// What could not be restored is restored by the next attempt; nothing opens without it.
func TestAReplayThatCannotWriteDoesNotOpen(t *testing.T) {
	inTime(t, func(t *testing.T, k *kafkatest.Kafka) {
		_, client := newRedis(t)
		announces(t, k, 0, message.EventPaid, "a")
		fails := &unwritten{of: string(some("a")[0].Fingerprint)}
		client.AddHook(fails)
		i := startKeeper(t, k, client, "pod-1", 1)
		i.settles(t)
		if !fails.once.Load() {
			t.Fatal("nothing failed")
		}
		if got := i.takeIn(t, "a"); got != "d" {
			t.Errorf("outcome %s", got)
		}
	})
}

// A send may have been leased by an instance whose leases are longer than this one's. Until that
// lease is over the send's absence proves nothing (protocol O4).
func TestALongerLeaseOfTheFleetIsWaitedFor(t *testing.T) {
	inTime(t, func(t *testing.T, k *kafkatest.Kafka) {
		longest := some("a")
		longest[0].LastSentAt = time.Now()
		longest[0].SendBy = time.Now().Add(10 * time.Minute)
		r := message.DecisionOf(message.KindSend, longest)
		r.Epoch, r.Time = epochs.Epoch{Number: 1, ID: "before"}, time.Now()
		value, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		write(t, k, 0, string(value))
		_, client := newRedis(t)
		i := startKeeper(t, k, client, "pod-1", 1)
		i.settles(t)
		i.takeIn(t, "a")
		b := i.lease(t, payout.StepAsk, 1)
		if len(b.Payouts) != 1 || b.Payouts[0].SendBy.Before(longest[0].SendBy) {
			t.Errorf("%+v", b.Payouts)
		}
	})
}

// A watermark that had to stay, since an end by a person stands undecided, is tried again though nothing has moved.
func TestAMarkThatWaitsIsTriedAgain(t *testing.T) {
	inTime(t, func(t *testing.T, k *kafkatest.Kafka) {
		_, client := newRedis(t)
		i := startKeeper(t, k, client, "pod-1", 1)
		e := i.settles(t)
		stays := func(want int64) {
			t.Helper()
			marked()
			if s, err := i.journal.Standing(background); err != nil || s.Decisions[1] != want {
				t.Errorf("%v: the watermark is %d, want %d", err, s.Decisions[1], want)
			}
		}
		marked()
		s, _ := i.journal.Standing(background)
		client.HSet(background, "test:{0}:undecided", "p1", "a1")
		end := decision(t, k, 1, message.KindSend, e.ID, "x")
		stays(s.Decisions[1])
		client.HDel(background, "test:{0}:undecided", "p1")
		stays(end + 1)
	})
}
