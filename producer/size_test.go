package producer

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kmsg"

	"disburser/internal/kafkatest"
	"disburser/message"
	"disburser/payout"
	"disburser/payout/money"
)

// takes says how much a topic takes in one record batch.
func takes(t *testing.T, k *kafkatest.Kafka, name string, bytes int) {
	t.Helper()
	res, err := k.Client.AlterConfigs(context.Background(), &kafka.AlterConfigsRequest{Resources: []kafka.AlterConfigRequestResource{{
		ResourceType: kafka.ResourceTypeTopic, ResourceName: name, Configs: []kafka.AlterConfigRequestConfig{{Name: "max.message.bytes", Value: strconv.Itoa(bytes)}},
	}}})
	if err != nil || len(res.Errors) != 1 {
		t.Fatal(err, res)
	}
}

// Each result that fits alone is published, whatever the topic takes, and whatever is
// published with it; each that doesn't is named.
func TestResultsOfEverySizeInTopicsOfEverySize(t *testing.T) {
	for _, limit := range []int{1500, 3000, 10_000, 100_000, 1_048_588} {
		t.Run(fmt.Sprint(limit), func(t *testing.T) {
			setup(t, func(t *testing.T, k *kafkatest.Kafka, p *Producer) {
				takes(t, k, results, limit)
				list := events(600)
				for i := range list {
					list[i].Reason = strings.Repeat("r", rand.N(min(limit/2, 20_000)))
				}
				large := 0
				for i := 50; i < 600 && limit < 1_000_000; i += 50 {
					list[i].Reason, large = strings.Repeat("r", limit), large+1
				}
				acknowledged, err := p.Results(context.Background(), list)
				var oversize *message.OversizeError
				if (large > 0) != errors.As(err, &oversize) || large == 0 && err != nil {
					t.Fatal(err)
				}
				found := stored(t, k)
				for i, e := range list {
					fits := len(e.Reason) < limit || large == 0
					if acknowledged[i] != fits || found[e.TradeNo] != map[bool]int{true: 1}[fits] {
						t.Errorf("%s with %d bytes of reason: acknowledged %v, stands %d times", e.TradeNo, len(e.Reason), acknowledged[i], found[e.TradeNo])
					}
					if large > 0 && slices.Contains(oversize.Keys, e.TradeNo) == fits {
						t.Errorf("%s: named %v", e.TradeNo, !fits)
					}
				}
			})
		})
	}
}

// What the topic took last is remembered for a while, and then more is offered again.
func TestATopicIsOfferedMoreAgain(t *testing.T) {
	setup(t, func(t *testing.T, k *kafkatest.Kafka, p *Producer) {
		requests := 0
		k.Observe(kmsg.Produce, func(kmsg.Request) { requests++ })
		cost := func() int {
			before := requests
			if _, err := p.Results(context.Background(), events(400)); err != nil {
				t.Fatal(err)
			}
			return requests - before
		}
		plenty := cost()
		takes(t, k, results, 20_000)
		cost()
		less := cost()
		takes(t, k, results, 1_048_588)
		still := cost()
		time.Sleep(forgetLimit + time.Second)
		again := cost()
		if less <= plenty || still != less || again != plenty {
			t.Errorf("%d requests with plenty of room, %d with little, %d right after, %d later", plenty, less, still, again)
		}
	})
}

// A dead letter is cut until the topic takes it, and holds up no partition.
func TestDeadLettersOfEverySizeInTopicsOfEverySize(t *testing.T) {
	for _, limit := range []int{1000, 3000, 100_000, 1_048_588} {
		t.Run(fmt.Sprint(limit), func(t *testing.T) {
			setup(t, func(t *testing.T, k *kafkatest.Kafka, p *Producer) {
				takes(t, k, letters, limit)
				var list []message.DeadLetter
				for n := range 60 {
					d := letter(strings.Repeat("v", rand.N(1<<20)))
					if n%3 == 0 {
						d.Value = []byte("small")
					}
					if n%5 == 0 {
						d.Key, d.Reason = []byte(strings.Repeat("k", rand.N(1<<18))), strings.Repeat("é", rand.N(100_000))
					}
					d.Source.Offset = int64(n)
					list = append(list, d)
				}
				if err := p.DeadLetters(context.Background(), list); err != nil {
					t.Fatal(err)
				}
				seen := map[string]bool{}
				for _, r := range k.Read(t, letters, 0) {
					at := kafkatest.Header(t, r.Headers, "source_offset")
					if seen[at] {
						t.Errorf("%s stands twice", at)
					}
					seen[at] = true
					n, _ := strconv.Atoi(at)
					if !strings.HasPrefix(string(list[n].Value), string(r.Value)) || !strings.HasPrefix(string(list[n].Key), string(r.Key)) || kafkatest.Header(t, r.Headers, "error_code") == "" {
						t.Errorf("%s is no beginning of what it was", at)
					}
					if n%3 == 0 && n%5 != 0 && string(r.Value) != "small" {
						t.Errorf("%s is cut though it fits", at)
					}
				}
				if len(seen) != len(list) {
					t.Errorf("%d of %d", len(seen), len(list))
				}
			})
		})
	}
}

// A command that doesn't fit any more when it is carried is named, and the others go.
func TestCarriedCommandsOfEverySize(t *testing.T) {
	setup(t, func(t *testing.T, k *kafkatest.Kafka, p *Producer) {
		const commands = "payout.commands"
		if err := k.CreateTopic(commands, 2, map[string]string{"max.message.bytes": "20000"}); err != nil {
			t.Fatal(err)
		}
		var open []payout.Payout
		for n := range 200 {
			a, _ := money.Parse("300")
			remark := strings.Repeat("<", rand.N(15_000))
			if n == 77 {
				remark = strings.Repeat("<", 1_500_000)
			}
			open = append(open, payout.Begin(payout.Command{TradeNo: fmt.Sprint("t", n), Merchant: "eg-main", Amount: a, Remark: remark}, "egypt", payout.Source{}, "", time.Now()))
		}
		err := p.Carry(context.Background(), open)
		var oversize *message.OversizeError
		if !errors.As(err, &oversize) || !slices.Equal(oversize.Keys, []string{"t77"}) || strings.Contains(err.Error(), "<<") {
			t.Errorf("%v", err)
		}
		n := 0
		for partition := range 2 {
			n += len(k.Read(t, commands, partition))
		}
		if n != 199 {
			t.Errorf("%d are carried", n)
		}
	})
}

// A dead letter's key is somebody else's: where it stands in the commands names it.
func TestADeadLetterIsNamedByItsSource(t *testing.T) {
	e := &message.OversizeError{Topic: "payout.commands.dead", Keys: []string{"Kevin Quatermain", "01123456789"}, Bytes: []int{1, 2}}
	list := make([]message.DeadLetter, 3)
	for i := range list {
		list[i].Source = payout.Source{Partition: 4, Offset: int64(10 + i)}
	}
	got := namedBySource(fmt.Errorf("producer: %w", e), []int{0, 2}, list)
	if text := got.Error(); strings.Contains(text, "Kevin") || strings.Contains(text, "0112") || !strings.Contains(text, "partition 4, offset 10") || !strings.Contains(text, "partition 4, offset 12") {
		t.Error(text)
	}
	if namedBySource(nil, nil, list) != nil {
		t.Error("an error out of nothing")
	}
}
