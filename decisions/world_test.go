package decisions

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kmsg"

	"disburser/internal/embedded"
	"disburser/internal/kafkatest"
	"disburser/message"
	"disburser/payout"
	"disburser/payout/epochs"
	"disburser/payout/intake"
	"disburser/payout/leases"
)

var background = context.Background()

// place gives commands their offsets, 0 first.
func place(list []payout.Payout) []intake.Entry {
	entries := make([]intake.Entry, len(list))
	for i, p := range list {
		p.Source = payout.Source{Offset: int64(i), Time: time.Now()}
		entries[i] = intake.Entry{Payout: p}
	}
	return entries
}

// takeIn inserts commands as they stand in the topic, from offset 0 on.
func (i *instance) takeIn(t *testing.T, tradeNos ...string) string {
	t.Helper()
	if _, err := i.journal.Position(background, 0, 0, false); err != nil {
		t.Fatal(err)
	}
	outcomes, _, err := i.journal.Insert(background, intake.Range{To: int64(len(tradeNos))}, place(some(tradeNos...)))
	if err != nil {
		t.Fatal(err)
	}
	letters := ""
	for _, o := range outcomes {
		letters += string(o)
	}
	return letters
}

func (i *instance) lease(t *testing.T, step payout.Step, n int) leases.Leased {
	t.Helper()
	merchant := "eg-main"
	if step == payout.StepAnnounce || step == payout.StepReview {
		merchant = ""
	}
	b, err := i.journal.Lease(background, leases.Request{Step: step, Merchant: merchant, N: n, For: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// decides leases n payouts to be sent and has that acknowledged.
func (i *instance) decides(t *testing.T, n int) leases.Leased {
	t.Helper()
	b := i.lease(t, payout.StepSend, n)
	if len(b.Payouts) != n {
		t.Fatalf("leased %s to be sent, want %d", names(b), n)
	}
	if err := i.Log.Send(background, b.Epoch, b.Payouts); err != nil {
		t.Fatal(err)
	}
	return b
}

// due answers what is leased for a step now.
func (i *instance) due(t *testing.T, step payout.Step) string {
	t.Helper()
	return names(i.lease(t, step, 100))
}

func names(b leases.Leased) string {
	var list []string
	for _, p := range b.Payouts {
		list = append(list, p.TradeNo)
	}
	return strings.Join(list, " ")
}

// announces writes a final event, as the producer does.
func announces(t *testing.T, k *kafkatest.Kafka, partition int, kind message.EventType, tradeNos ...string) {
	t.Helper()
	var records []kafka.Record
	for _, p := range some(tradeNos...) {
		value, err := json.Marshal(message.Event{Type: kind, TradeNo: p.TradeNo, Merchant: p.Merchant})
		if err != nil {
			t.Fatal(err)
		}
		records = append(records, kafkatest.Record(p.TradeNo, string(value), kafka.Header{Key: "fingerprint", Value: []byte(p.Fingerprint)}))
	}
	k.Write(t, results, partition, records...)
}

// decision writes one as another instance would have.
func decision(t *testing.T, k *kafkatest.Kafka, partition int, kind message.DecisionKind, epoch string, tradeNos ...string) int64 {
	t.Helper()
	list := some(tradeNos...)
	for n := range list {
		list[n].State, list[n].Reason = payout.StateRejected, "because"
	}
	r := message.DecisionOf(kind, list)
	r.Instance, r.Epoch, r.Time = "other", epochs.Epoch{Number: 1, ID: epoch}, time.Now()
	value, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	return write(t, k, partition, string(value))
}

// eventually waits for something in virtual time.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for range 6000 {
		if is() {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatalf("never: %s", what)
}

// next waits until the keeper is in another epoch.
func (i *instance) next(t *testing.T, before epochs.Epoch) (e epochs.Epoch) {
	t.Helper()
	eventually(t, "another epoch", func() bool { e = i.current(); return e.ID != "" && e != before })
	return e
}

// marked waits until the watermarks have been moved.
func marked() { time.Sleep(markEvery + time.Second) }

// image is all that a Redis holds.
type image map[string]any

// imageOf and load stand for what a Redis has saved, and for its restart from that.
func imageOf(t *testing.T, client *redis.Client) image {
	t.Helper()
	all := image{}
	for _, key := range client.Keys(background, "*").Val() {
		switch client.Type(background, key).Val() {
		case "string":
			all[key] = client.Get(background, key).Val()
		case "hash":
			all[key] = client.HGetAll(background, key).Val()
		case "zset":
			all[key] = client.ZRangeWithScores(background, key, 0, -1).Val()
		case "set":
			all[key] = client.SMembers(background, key).Val()
		case "list": // of leases: lost with their owners
		default:
			t.Fatalf("%s is something else", key)
		}
	}
	return all
}

func (all image) load(t *testing.T, r *embedded.Redis, client *redis.Client) {
	t.Helper()
	r.FlushAll()
	for key, value := range all {
		var err error
		switch v := value.(type) {
		case string:
			err = client.Set(background, key, v, 0).Err()
		case map[string]string:
			err = client.HSet(background, key, v).Err()
		case []redis.Z:
			err = client.ZAdd(background, key, v...).Err()
		case []string:
			err = client.SAdd(background, key, v).Err()
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	r.Restarted()
}

// reads notes the first offset that was fetched of each partition.
type reads struct {
	mu    sync.Mutex
	first map[string]int64
}

func watchReads(k *kafkatest.Kafka) *reads {
	r := &reads{first: map[string]int64{}}
	k.Observe(kmsg.Fetch, func(request kmsg.Request) {
		r.mu.Lock()
		defer r.mu.Unlock()
		for _, in := range request.(*kmsg.FetchRequest).Topics {
			for _, p := range in.Partitions {
				if p.PartitionMaxBytes == 1 { // only looks whether a record is still there
					continue
				}
				key := fmt.Sprintf("%s/%d", in.Topic, p.Partition)
				if first, found := r.first[key]; !found || p.FetchOffset < first {
					r.first[key] = p.FetchOffset
				}
			}
		}
	})
	return r
}

func (r *reads) of(topic string, partition int) int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	if first, found := r.first[fmt.Sprintf("%s/%d", topic, partition)]; found {
		return first
	}
	return -1
}

// fences counts those in a partition.
func fences(t *testing.T, k *kafkatest.Kafka, partition int) int {
	t.Helper()
	return strings.Count(fmt.Sprint(kinds(t, k, partition)), "fence")
}
