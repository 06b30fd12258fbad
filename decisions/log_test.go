package decisions

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"disburser/internal/kafkatest"
	"disburser/message"
	"disburser/payout"
	"disburser/payout/epochs"
)

func TestARecordIsWhatTheContractSays(t *testing.T) {
	inTime(t, func(t *testing.T, k *kafkatest.Kafka) {
		l := joined(t, k, "pod-1")
		list := some("20261121103000000001", "b")
		if err := l.Send(context.Background(), seventh.ID, list); err != nil {
			t.Fatal(err)
		}
		records := k.Read(t, topic, 1)
		last := records[len(records)-1]
		if string(last.Key) != "pod-1" {
			t.Errorf("key %s", last.Key)
		}
		var got map[string]any
		if err := json.Unmarshal(last.Value, &got); err != nil {
			t.Fatal(err)
		}
		at, err := time.Parse(time.RFC3339Nano, fmt.Sprint(got["time"]))
		if err != nil || !at.Equal(time.Now()) || !strings.HasSuffix(fmt.Sprint(got["time"]), "Z") {
			t.Errorf("time %v", got["time"])
		}
		delete(got, "time")
		want := map[string]any{
			"kind": "send", "layout": float64(epochs.Layout), "instance": "pod-1", "seq": 1.0, "shard": 0.0, "epoch": map[string]any{"number": 7.0, "id": "seven"}, "merchant": "eg-main",
			"tradeNos": []any{"20261121103000000001", "b"}, "fingerprints": []any{string(list[0].Fingerprint), string(list[1].Fingerprint)},
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("got  %v\nwant %v", got, want)
		}
	})
}

func TestAFinalNamesStatesAndReasons(t *testing.T) {
	inTime(t, func(t *testing.T, k *kafkatest.Kafka) {
		l := joined(t, k, "pod-1")
		list := some("a", "b")
		list[0].State, list[0].Reason = payout.StateRejected, "expired"
		list[1].State, list[1].Absent, list[1].Reason, list[1].Merchant = payout.StateFailed, true, "proved absent", "ke-main"
		if err := l.Final(context.Background(), seventh.ID, list); err != nil {
			t.Fatal(err)
		}
		var got message.Decision
		if err := json.Unmarshal([]byte(values(t, k, 1, `"kind":"final"`)[0]), &got); err != nil {
			t.Fatal(err)
		}
		if fmt.Sprint(got.TradeNos, got.States, got.Reasons) != "[a b] [rejected failed] [expired proved absent]" || got.Merchant != "" {
			t.Fatalf("%+v", got)
		}
	})
}

func TestEveryDecisionAsksAllReplicas(t *testing.T) {
	inTime(t, func(t *testing.T, k *kafkatest.Kafka) {
		l := joined(t, k, "pod-1")
		seen := 0
		k.Observe(kmsg.Produce, func(r kmsg.Request) {
			seen++
			if acks := r.(*kmsg.ProduceRequest).Acks; acks != -1 {
				t.Errorf("acks %d", acks)
			}
		})
		if err := l.Send(context.Background(), seventh.ID, some("a")); err != nil {
			t.Fatal(err)
		}
		if seen != 1 {
			t.Errorf("%d requests", seen)
		}
	})
}

// Acknowledged is only what the call and the broker both acknowledge. After a failure nothing is
// assumed, neither that the record stands nor that it doesn't.
func TestWhatIsNotAcknowledgedIsAnError(t *testing.T) {
	for _, c := range []struct {
		err    *kerr.Error
		stands int
	}{{kerr.NotLeaderForPartition, 0}, {kerr.NotEnoughReplicas, 0}, {kerr.MessageTooLarge, 0}, {kerr.NotEnoughReplicasAfterAppend, 1}, {kerr.RequestTimedOut, 1}} {
		t.Run(c.err.Message, func(t *testing.T) {
			inTime(t, func(t *testing.T, k *kafkatest.Kafka) {
				l := joined(t, k, "pod-1")
				k.Fail(kmsg.Produce, topic, c.err, 1)
				err := l.Send(context.Background(), seventh.ID, some("a"))
				if err == nil || errors.Is(err, epochs.ErrOver) {
					t.Fatal(err)
				}
				if n := len(values(t, k, 1, `"a"`)); n != c.stands {
					t.Fatalf("it stands %d times", n)
				}
				if err := l.Send(context.Background(), seventh.ID, some("b")); err != nil {
					t.Fatal(err)
				}
				if n := len(values(t, k, 1, `"b"`)); n != 1 {
					t.Fatalf("it stands %d times", n)
				}
			})
		})
	}
}

func TestABrokerThatHangsOrDropsTheConnection(t *testing.T) {
	for name, answer := range map[string]error{"hangs": nil, "drops": errors.New("dropped")} {
		t.Run(name, func(t *testing.T) {
			inTime(t, func(t *testing.T, k *kafkatest.Kafka) {
				l := joined(t, k, "pod-1")
				k.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) { return nil, answer, true })
				began := time.Now()
				err := l.Send(context.Background(), seventh.ID, some("a"))
				if err == nil || errors.Is(err, epochs.ErrOver) {
					t.Fatal(err)
				}
				if took := time.Since(began); took > appendTimeout+time.Second {
					t.Fatalf("took %v", took)
				}
				if err := l.Send(context.Background(), seventh.ID, some("b")); err != nil {
					t.Fatal(err)
				}
			})
		})
	}
}

func TestWhoWaitsEndsWithItsContext(t *testing.T) {
	inTime(t, func(t *testing.T, k *kafkatest.Kafka) {
		l := joined(t, k, "pod-1")
		k.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) { return nil, nil, true })
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		var waiting sync.WaitGroup
		for i := range 3 {
			waiting.Go(func() {
				began := time.Now()
				err := l.Send(ctx, seventh.ID, some(fmt.Sprint("a", i)))
				if !errors.Is(err, context.DeadlineExceeded) || time.Since(began) > 1100*time.Millisecond {
					t.Error(err, time.Since(began))
				}
			})
		}
		waiting.Wait()
	})
}

func TestDecisionsThatWaitGoOutTogether(t *testing.T) {
	inTime(t, func(t *testing.T, k *kafkatest.Kafka) {
		l := joined(t, k, "pod-1")
		produced := count(k, kmsg.Produce)
		slow := true
		k.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
			k.KeepControl()
			if slow {
				slow = false
				k.SleepControl(func() { time.Sleep(time.Second) })
			}
			return nil, nil, false
		})
		const n = 20
		var deciding sync.WaitGroup
		for i := range n {
			deciding.Go(func() {
				if err := l.Send(context.Background(), seventh.ID, some(fmt.Sprint("t", i))); err != nil {
					t.Error(err)
				}
			})
		}
		deciding.Wait()
		if produced.value() > 2 { // 1 if all waited before the first went out
			t.Errorf("%d requests", produced.value())
		}
		seqs, tradeNos := map[int64]bool{}, map[string]bool{}
		last := int64(0)
		for _, v := range values(t, k, 1, `"kind":"send"`) {
			var r message.Decision
			_ = json.Unmarshal([]byte(v), &r)
			seqs[r.Seq], tradeNos[r.TradeNos[0]] = true, true
			if r.Seq <= last {
				t.Errorf("seq %d after %d", r.Seq, last)
			}
			last = r.Seq
		}
		if len(seqs) != n || len(tradeNos) != n {
			t.Errorf("%d seqs, %d tradeNos", len(seqs), len(tradeNos))
		}
	})
}

func TestConsecutiveRecordsReadNothing(t *testing.T) {
	inTime(t, func(t *testing.T, k *kafkatest.Kafka) {
		l := joined(t, k, "pod-1")
		fetched := count(k, kmsg.Fetch)
		for range 20 {
			if err := l.Send(context.Background(), seventh.ID, some("a", "b")); err != nil {
				t.Fatal(err)
			}
		}
		if fetched.value() != 0 {
			t.Errorf("%d fetches", fetched.value())
		}
		write(t, k, 1, sendOf("seven"))
		if err := l.Send(context.Background(), seventh.ID, some("c")); err != nil {
			t.Fatal(err)
		}
		if err := l.Send(context.Background(), seventh.ID, some("d")); err != nil {
			t.Fatal(err)
		}
		if fetched.value() != 1 {
			t.Errorf("%d fetches for one foreign record", fetched.value())
		}
	})
}

func TestTheLook(t *testing.T) {
	for name, c := range map[string]struct {
		between []string // written after the own fence
		fenced  bool
	}{
		"nothing":                        {nil, false},
		"a foreign fence":                {[]string{fenceOf("eight", 0)}, true},
		"a fence among others' records":  {[]string{sendOf("seven"), fenceOf("eight", 0), sendOf("eight")}, true},
		"a fence of another shard":       {[]string{fenceOf("eight", 1)}, false},
		"a foreign decision":             {[]string{sendOf("eight")}, false},
		"the opening of a later epoch":   {[]string{`{"kind":"open","shard":0,"epoch":{"number":8,"id":"eight"}}`}, false},
		"the own fence again":            {[]string{fenceOf("seven", 0)}, false},
		"a kind that isn't known":        {[]string{`{"kind":"resolve","shard":0,"epoch":{"number":8,"id":"eight"}}`}, false},
		"nonsense":                       {[]string{"nonsense", "", `{"kind":7}`}, false},
		"two fences":                     {[]string{fenceOf("eight", 0), fenceOf("nine", 0)}, true},
		"a fence that names no epoch":    {[]string{`{"kind":"fence","shard":0}`}, true},
		"a fence with unknown additions": {[]string{`{"kind":"fence","shard":0,"epoch":{"number":8,"id":"eight","x":1},"y":[2]}`}, true},
	} {
		t.Run(name, func(t *testing.T) {
			inTime(t, func(t *testing.T, k *kafkatest.Kafka) {
				l := joined(t, k, "pod-1")
				for _, v := range c.between {
					write(t, k, 1, v)
				}
				err := l.Send(context.Background(), seventh.ID, some("a"))
				if errors.Is(err, epochs.ErrOver) != c.fenced || (err == nil) == c.fenced {
					t.Fatal(err)
				}
			})
		})
	}
}

func TestAfterAFenceEverythingIsRefusedUntilAnotherEpochIsEntered(t *testing.T) {
	inTime(t, func(t *testing.T, k *kafkatest.Kafka) {
		l := joined(t, k, "pod-1")
		if err := l.Send(context.Background(), seventh.ID, some("a")); err != nil {
			t.Fatal(err)
		}
		fence := write(t, k, 1, fenceOf("eight", 0))
		if err := l.Send(context.Background(), seventh.ID, some("b")); !errors.Is(err, epochs.ErrOver) {
			t.Fatal(err)
		}
		produced := count(k, kmsg.Produce)
		for _, decide := range []func(context.Context, string, []payout.Payout) error{l.Send, l.Final} {
			if err := decide(context.Background(), seventh.ID, some("c")); !errors.Is(err, epochs.ErrOver) {
				t.Fatal(err)
			}
		}
		if produced.value() != 0 {
			t.Error("it was written nevertheless")
		}
		l.enter(seventh, map[int]int64{1: 0}) // the same epoch again: the fence still stands
		if err := l.Send(context.Background(), seventh.ID, some("d")); !errors.Is(err, epochs.ErrOver) {
			t.Fatal(err)
		}
		l.enter(epochs.Epoch{Number: 8, ID: "eight"}, map[int]int64{1: fence})
		if err := l.Send(context.Background(), "eight", some("e")); err != nil {
			t.Fatal(err)
		}
	})
}

func TestAFenceInAnotherPartitionIsNotItsConcern(t *testing.T) {
	inTime(t, func(t *testing.T, k *kafkatest.Kafka) {
		l := joined(t, k, "pod-1")
		write(t, k, 0, fenceOf("eight", 0))
		write(t, k, 2, fenceOf("eight", 0))
		if err := l.Send(context.Background(), seventh.ID, some("a")); err != nil {
			t.Fatal(err)
		}
	})
}

func TestAFenceVoidsAllThatWaitTogether(t *testing.T) {
	inTime(t, func(t *testing.T, k *kafkatest.Kafka) {
		l := joined(t, k, "pod-1")
		write(t, k, 1, fenceOf("eight", 0))
		var deciding sync.WaitGroup
		for i := range 10 {
			deciding.Go(func() {
				if err := l.Send(context.Background(), seventh.ID, some(fmt.Sprint("t", i))); !errors.Is(err, epochs.ErrOver) {
					t.Error(err)
				}
			})
		}
		deciding.Wait()
	})
}

// What can't be looked at is not clear of fences.
func TestALookThatFailsIsAnErrorAndIsMadeUpFor(t *testing.T) {
	inTime(t, func(t *testing.T, k *kafkatest.Kafka) {
		l := joined(t, k, "pod-1")
		write(t, k, 1, sendOf("seven"))
		fault := k.Fail(kmsg.Fetch, topic, kerr.KafkaStorageError, -1)
		if err := l.Send(context.Background(), seventh.ID, some("a")); err == nil || errors.Is(err, epochs.ErrOver) {
			t.Fatal(err)
		}
		fault.Remove()
		write(t, k, 1, fenceOf("eight", 0))
		if err := l.Send(context.Background(), seventh.ID, some("b")); !errors.Is(err, epochs.ErrOver) {
			t.Fatal(err)
		}
	})
}

func TestRecordsThatTheBrokerHidesAreNoAllClear(t *testing.T) {
	inTime(t, func(t *testing.T, k *kafkatest.Kafka) {
		l := joined(t, k, "pod-1")
		write(t, k, 1, fenceOf("eight", 0))
		k.ControlKey(int16(kmsg.Fetch), func(r kmsg.Request) (kmsg.Response, error, bool) { return nothing(r.(*kmsg.FetchRequest)), nil, true })
		if err := l.Send(context.Background(), seventh.ID, some("a")); err == nil {
			t.Fatal("sent without having seen what stands before")
		}
		if err := k.DeleteRecords(topic, 1, 3); err != nil {
			t.Fatal(err)
		}
		if err := l.Send(context.Background(), seventh.ID, some("b")); err == nil {
			t.Fatal("sent though what stood before is gone")
		}
	})
}

// nothing answers a fetch without an error and without records.
func nothing(r *kmsg.FetchRequest) kmsg.Response {
	res := r.ResponseKind().(*kmsg.FetchResponse)
	p := kmsg.NewFetchResponseTopicPartition()
	p.Partition, p.HighWatermark = r.Topics[0].Partitions[0].Partition, 3
	in := kmsg.NewFetchResponseTopic()
	in.Topic, in.Partitions = r.Topics[0].Topic, []kmsg.FetchResponseTopicPartition{p}
	res.Topics = append(res.Topics, in)
	return res
}

func TestNothingIsDecidedOutsideAnEpoch(t *testing.T) {
	inTime(t, func(t *testing.T, k *kafkatest.Kafka) {
		l := startLog(t, k, "pod-1")
		if err := l.Send(context.Background(), seventh.ID, some("a")); !errors.Is(err, epochs.ErrOver) {
			t.Fatal(err)
		}
		l.enter(seventh, map[int]int64{1: write(t, k, 1, fenceOf("seven", 0))})
		l.leave()
		if err := l.Final(context.Background(), seventh.ID, some("a")); !errors.Is(err, epochs.ErrOver) {
			t.Fatal(err)
		}
		if n := len(values(t, k, 1, `"a"`)); n != 0 {
			t.Errorf("it stands %d times", n)
		}
	})
}

func TestAnEpochLeftWhileDecidingIsOver(t *testing.T) {
	for name, change := range map[string]func(*Log){
		"left":          (*Log).leave,
		"another epoch": func(l *Log) { l.enter(epochs.Epoch{Number: 8, ID: "eight"}, map[int]int64{1: 0}) },
	} {
		t.Run(name, func(t *testing.T) {
			inTime(t, func(t *testing.T, k *kafkatest.Kafka) {
				l := joined(t, k, "pod-1")
				k.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
					k.SleepControl(func() { time.Sleep(time.Second) })
					return nil, nil, false
				})
				time.AfterFunc(500*time.Millisecond, func() { change(l) })
				if err := l.Send(context.Background(), seventh.ID, some("a")); !errors.Is(err, epochs.ErrOver) {
					t.Fatal(err)
				}
			})
		})
	}
}

// Two instances in one partition: each reads the other's records, neither is fenced.
func TestTwoInstancesInOnePartition(t *testing.T) {
	inTime(t, func(t *testing.T, k *kafkatest.Kafka) {
		one := joined(t, k, "pod-1")
		two := startLog(t, k, "pod-2")
		two.enter(seventh, map[int]int64{1: 0})
		var deciding sync.WaitGroup
		for _, l := range []*Log{one, two} {
			deciding.Go(func() {
				for i := range 30 {
					if err := l.Send(context.Background(), seventh.ID, some(fmt.Sprint(l.instance, i))); err != nil {
						t.Error(err)
					}
				}
			})
		}
		deciding.Wait()
		if n := len(values(t, k, 1, `"kind":"send"`)); n != 60 {
			t.Errorf("%d records", n)
		}
	})
}

func TestAStoppedLogLetsNobodyWaitForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := kafkatest.Start(t, map[string]int{topic: 3})
		l := NewLog(k.Client, topic, "pod-1", 0)
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if err := l.Send(ctx, seventh.ID, some("a")); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
	})
}
