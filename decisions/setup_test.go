package decisions

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/goleak"

	"disburser/internal/kafkatest"
	"disburser/payout"
	"disburser/payout/epochs"
	"disburser/payout/money"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const topic, results = "payout.decisions", "payout.results"

var seventh = epochs.Epoch{Number: 7, ID: "seven"}

// inTime runs a test in virtual time on a Kafka with three partitions of decisions.
func inTime(t *testing.T, test func(t *testing.T, k *kafkatest.Kafka)) {
	synctest.Test(t, func(t *testing.T) { test(t, kafkatest.Start(t, map[string]int{topic: 3, results: 2})) })
}

// startLog runs a log of shard 0.
func startLog(t *testing.T, k *kafkatest.Kafka, instance string) *Log {
	l := NewLog(k.Client, topic, instance, 0)
	running(t, l.Run)
	return l
}

// running runs something until the test ends.
func running(t *testing.T, run func(ctx context.Context)) {
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() { run(ctx) })
	t.Cleanup(func() { cancel(); done.Wait() })
}

// joined runs a log that is in the seventh epoch and decides in partition 1.
func joined(t *testing.T, k *kafkatest.Kafka, instance string) *Log {
	t.Helper()
	l := startLog(t, k, instance)
	l.enter(seventh, map[int]int64{1: write(t, k, 1, fenceOf(seventh.ID, 0)) + 1})
	return l
}

func fenceOf(id string, shard int) string {
	return fmt.Sprintf(`{"kind":"fence","instance":"other","seq":0,"shard":%d,"epoch":{"number":8,"id":%q},"time":"2026-11-21T10:30:00Z"}`, shard, id)
}

func sendOf(id string) string {
	return fmt.Sprintf(`{"kind":"send","instance":"other","seq":3,"shard":0,"epoch":{"number":8,"id":%q},"time":"2026-11-21T10:30:00Z","tradeNos":["x"]}`, id)
}

func write(t *testing.T, k *kafkatest.Kafka, partition int, value string) int64 {
	t.Helper()
	return k.Write(t, topic, partition, kafkatest.Record("other", value))
}

func some(tradeNos ...string) (list []payout.Payout) {
	for _, tradeNo := range tradeNos {
		a, _ := money.Parse("300")
		list = append(list, payout.Begin(payout.Command{TradeNo: tradeNo, Merchant: "eg-main", Amount: a}, "egypt", payout.Source{}, "", time.Now()))
	}
	return list
}

// values are those of the records of a partition that hold a text.
func values(t *testing.T, k *kafkatest.Kafka, partition int, holding string) (list []string) {
	t.Helper()
	for _, r := range k.Read(t, topic, partition) {
		if strings.Contains(string(r.Value), holding) {
			list = append(list, string(r.Value))
		}
	}
	return list
}

// counter counts requests of a kind.
type counter struct {
	mu sync.Mutex
	n  int
}

func count(k *kafkatest.Kafka, key kmsg.Key) *counter {
	c := &counter{}
	k.Observe(key, func(kmsg.Request) { c.mu.Lock(); c.n++; c.mu.Unlock() })
	return c
}

func (c *counter) value() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.n
}
