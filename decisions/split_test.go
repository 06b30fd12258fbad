package decisions

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kmsg"

	"disburser/internal/kafkatest"
	"disburser/message"
	"disburser/payout"
	"disburser/payout/epochs"
)

// takes says how much a topic takes in one batch.
func takes(t *testing.T, k *kafkatest.Kafka, name string, bytes int) {
	t.Helper()
	res, err := k.Client.AlterConfigs(background, &kafka.AlterConfigsRequest{Resources: []kafka.AlterConfigRequestResource{{
		ResourceType: kafka.ResourceTypeTopic, ResourceName: name, Configs: []kafka.AlterConfigRequestConfig{{Name: "max.message.bytes", Value: strconv.Itoa(bytes)}},
	}}})
	if err != nil || len(res.Errors) != 1 {
		t.Fatal(err, res)
	}
}

// ended are payouts that our own word has ended, for reasons of a length.
func ended(n, reason int) []payout.Payout {
	list := make([]payout.Payout, n)
	for i, p := range some(slices.Repeat([]string{""}, n)...) {
		p.TradeNo, p.State, p.Reason = fmt.Sprintf("trade-%026d", i), payout.StateRejected, strings.Repeat("<", reason)
		if i%3 == 0 {
			p.By, p.Action = "alice", "action of "+p.TradeNo
		}
		list[i] = p
	}
	return list
}

// decided are the tradeNos that stand in a partition, each with its own fingerprint,
// state and reason.
func decided(t *testing.T, k *kafkatest.Kafka, partition int) (tradeNos []string) {
	t.Helper()
	for _, raw := range k.Read(t, topic, partition) {
		var r message.Decision
		if err := json.Unmarshal(raw.Value, &r); err != nil {
			t.Fatal(err)
		}
		if len(r.Fingerprints) != len(r.TradeNos) || r.Kind == message.KindFinal && (len(r.States) != len(r.TradeNos) || len(r.Reasons) != len(r.TradeNos)) {
			t.Fatalf("lists of different lengths: %s", raw.Value)
		}
		for i, tradeNo := range r.TradeNos {
			if _, _, action := r.Person(i); action != "" && action != "action of "+tradeNo {
				t.Fatalf("%s is said to be ended by the %s", tradeNo, action)
			}
		}
		tradeNos = append(tradeNos, r.TradeNos...)
	}
	return tradeNos
}

// Decisions of every size are written to topics of every size, each payout once.
func TestEverySizeOfDecisionFits(t *testing.T) {
	for _, c := range []struct{ payouts, reason, takes int }{
		{500, 3000, 1_048_588}, // proven: 1.6 MB in one record, refused for ever
		{500, 0, 3000}, {128, 0, 1000}, {128, 200, 3000}, {500, 3000, 100_000}, {1, 20_000, 3000}, {7, 1_000_000, 1_048_588}, {3, 50_000, 700},
	} {
		t.Run(fmt.Sprintf("%+v", c), func(t *testing.T) {
			inTime(t, func(t *testing.T, k *kafkatest.Kafka) {
				l := joined(t, k, "pod-1")
				takes(t, k, topic, c.takes)
				list := ended(c.payouts, c.reason)
				var want []string
				for _, p := range list {
					want = append(want, p.TradeNo)
				}
				for _, decide := range []func() error{
					func() error { return l.Final(background, seventh.ID, list) },
					func() error { return l.Send(background, seventh.ID, list) },
				} {
					if err := decide(); err != nil {
						t.Fatal(err)
					}
				}
				if got := decided(t, k, 1); !slices.Equal(got, slices.Concat(want, want)) {
					t.Errorf("%d payouts are decided, want %d twice, in order", len(got), len(want))
				}
			})
		})
	}
}

// Many lanes decide at once, of all sizes, while the topic takes more or less.
func TestDecisionsOfAllSizesTogether(t *testing.T) {
	inTime(t, func(t *testing.T, k *kafkatest.Kafka) {
		l := joined(t, k, "pod-1")
		var lanes sync.WaitGroup
		total := 0
		for n := range 12 {
			list := ended(1+rand.N(200), rand.N(300))
			for i := range list {
				list[i].TradeNo = fmt.Sprintf("lane-%d-%d", n, i)
				if list[i].By != "" {
					list[i].Action = "action of " + list[i].TradeNo
				}
			}
			total += len(list)
			lanes.Go(func() {
				time.Sleep(rand.N(50 * time.Millisecond))
				if err := l.Final(background, seventh.ID, list); err != nil {
					t.Error(err)
				}
			})
		}
		for range 10 {
			takes(t, k, topic, 1000+rand.N(100_000))
			time.Sleep(5 * time.Millisecond)
		}
		lanes.Wait()
		got := decided(t, k, 1)
		slices.Sort(got)
		if len(got) != total || len(slices.Compact(got)) != total {
			t.Errorf("%d payouts are decided, want %d once each", len(got), total)
		}
	})
}

// A foreign fence between two records of one decision voids all of it.
func TestAFenceBetweenTheRecordsOfOneDecisionVoidsIt(t *testing.T) {
	inTime(t, func(t *testing.T, k *kafkatest.Kafka) {
		l := joined(t, k, "pod-1")
		takes(t, k, topic, 3000)
		requests := 0
		k.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
			k.KeepControl()
			if requests++; requests == 12 { // held back until the fence stands
				go write(t, k, 1, fenceOf("foreign", 0))
				k.SleepControl(func() { time.Sleep(time.Second) })
			}
			return nil, nil, false
		})
		err := l.Send(background, seventh.ID, ended(500, 0))
		time.Sleep(time.Second)
		all := k.Read(t, topic, 1)
		if len(all) < 5 || strings.Contains(string(all[len(all)-1].Value), "foreign") || len(values(t, k, 1, "foreign")) != 1 {
			t.Fatalf("the fence isn't among the %d records", len(all))
		}
		if !errors.Is(err, epochs.ErrOver) {
			t.Errorf("%v: what stands behind a foreign fence counts as decided", err)
		}
	})
}

// A topic that is made anew between two records of one decision has lost the first ones.
func TestATopicMadeAnewBetweenTheRecordsOfOneDecisionVoidsIt(t *testing.T) {
	inTime(t, func(t *testing.T, k *kafkatest.Kafka) {
		l := joined(t, k, "pod-1")
		for range 3 {
			write(t, k, 1, fenceOf(seventh.ID, 0))
		}
		takes(t, k, topic, 3000)
		requests := 0
		k.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
			k.KeepControl()
			if requests++; requests == 13 { // held back until the topic is another one
				done := make(chan struct{})
				go func() {
					defer close(done)
					if err := errors.Join(k.DeleteTopic(topic), k.CreateTopic(topic, 3, nil)); err != nil {
						t.Error(err)
					}
				}()
				k.SleepControl(func() { <-done })
			}
			return nil, nil, false
		})
		err := l.Send(background, seventh.ID, ended(500, 0))
		if got := decided(t, k, 1); len(got) == 0 || len(got) >= 500 {
			t.Fatalf("%d payouts stand in the topic: it wasn't made anew in between", len(got))
		}
		if !errors.Is(err, epochs.ErrOver) {
			t.Errorf("%v: what is lost counts as decided", err)
		}
	})
}

// Many decisions that wait for a topic with a small limit are written in turn, each in its time.
// All together would take too long, and again at each repeat.
func TestATopicThatTakesLittleIsWrittenInTime(t *testing.T) {
	inTime(t, func(t *testing.T, k *kafkatest.Kafka) {
		l := joined(t, k, "pod-1")
		takes(t, k, topic, 3000)
		if err := l.Send(background, seventh.ID, ended(100, 0)); err != nil { // it is known now
			t.Fatal(err)
		}
		k.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
			k.KeepControl()
			time.Sleep(appendTimeout / 50) // the whole broker is slow; kfake.SleepControl has a data race
			return nil, nil, false
		})
		var lanes sync.WaitGroup
		for range 200 {
			lanes.Go(func() {
				if err := l.Send(background, seventh.ID, ended(20, 0)); err != nil {
					t.Error(err)
				}
			})
		}
		lanes.Wait()
	})
}

// What a topic takes is tried again: more, but not all at once.
func TestTheRoomOfATopicGrows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := room{bytes: 3000, seen: time.Now()}
		for _, want := range []int{3000, 6000, 12000} {
			if got := r.now(); got != want {
				t.Errorf("%d bytes are tried, want %d", got, want)
			}
			r.took(want)
			time.Sleep(roomAgain + time.Second)
		}
		if r = (room{}); r.now() != together {
			t.Errorf("%d bytes are tried first", r.now())
		}
		r = room{bytes: together - 1, seen: time.Now().Add(-time.Hour)}
		if r.now() != together {
			t.Errorf("%d bytes are tried at most", r.now())
		}
	})
}

// What doesn't fit even alone isn't decided, and says what to do; others are.
func TestADecisionThatTheTopicDoesNotTakeIsNotMade(t *testing.T) {
	inTime(t, func(t *testing.T, k *kafkatest.Kafka) {
		l := joined(t, k, "pod-1")
		takes(t, k, topic, 420)
		long := ended(1, 0)
		long[0].TradeNo = strings.Repeat("9", 200)
		err := l.Send(background, seventh.ID, long)
		if err == nil || !strings.Contains(err.Error(), "raise its max.message.bytes") {
			t.Errorf("%v", err)
		}
		if err := l.Send(background, seventh.ID, some("a", "b")); err != nil {
			t.Error(err)
		}
		if got := decided(t, k, 1); !slices.Equal(got, []string{"a", "b"}) {
			t.Errorf("%v", got)
		}
		takes(t, k, topic, 100_000)
		if err := l.Send(background, seventh.ID, long); err != nil {
			t.Error(err)
		}
	})
}

func TestATextIsShortenedBetweenCharacters(t *testing.T) {
	for most, want := range map[int]string{0: "", 1: "a", 2: "a", 3: "aé", 4: "aé", 5: "aé", 6: "aé€", 9: "aé€"} {
		if got := shortened("aé€", most); got != want {
			t.Errorf("%d: %q", most, got)
		}
	}
}
