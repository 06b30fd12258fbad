package trial

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"

	"disburser/internal/partition"
	"disburser/payout"
)

// Topics are the names of the contract.
type Topics struct{ Commands, Results, Decisions, DeadLetter string }

// DefaultTopics are the contract's own.
var DefaultTopics = Topics{"payout.commands", "payout.results", "payout.decisions", "payout.dead-letter"}

// Publish writes lines as commands, keyed by what they are about, so that whatever is
// said of one tradeNo stays in order.
func Publish(ctx context.Context, brokers []string, transport kafka.RoundTripper, topic string, lines []string) error {
	w := &kafka.Writer{
		Addr: kafka.TCP(brokers...), Topic: topic, Transport: transport, Balancer: kafka.Murmur2Balancer{},
		RequiredAcks: kafka.RequireAll, BatchTimeout: 5 * time.Millisecond, MaxAttempts: 20,
	}
	defer func() { _ = w.Close() }()
	messages := make([]kafka.Message, len(lines))
	for i, line := range lines {
		messages[i] = kafka.Message{Key: keyOf(line), Value: []byte(line)}
	}
	if err := w.WriteMessages(ctx, messages...); err != nil {
		return fmt.Errorf("publish %d commands to %s: %w", len(lines), topic, err)
	}
	return nil
}

func keyOf(line string) []byte {
	var about struct {
		TradeNo string `json:"tradeNo"`
		BatchID string `json:"batchId"`
	}
	_ = json.Unmarshal([]byte(line), &about) // unreadable lines have no key
	if about.TradeNo != "" {
		return []byte(about.TradeNo)
	}
	return []byte(about.BatchID)
}

// Seen is one result event as it came.
type Seen struct {
	ID    string // ce_id
	Event payout.Event
}

// Watcher gathers results and dead letters from the beginning of their topics.
type Watcher struct {
	client *kafka.Client
	topics Topics

	mu      sync.Mutex
	results map[string][]Seen // by tradeNo, in the order of arrival
	finals  int               // tradeNos with a final event
	letters []kafka.Message
}

// NewWatcher makes a watcher; Run starts it.
func NewWatcher(client *kafka.Client, topics Topics) *Watcher {
	return &Watcher{client: client, topics: topics, results: map[string][]Seen{}}
}

// Run watches until ctx ends.
func (w *Watcher) Run(ctx context.Context) {
	var group sync.WaitGroup
	for topic, take := range map[string]func(partition.Record){w.topics.Results: w.result, w.topics.DeadLetter: w.letter} {
		n := 0
		for ctx.Err() == nil && n == 0 {
			if n, _ = partition.Count(ctx, w.client, topic); n == 0 { // not there yet
				time.Sleep(50 * time.Millisecond)
			}
		}
		for p := range n {
			group.Go(func() { w.follow(ctx, partition.Source{Client: w.client, Topic: topic, Partition: p}, take) })
		}
	}
	group.Wait()
}

func (w *Watcher) follow(ctx context.Context, source partition.Source, take func(partition.Record)) {
	next := int64(0)
	for ctx.Err() == nil {
		page, err := source.Fetch(ctx, next, 100*time.Millisecond)
		if err != nil {
			time.Sleep(50 * time.Millisecond)
			continue
		}
		for _, r := range page.Records {
			take(r)
		}
		next = page.Next
	}
}

func (w *Watcher) result(r partition.Record) {
	var e payout.Event
	if err := json.Unmarshal(r.Value, &e); err != nil {
		e.TradeNo = "unreadable result: " + err.Error()
	}
	s := Seen{Event: e}
	for _, h := range r.Headers {
		if h.Key == "ce_id" {
			s.ID = string(h.Value)
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	before := len(finalsOf(w.results[e.TradeNo]))
	w.results[e.TradeNo] = append(w.results[e.TradeNo], s)
	if before == 0 && len(finalsOf(w.results[e.TradeNo])) > 0 {
		w.finals++
	}
}

func (w *Watcher) letter(r partition.Record) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.letters = append(w.letters, kafka.Message{Key: r.Key, Value: r.Value, Headers: r.Headers})
}

// Progress counts the tradeNos with a final event and the dead letters so far.
func (w *Watcher) Progress() (finals, letters int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.finals, len(w.letters)
}

// finalsOf are the distinct final events among what was seen of one tradeNo.
func finalsOf(seen []Seen) []Seen {
	var finals []Seen
	ids := map[string]bool{}
	for _, s := range seen {
		if s.Event.Type != payout.EventHeld && !ids[s.ID] {
			ids[s.ID] = true
			finals = append(finals, s)
		}
	}
	return finals
}
