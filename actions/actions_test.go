package actions

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/rs/zerolog"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/goleak"

	"disburser/internal/kafkatest"
	"disburser/payout/acts"
	"disburser/payout/secrets"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	topic     = "payout.actions"
	staleness = time.Second
)

// stand is a follower on a Kafka.
type stand struct {
	*Follower
	t       *testing.T
	kafka   *kafkatest.Kafka
	mu      sync.Mutex
	log     bytes.Buffer
	changed atomic.Int64
	ids     int
	stop    func()
	shelf
}

// Write takes a line of the log.
func (s *stand) Write(line []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log.Write(line)
}

func (s *stand) logged() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log.String()
}

// on runs a test in virtual time.
func on(t *testing.T, test func(s *stand)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := &stand{t: t, kafka: kafkatest.Start(t, map[string]int{topic: 1})}
		defer func() { // also after a test that gave up
			if s.stop != nil {
				s.stop()
				time.Sleep(time.Second) // what the broker still answers slowly
			}
		}()
		test(s)
	})
}

func (s *stand) start() {
	s.Follower = New(Config{
		Client: s.kafka.Client, Topic: topic, Staleness: staleness, Recorder: &s.shelf, Changed: func() { s.changed.Add(1) },
		Metrics: NewMetrics(prometheus.NewRegistry()), Logger: zerolog.New(s),
	})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.Run(ctx)
	}()
	s.stop = func() {
		cancel()
		<-done
	}
}

// write has an action acknowledged.
func (s *stand) write(kind acts.Kind, scope string) {
	s.t.Helper()
	s.ids++
	of, err := acts.ParseScope(scope)
	if err != nil {
		s.t.Fatal(err)
	}
	r, err := acts.Write(acts.Action{ID: fmt.Sprint("id", s.ids), Kind: kind, Scope: of, By: "alice", Reason: "why", Time: time.Now()}, secrets.Secret{})
	if err != nil {
		s.t.Fatal(err)
	}
	if _, err := Write(s.t.Context(), s.kafka.Client, topic, r); err != nil {
		s.t.Fatal(err)
	}
}

func (s *stand) why() acts.Why { return s.Stops("m", "b", "p").Why }

// waitFor answers how long it takes until the answer is this one.
func (s *stand) waitFor(want acts.Why) time.Duration {
	s.t.Helper()
	began := time.Now()
	for s.why() != want {
		if time.Since(began) > time.Minute {
			s.t.Fatalf("after a minute it is %q, not %q", s.why(), want)
		}
		time.Sleep(time.Millisecond)
	}
	return time.Since(began)
}

func TestAPauseHoldsAndIsLifted(t *testing.T) {
	on(t, func(s *stand) {
		s.start()
		if s.why() != acts.NotFresh {
			t.Fatalf("%q before anything is read", s.why())
		}
		s.waitFor("")
		for range 3 {
			s.write(acts.Pause, "fleet")
			if took := s.waitFor(acts.Paused); took > staleness/looks+50*time.Millisecond {
				t.Errorf("it holds after %v", took)
			}
			s.write(acts.Resume, "fleet")
			if took := s.waitFor(""); took > staleness/looks+50*time.Millisecond {
				t.Errorf("it is lifted after %v", took)
			}
		}
		if s.changed.Load() != 7 {
			t.Errorf("told %d times of a change", s.changed.Load())
		}
	})
}

// Whoever starts later knows all that was said before. Until then it sends nothing.
func TestWhatWasSaidBeforeTheStart(t *testing.T) {
	on(t, func(s *stand) {
		for i := range 2000 {
			s.write(acts.Pause, fmt.Sprint("payout:", i))
		}
		s.write(acts.Pause, "merchant:m")
		s.start()
		for s.why() == acts.NotFresh {
			time.Sleep(time.Millisecond)
		}
		if s.why() != acts.Paused {
			t.Fatalf("it was fresh as %q", s.why())
		}
		view, fresh := s.View()
		if !fresh || view.Count(acts.Pause)[acts.Payout] != 2000 || valueOf(t, s.Metrics.pauses.WithLabelValues("payout")) != 2000 {
			t.Errorf("%v, %v", fresh, view.Count(acts.Pause))
		}
	})
}

// Once nobody answers, it is over after the staleness, and not sooner (protocol A2).
func TestWithoutAnAnswerItIsNotFresh(t *testing.T) {
	on(t, func(s *stand) {
		s.start()
		s.waitFor("")
		time.Sleep(10 * time.Second)
		fault := s.kafka.Fail(kmsg.ListOffsets, topic, kerr.OffsetNotAvailable, -1)
		took := s.waitFor(acts.NotFresh)
		if took > staleness+10*time.Millisecond || took < staleness*(looks-1)/looks-50*time.Millisecond {
			t.Errorf("it isn't fresh after %v", took)
		}
		if !strings.Contains(s.Trouble(), "nothing is sent until the actions are known") {
			t.Error(s.Trouble())
		}
		time.Sleep(time.Second)
		if !strings.Contains(s.logged(), `"level":"error"`) {
			t.Error("nobody is told")
		}
		fault.Remove()
		s.waitFor("")
		if s.Trouble() != "" {
			t.Error(s.Trouble())
		}
	})
}

// What counts is when it was asked, not when the answer came: a pause may be acknowledged in between.
func TestASlowAnswerIsAsOldAsItsQuestion(t *testing.T) {
	on(t, func(s *stand) {
		s.kafka.ControlKey(int16(kmsg.ListOffsets), func(kmsg.Request) (kmsg.Response, error, bool) {
			s.kafka.KeepControl()
			s.kafka.SleepControl(func() { time.Sleep(600 * time.Millisecond) })
			return nil, nil, false
		})
		s.start()
		for s.why() != "" {
			time.Sleep(time.Millisecond)
		}
		for range 3000 { // the first look asks more than this
			if age, _ := s.Age(); age < 600*time.Millisecond {
				t.Fatalf("it counts as %v old", age)
			}
			time.Sleep(time.Millisecond)
		}
	})
}

// A fetch that brings nothing proves nothing: a new leader may not know yet what was acknowledged. Nor does one that
// fails.
func TestAnEmptyFetchProvesNothing(t *testing.T) {
	for _, code := range []int16{0, kerr.NotLeaderForPartition.Code} {
		on(t, func(s *stand) {
			s.start()
			s.waitFor("")
			s.write(acts.Pause, "merchant:other")
			time.Sleep(time.Second)
			var hides atomic.Bool
			hides.Store(true)
			s.kafka.ControlKey(int16(kmsg.Fetch), func(r kmsg.Request) (kmsg.Response, error, bool) {
				s.kafka.KeepControl()
				return nothing(r, code), nil, hides.Load()
			})
			s.write(acts.Pause, "fleet")
			time.Sleep(staleness + 100*time.Millisecond)
			for range 5000 {
				if s.why() != acts.NotFresh {
					t.Fatalf("%q with a record that nobody has read", s.why())
				}
				time.Sleep(time.Millisecond)
			}
			hides.Store(false)
			s.waitFor(acts.Paused)
		})
	}
}

// nothing is an answer to a fetch that brings no record.
func nothing(r kmsg.Request, code int16) kmsg.Response {
	asked, _ := r.(*kmsg.FetchRequest)
	answer, _ := r.ResponseKind().(*kmsg.FetchResponse)
	for _, t := range asked.Topics {
		topic := kmsg.NewFetchResponseTopic()
		topic.Topic, topic.TopicID = t.Topic, t.TopicID
		for _, p := range t.Partitions {
			partition := kmsg.NewFetchResponseTopicPartition()
			partition.Partition, partition.ErrorCode, partition.HighWatermark = p.Partition, code, p.FetchOffset
			topic.Partitions = append(topic.Partitions, partition)
		}
		answer.Topics = append(answer.Topics, topic)
	}
	return answer
}

// Once a newer leader was heard, what an older one says is out of date.
func TestAnOlderLeadersWordCountsForNothing(t *testing.T) {
	on(t, func(s *stand) {
		var epoch atomic.Int32
		epoch.Store(5)
		s.kafka.ControlKey(int16(kmsg.ListOffsets), func(r kmsg.Request) (kmsg.Response, error, bool) {
			s.kafka.KeepControl()
			answer, _ := r.ResponseKind().(*kmsg.ListOffsetsResponse)
			t, p := kmsg.NewListOffsetsResponseTopic(), kmsg.NewListOffsetsResponseTopicPartition()
			t.Topic, p.LeaderEpoch, p.Offset = topic, epoch.Load(), 0
			t.Partitions = append(t.Partitions, p)
			answer.Topics = append(answer.Topics, t)
			return answer, nil, true
		})
		s.start()
		s.waitFor("")
		epoch.Store(4)
		if took := s.waitFor(acts.NotFresh); took > staleness+10*time.Millisecond || !strings.Contains(s.Trouble(), "a leader of the epoch 4 answers") {
			t.Errorf("after %v: %s", took, s.Trouble())
		}
		if _, err := s.End(s.t.Context()); err == nil {
			t.Error("an epoch begins by an older leader's word")
		}
		epoch.Store(6)
		s.waitFor("")
	})
}

// That the topic ends before what was read proves nothing: whoever says so has lost records, and may lack others.
func TestAnEarlierEndThanWasReadCountsForNothing(t *testing.T) {
	on(t, func(s *stand) {
		s.write(acts.Pause, "batch:other")
		s.write(acts.Resume, "batch:other")
		s.start()
		s.waitFor("")
		s.kafka.ControlKey(int16(kmsg.ListOffsets), func(r kmsg.Request) (kmsg.Response, error, bool) {
			s.kafka.KeepControl()
			answer, _ := r.ResponseKind().(*kmsg.ListOffsetsResponse)
			t, p := kmsg.NewListOffsetsResponseTopic(), kmsg.NewListOffsetsResponseTopicPartition()
			t.Topic, p.LeaderEpoch, p.Offset = topic, -1, 1
			t.Partitions = append(t.Partitions, p)
			answer.Topics = append(answer.Topics, t)
			return answer, nil, true
		})
		if took := s.waitFor(acts.NotFresh); took > staleness+10*time.Millisecond || !strings.Contains(s.Trouble(), "ends at 1, and was read up to 2") {
			s.t.Errorf("after %v: %s", took, s.Trouble())
		}
	})
}

// Where the actions end is asked of their leader: what was acknowledged before stands before that.
func TestWhereTheActionsEnd(t *testing.T) {
	on(t, func(s *stand) {
		s.start()
		for n := range int64(3) {
			if end, err := s.End(s.t.Context()); err != nil || end != n {
				t.Fatalf("%d %v, want %d", end, err, n)
			}
			s.write(acts.Pause, "fleet")
			time.Sleep(staleness)
		}
		s.Expect(acts.Place{Generation: 2, Offset: 70, ID: "of another topic"}) // what stood there is past
		if end, err := s.End(s.t.Context()); err != nil || end != (acts.Place{Generation: 2, Offset: 3}).Order() {
			t.Errorf("%d %v", end, err)
		}
		s.kafka.Fail(kmsg.ListOffsets, topic, kerr.OffsetNotAvailable, -1)
		if _, err := s.End(s.t.Context()); err == nil {
			t.Error("a leader that doesn't know yet is believed")
		}
	})
}

// An epoch asks where the actions end before anything can be put on record: that needs the epoch. What is read so far
// is enough, and a renewed topic is known by it.
func TestWhereTheActionsEndIsKnownWithoutARecord(t *testing.T) {
	on(t, func(s *stand) {
		s.shelf.set(acts.Place{}, errors.New("no epoch"))
		s.write(acts.Pause, "fleet")
		s.renew(3)
		unread := New(Config{Client: s.kafka.Client, Topic: topic, Staleness: staleness, Metrics: NewMetrics(prometheus.NewRegistry())})
		if end, err := unread.End(s.t.Context()); err == nil {
			t.Errorf("%d, and nothing is read", end)
		}
		s.start()
		time.Sleep(staleness)
		if end, err := s.End(s.t.Context()); err != nil || end != (acts.Place{Generation: 3, Offset: 2}).Order() {
			t.Errorf("%d %v", end, err)
		}
		s.stays(acts.NotFresh, staleness)
	})
}

// An action is written to partition 0, and acknowledged by all in-sync replicas. What isn't is written again: a
// copy is nothing.
func TestAnActionIsAcknowledgedByAll(t *testing.T) {
	on(t, func(s *stand) {
		var mu sync.Mutex
		var acks []int16
		s.kafka.Observe(kmsg.Produce, func(r kmsg.Request) {
			if p, ok := r.(*kmsg.ProduceRequest); ok {
				mu.Lock()
				acks = append(acks, p.Acks)
				mu.Unlock()
			}
		})
		s.kafka.Fail(kmsg.Produce, topic, kerr.NotEnoughReplicasAfterAppend, 2)
		s.write(acts.Pause, "fleet")
		mu.Lock()
		asked := fmt.Sprint(acks)
		mu.Unlock()
		if asked != "[-1 -1 -1]" {
			t.Errorf("asked for %s", asked)
		}
		s.kafka.Fail(kmsg.Produce, topic, kerr.NotEnoughReplicas, -1)
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		if _, err := Write(ctx, s.kafka.Client, topic, acts.Record{Key: []byte("k"), Value: []byte("v")}); err == nil || !strings.Contains(err.Error(), "not acknowledged") {
			t.Error(err)
		}
	})
}

// A topic that was made anew lifts nothing in silence.
func TestATopicMadeAnew(t *testing.T) {
	for name, more := range map[string]int{"and is shorter": 0, "and is as long": 2, "and has grown": 5} {
		t.Run(name, func(t *testing.T) {
			on(t, func(s *stand) {
				s.write(acts.Resume, "fleet")
				s.write(acts.Pause, "fleet")
				s.start()
				s.waitFor(acts.Paused)
				if err := s.kafka.DeleteTopic(topic); err != nil {
					t.Fatal(err)
				}
				if err := s.kafka.CreateTopic(topic, 1, nil); err != nil {
					t.Fatal(err)
				}
				time.Sleep(2 * kafkatest.MetadataTTL)
				for range more {
					s.write(acts.Resume, "fleet")
				}
				time.Sleep(2 * staleness)
				for range 20_000 {
					if s.why() != acts.NotFresh {
						t.Fatalf("%q by another topic", s.why())
					}
					time.Sleep(time.Millisecond)
				}
				if !strings.Contains(s.Trouble(), "on record") || !strings.Contains(s.Trouble(), "disburser act renew") {
					t.Error(s.Trouble())
				}
			})
		})
	}
}

func TestATopicThatDoesNotBeginAtItsBeginning(t *testing.T) {
	on(t, func(s *stand) {
		for range 3 {
			s.write(acts.Pause, "fleet")
		}
		if err := s.kafka.DeleteRecords(topic, 0, 2); err != nil {
			t.Fatal(err)
		}
		s.start()
		time.Sleep(5 * time.Second)
		if s.why() != acts.NotFresh || !strings.Contains(s.Trouble(), "begins at offset 2") {
			t.Errorf("%q: %s", s.why(), s.Trouble())
		}
	})
}

// What is skipped is told, and stops nobody.
func TestRubbishIsSkippedAndTold(t *testing.T) {
	on(t, func(s *stand) {
		s.kafka.Write(t, topic, 0, kafkatest.Record("x", "rubbish"))
		s.start()
		s.waitFor("")
		if !strings.Contains(s.logged(), `"records":1`) {
			t.Errorf("of before the start: %s", s.logged())
		}
		s.kafka.Write(t, topic, 0, kafkatest.Record("y", `{"id":"y","kind":"explode"}`), kafkatest.Record("z", `{"id":"z","kind":"pause","scope":"batch:b"}`))
		s.waitFor(acts.Paused)
		for _, want := range []string{`"why":"its kind \"explode\" isn't known"`, `"scope":"batch:b"`} {
			if !strings.Contains(s.logged(), want) {
				t.Errorf("no %s in %s", want, s.logged())
			}
		}
		for _, labels := range [][]string{{"unknown", "unreadable"}, {"unknown", "unknown"}, {"pause", "obeyed"}} {
			if n := valueOf(t, s.Metrics.total.WithLabelValues(labels...)); n != 1 {
				t.Errorf("%v: %v", labels, n)
			}
		}
	})
}

// An idle follower asks four times in the staleness, and looks once whether the topic is the same.
func TestIdleCosts(t *testing.T) {
	on(t, func(s *stand) {
		s.write(acts.Pause, "fleet")
		s.start()
		s.waitFor(acts.Paused)
		var asked, fetched atomic.Int64
		s.kafka.Observe(kmsg.ListOffsets, func(kmsg.Request) { asked.Add(1) })
		s.kafka.Observe(kmsg.Fetch, func(kmsg.Request) { fetched.Add(1) })
		time.Sleep(30 * time.Second)
		if asked.Load() > 30*looks+1 || asked.Load() < 29*looks || fetched.Load() > 31 {
			t.Errorf("asked %d times and fetched %d times in 30 s", asked.Load(), fetched.Load())
		}
	})
}

// The clock counts that shows more: a suspended machine stops the monotonic one.
func TestAgeGoesByBothClocks(t *testing.T) {
	now := time.Now()
	for name, c := range map[string]struct {
		at   time.Time
		want bool
	}{
		"never":                            {time.Time{}, false},
		"just now":                         {now, true},
		"by both clocks":                   {now.Add(-staleness), true},
		"too old by both":                  {now.Add(-staleness - 1), false},
		"the machine slept":                {skewed(now.Add(-time.Hour), time.Hour), false},
		"the wall clock was set back":      {skewed(now, -time.Minute), false},
		"it was set back and nothing more": {skewed(now.Add(time.Hour), -time.Hour), true},
	} {
		if got := (&reading{at: c.at}).fresh(now, nil, staleness); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// skewed moves only the monotonic reading of a time, as if the two clocks differed.
func skewed(t time.Time, monotonic time.Duration) time.Time {
	words := (*[2]int64)(unsafe.Pointer(&t)) // wall and ext, see the comments in package time
	words[1] += int64(monotonic)
	return t
}

func valueOf(t *testing.T, m prometheus.Metric) float64 {
	t.Helper()
	var out dto.Metric
	if err := m.Write(&out); err != nil {
		t.Fatal(err)
	}
	return out.GetGauge().GetValue() + out.GetCounter().GetValue()
}
