package trial

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/segmentio/kafka-go"

	"disburser/message"
)

// largestBatch is above any line: the library refuses what is larger than its batch.
const largestBatch = 16 << 20

// Publish writes lines as commands, keyed by what they are about, so that whatever is
// said of one tradeNo stays in order.
func Publish(ctx context.Context, brokers []string, transport kafka.RoundTripper, topic string, lines []string) error {
	return publish(ctx, brokers, transport, topic, lines, nil)
}

// LineHeader is the header in which PublishNumbered says where a command comes from. A
// dead letter keeps it.
const LineHeader = "line"

// PublishNumbered is Publish for lines of a file, of which numbers has the places.
func PublishNumbered(ctx context.Context, brokers []string, transport kafka.RoundTripper, topic string, lines []string, numbers []int) error {
	return publish(ctx, brokers, transport, topic, lines, numbers)
}

func publish(ctx context.Context, brokers []string, transport kafka.RoundTripper, topic string, lines []string, numbers []int) error {
	w := &kafka.Writer{
		Addr: kafka.TCP(brokers...), Topic: topic, Transport: transport, Balancer: kafka.Murmur2Balancer{},
		RequiredAcks: kafka.RequireAll, BatchTimeout: 5 * time.Millisecond, BatchBytes: largestBatch, MaxAttempts: 20,
	}
	defer func() { _ = w.Close() }()
	messages := make([]kafka.Message, len(lines))
	for i, key := range keys(lines) {
		messages[i] = kafka.Message{Key: []byte(key), Value: []byte(lines[i])}
		if i < len(numbers) {
			messages[i].Headers = []kafka.Header{{Key: LineHeader, Value: []byte(strconv.Itoa(numbers[i]))}}
		}
	}
	if err := w.WriteMessages(ctx, messages...); err != nil {
		return fmt.Errorf("publish %d commands to %s: %w", len(lines), topic, err)
	}
	return nil
}

// keys gives each line a key: its tradeNo. Lines that have tradeNos in common, because a bulk
// repeats a payout, all get the same key. Unreadable lines have a batchId or nothing.
func keys(lines []string) []string {
	same, about := groups{}, make([]string, len(lines))
	for i, line := range lines {
		orders, _ := message.Decode([]byte(line)) // unreadable: none
		for _, o := range orders {
			if o.Unreadable == nil {
				about[i] = same.join(about[i], o.Command.TradeNo)
			}
		}
	}
	for i, line := range lines {
		about[i] = same.root(about[i])
		if about[i] == "" {
			about[i] = batchOf(line)
		}
	}
	return about
}

// groups leads each tradeNo to another one of its group, or nowhere from a group's root.
type groups map[string]string

func (g groups) root(t string) string {
	for g[t] != "" {
		t = g[t]
	}
	return t
}

// join puts b into the group of a, if there is one, and answers the group's root.
func (g groups) join(a, b string) string {
	a, b = g.root(a), g.root(b)
	if a == "" || a == b {
		return b
	}
	g[b] = a
	return a
}

func batchOf(line string) string {
	var about struct {
		BatchID string `json:"batchId"`
	}
	_ = json.Unmarshal([]byte(line), &about) // unreadable lines have no key
	return about.BatchID
}
