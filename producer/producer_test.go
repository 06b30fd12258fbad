package producer

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/goleak"

	"disburser/internal/kafkatest"
	"disburser/message"
	"disburser/payout"
	"disburser/payout/money"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	results = "payout.results"
	letters = "payout.dead-letter"
)

// setup runs a test in virtual time with a producer on 4 partitions of results.
func setup(t *testing.T, test func(t *testing.T, k *kafkatest.Kafka, p *Producer)) {
	synctest.Test(t, func(t *testing.T) {
		k := kafkatest.Start(t, map[string]int{results: 4, letters: 1})
		p := New(k.Brokers(), k.Transport, results, letters, "payout.commands")
		t.Cleanup(func() {
			if err := p.Close(); err != nil {
				t.Error(err)
			}
		})
		test(t, k, p)
	})
}

func event(tradeNo string) message.Event {
	a, _ := money.Parse("300")
	p := payout.Begin(payout.Command{TradeNo: tradeNo, Merchant: "eg-main", Amount: a, Currency: "EGP", BatchID: "b-1"},
		"egypt", payout.Source{Offset: 3}, "payee is missing", time.Date(2026, 11, 21, 10, 30, 0, 5e6, time.UTC))
	e, _ := message.EventOf(p)
	return e
}

func events(n int) []message.Event {
	list := make([]message.Event, n)
	for i := range list {
		list[i] = event(fmt.Sprint("trade-", i))
	}
	return list
}

// stored counts the copies of each tradeNo in the results.
func stored(t *testing.T, k *kafkatest.Kafka) map[string]int {
	t.Helper()
	found := map[string]int{}
	for p := range 4 {
		for _, r := range k.Read(t, results, p) {
			found[string(r.Key)]++
		}
	}
	return found
}

func TestAResultIsACloudEvent(t *testing.T) {
	setup(t, func(t *testing.T, k *kafkatest.Kafka, p *Producer) {
		e := event("20261121103000000001")
		e.Trace = payout.Trace{Parent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", State: "v=1"}
		if acknowledged, err := p.Results(context.Background(), []message.Event{e}); err != nil || !slices.Equal(acknowledged, []bool{true}) {
			t.Fatal(acknowledged, err)
		}
		var got []string
		for number := range 4 {
			for _, r := range k.Read(t, results, number) {
				if string(r.Key) != e.TradeNo {
					t.Errorf("key %s", r.Key)
				}
				for _, h := range r.Headers {
					got = append(got, h.Key+": "+string(h.Value))
				}
				var value map[string]any
				if err := json.Unmarshal(r.Value, &value); err != nil {
					t.Fatal(err)
				}
				if value["eventId"] != e.EventID || value["type"] != "payout.rejected" || value["amount"] != "300" || value["reason"] != "payee is missing" {
					t.Errorf("%s", r.Value)
				}
				if _, shown := value["fingerprint"]; shown {
					t.Error("the fingerprint belongs into the headers")
				}
			}
		}
		want := []string{
			"ce_specversion: 1.0", "ce_id: " + e.EventID, "ce_source: /disburser/eg-main", "ce_type: payout.rejected",
			"ce_subject: 20261121103000000001", "ce_time: 2026-11-21T10:30:00.005Z", "content-type: application/json",
			"fingerprint: " + string(e.Fingerprint), "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "tracestate: v=1",
		}
		if !slices.Equal(got, want) {
			t.Errorf("headers\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	})
}

func TestARepeatCarriesTheSameIDAndNoTraceIsMadeUp(t *testing.T) {
	setup(t, func(t *testing.T, k *kafkatest.Kafka, p *Producer) {
		for range 3 {
			if _, err := p.Results(context.Background(), []message.Event{event("one")}); err != nil {
				t.Fatal(err)
			}
		}
		ids := map[string]int{}
		for number := range 4 {
			for _, r := range k.Read(t, results, number) {
				ids[kafkatest.Header(t, r.Headers, "ce_id")]++
				for _, h := range r.Headers {
					if strings.HasPrefix(h.Key, "trace") {
						t.Errorf("header %s", h.Key)
					}
				}
			}
		}
		if len(ids) != 1 || ids[event("one").EventID] != 3 {
			t.Fatal(ids)
		}
	})
}

// The hashes are those of Java's UtilsTest.testMurmur2.
func TestPartitionsAreJavas(t *testing.T) {
	setup(t, func(t *testing.T, k *kafkatest.Kafka, p *Producer) {
		hashes := map[string]int32{
			"21": -973932308, "foobar": -790332482, "a-little-bit-long-string": -985981536, "a-little-bit-longer-string": -1486304829,
			"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971, "abc": 479470107,
		}
		for key := range hashes {
			if _, err := p.Results(context.Background(), []message.Event{event(key)}); err != nil {
				t.Fatal(err)
			}
		}
		seen := 0
		for number := range 4 {
			for _, r := range k.Read(t, results, number) {
				seen++
				if want := int(hashes[string(r.Key)]&0x7fffffff) % 4; want != number {
					t.Errorf("%s is in partition %d, Java would put it into %d", r.Key, number, want)
				}
			}
		}
		if seen != len(hashes) {
			t.Errorf("%d events", seen)
		}
	})
}

func TestEveryWriteAsksAllReplicas(t *testing.T) {
	setup(t, func(t *testing.T, k *kafkatest.Kafka, p *Producer) {
		var acks []int16
		k.Observe(kmsg.Produce, func(r kmsg.Request) { acks = append(acks, r.(*kmsg.ProduceRequest).Acks) })
		if _, err := p.Results(context.Background(), events(20)); err != nil {
			t.Fatal(err)
		}
		if err := p.DeadLetters(context.Background(), []message.DeadLetter{letter("x")}); err != nil {
			t.Fatal(err)
		}
		if len(acks) < 2 {
			t.Fatal("no produce requests seen")
		}
		for _, a := range acks {
			if a != -1 {
				t.Fatalf("acks %d", a)
			}
		}
	})
}

func TestTemporaryErrorsAreWaitedOut(t *testing.T) {
	for _, e := range []*kerr.Error{kerr.NotLeaderForPartition, kerr.LeaderNotAvailable, kerr.NotEnoughReplicas, kerr.BrokerNotAvailable, kerr.UnknownTopicOrPartition, kerr.KafkaStorageError} {
		t.Run(e.Message, func(t *testing.T) {
			setup(t, func(t *testing.T, k *kafkatest.Kafka, p *Producer) {
				fault := k.Fail(kmsg.Produce, results, e, 6)
				acknowledged, err := p.Results(context.Background(), events(8))
				if err != nil || slices.Contains(acknowledged, false) {
					t.Fatal(acknowledged, err)
				}
				if fault.Hits() == 0 {
					t.Fatal("no fault was met")
				}
				for i := range 8 {
					if n := stored(t, k)[fmt.Sprint("trade-", i)]; n != 1 {
						t.Errorf("trade-%d stands %d times", i, n)
					}
				}
			})
		})
	}
}

// Such errors write and refuse: the copies are there, under one id.
func TestARefusalAfterTheWriteMakesCopiesUnderOneID(t *testing.T) {
	setup(t, func(t *testing.T, k *kafkatest.Kafka, p *Producer) {
		k.Fail(kmsg.Produce, results, kerr.NotEnoughReplicasAfterAppend, 2)
		if _, err := p.Results(context.Background(), []message.Event{event("one")}); err != nil {
			t.Fatal(err)
		}
		ids := map[string]bool{}
		copies := 0
		for number := range 4 {
			for _, r := range k.Read(t, results, number) {
				ids[kafkatest.Header(t, r.Headers, "ce_id")] = true
				copies++
			}
		}
		if copies < 2 || len(ids) != 1 {
			t.Fatalf("%d copies under %d ids", copies, len(ids))
		}
	})
}

func TestAMovedLeaderIsFollowed(t *testing.T) {
	setup(t, func(t *testing.T, k *kafkatest.Kafka, p *Producer) {
		if _, err := p.Results(context.Background(), events(8)); err != nil {
			t.Fatal(err)
		}
		node, _, err := k.AddNode(-1, 9999)
		if err != nil {
			t.Fatal(err)
		}
		for number := range int32(4) {
			if err := k.MoveTopicPartition(results, number, node); err != nil {
				t.Fatal(err)
			}
		}
		if acknowledged, err := p.Results(context.Background(), events(8)); err != nil || slices.Contains(acknowledged, false) {
			t.Fatal(acknowledged, err)
		}
	})
}

func TestOnePartitionThatFailsLeavesTheOthersAcknowledged(t *testing.T) {
	setup(t, func(t *testing.T, k *kafkatest.Kafka, p *Producer) {
		k.Fail(kmsg.Produce, results, kerr.PolicyViolation, -1, 2)
		list := events(40)
		acknowledged, err := p.Results(context.Background(), list)
		if err == nil {
			t.Fatal("no error though a partition failed")
		}
		found, missing := stored(t, k), 0
		for i, e := range list {
			if n := found[e.TradeNo]; (n == 1) != acknowledged[i] || n > 1 {
				t.Errorf("%s: acknowledged %v, stands %d times", e.TradeNo, acknowledged[i], n)
			}
			if !acknowledged[i] {
				missing++
			}
		}
		if missing == 0 || missing == len(list) {
			t.Fatalf("%d of %d missing: the test shows nothing", missing, len(list))
		}
		if !strings.Contains(err.Error(), fmt.Sprintf("%d of 40 messages not acknowledged", missing)) {
			t.Error(err)
		}
	})
}

func TestAHangingBrokerEndsWithTheContextAndNothingIsClaimed(t *testing.T) {
	setup(t, func(t *testing.T, k *kafkatest.Kafka, p *Producer) {
		k.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
			k.KeepControl()
			return nil, nil, true // no answer, ever
		})
		ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
		defer cancel()
		began := time.Now()
		acknowledged, err := p.Results(ctx, events(3))
		if !errors.Is(err, context.DeadlineExceeded) || slices.Contains(acknowledged, true) {
			t.Fatal(acknowledged, err)
		}
		if took := time.Since(began); took > 4*time.Second {
			t.Fatalf("took %v", took)
		}
		k.Cluster.Close() // so that Close need not wait for every try
	})
}

func TestNothingToPublishIsNoRequest(t *testing.T) {
	setup(t, func(t *testing.T, k *kafkatest.Kafka, p *Producer) {
		if acknowledged, err := p.Results(context.Background(), nil); len(acknowledged) != 0 || err != nil {
			t.Fatal(acknowledged, err)
		}
		if err := p.DeadLetters(context.Background(), nil); err != nil {
			t.Fatal(err)
		}
	})
}

func letter(value string) message.DeadLetter {
	return message.DeadLetter{
		Key: []byte("k"), Value: []byte(value), Code: message.Malformed, Reason: "the value is not JSON", Index: -1,
		Headers: []message.Header{{Key: "traceparent", Value: []byte("00-a-b-01")}, {Key: "x", Value: []byte{0, 255}}},
		Topic:   "payout.commands", Source: payout.Source{Partition: 3, Offset: 812},
	}
}

func TestADeadLetterKeepsItsOrigin(t *testing.T) {
	setup(t, func(t *testing.T, k *kafkatest.Kafka, p *Producer) {
		element := letter("two")
		element.Index, element.Code, element.Reason = 7, message.Conflict, "other content"
		if err := p.DeadLetters(context.Background(), []message.DeadLetter{letter("one"), element}); err != nil {
			t.Fatal(err)
		}
		got := k.Read(t, letters, 0)
		if len(got) != 2 {
			t.Fatalf("%d letters", len(got))
		}
		for i, want := range []map[string]string{
			{"error": "the value is not JSON", "error_code": "malformed", "index": ""},
			{"error": "other content", "error_code": "conflict", "index": "7"},
		} {
			want["source_topic"], want["source_partition"], want["source_offset"] = "payout.commands", "3", "812"
			want["traceparent"], want["x"] = "00-a-b-01", "\x00\xff"
			for key, value := range want {
				if have := kafkatest.Header(t, got[i].Headers, key); have != value {
					t.Errorf("letter %d: %s is %q, want %q", i, key, have, value)
				}
			}
			at, err := time.Parse(time.RFC3339, kafkatest.Header(t, got[i].Headers, "time"))
			if err != nil || time.Since(at) > time.Minute || at.Location() != time.UTC {
				t.Errorf("letter %d: time %v %v", i, at, err)
			}
			if string(got[i].Key) != "k" || string(got[i].Value) != []string{"one", "two"}[i] {
				t.Errorf("letter %d: %s %s", i, got[i].Key, got[i].Value)
			}
		}
	})
}

func TestADeadLetterWithoutKeyOrValueStaysSo(t *testing.T) {
	setup(t, func(t *testing.T, k *kafkatest.Kafka, p *Producer) {
		d := letter("")
		d.Key, d.Value, d.Headers = nil, nil, nil
		if err := p.DeadLetters(context.Background(), []message.DeadLetter{d}); err != nil {
			t.Fatal(err)
		}
		if r := k.Read(t, letters, 0)[0]; len(r.Key) != 0 || len(r.Value) != 0 || len(r.Headers) != 6 {
			t.Fatalf("%+v", r)
		}
	})
}

// A dead letter that can't be written would stop its partition for ever. Whatever size it has,
// it must fit a topic with the broker's default limit.
func TestEverySizeOfDeadLetterFits(t *testing.T) {
	header := func(size int) []message.Header {
		return []message.Header{{Key: "h", Value: bytes.Repeat([]byte("h"), size)}}
	}
	many := make([]message.Header, 150_000)
	for i := range many {
		many[i] = message.Header{Key: "h"}
	}
	cases := map[string]struct {
		key, value  int
		headers     []message.Header
		code        message.Code
		wantValue   int
		wantHeaders bool
	}{
		"1 MiB":                {1, 1 << 20, header(10), message.Malformed, message.CutTo[0], true},
		"as large as is whole": {1, deadLetterMax - 1 - 11 - headerOverhead, header(10), message.Malformed, deadLetterMax - 1 - 11 - headerOverhead, true},
		"one more":             {1, deadLetterMax - 11 - headerOverhead, header(10), message.Malformed, message.CutTo[0], true},
		"too large":            {1, 5 << 20, header(10), message.TooLarge, message.CutTo[0], true},
		"too many":             {1, 300_000, header(10), message.TooLarge, message.CutTo[0], true},
		"a large key":          {1 << 20, 100, header(10), message.Malformed, 100, true},
		"both large":           {1 << 20, 1 << 20, header(10), message.Malformed, message.CutTo[0], true},
		"large headers":        {1, 100, header(1 << 20), message.Malformed, 100, false},
		"many headers":         {1, 100, many, message.Malformed, 100, false},
		"half headers":         {1, 900_000, header(400_000), message.Malformed, message.CutTo[0], true},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			setup(t, func(t *testing.T, k *kafkatest.Kafka, p *Producer) {
				d := letter("")
				d.Key, d.Value, d.Headers, d.Code = bytes.Repeat([]byte("k"), c.key), bytes.Repeat([]byte("v"), c.value), c.headers, c.code
				if err := p.DeadLetters(context.Background(), []message.DeadLetter{d}); err != nil {
					t.Fatal(err)
				}
				got := k.Read(t, letters, 0)[0]
				if len(got.Value) != c.wantValue {
					t.Errorf("the value has %d bytes, want %d", len(got.Value), c.wantValue)
				}
				if kept := len(got.Headers) > 6; kept != c.wantHeaders {
					t.Errorf("headers kept: %v", kept)
				}
				if at := kafkatest.Header(t, got.Headers[len(got.Headers)-6:], "source_offset"); at != "812" {
					t.Errorf("source_offset %q", at)
				}
			})
		})
	}
}

func TestManyLargeDeadLettersGoInSeveralRequests(t *testing.T) {
	setup(t, func(t *testing.T, k *kafkatest.Kafka, p *Producer) {
		var list []message.DeadLetter
		for range 9 {
			list = append(list, letter(strings.Repeat("v", 400_000)))
		}
		if err := p.DeadLetters(context.Background(), list); err != nil {
			t.Fatal(err)
		}
		if n := len(k.Read(t, letters, 0)); n != 9 {
			t.Fatalf("%d letters", n)
		}
	})
}

func TestDeadLettersAreAllOrAnError(t *testing.T) {
	setup(t, func(t *testing.T, k *kafkatest.Kafka, p *Producer) {
		k.Fail(kmsg.Produce, letters, kerr.TopicAuthorizationFailed, -1)
		err := p.DeadLetters(context.Background(), []message.DeadLetter{letter("x"), letter("y")})
		if err == nil || !strings.Contains(err.Error(), kafka.TopicAuthorizationFailed.Title()) {
			t.Fatal(err)
		}
	})
}
