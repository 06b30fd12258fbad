// Package producer promises that what it says is published is acknowledged by all
// replicas: result events as CloudEvents under ids that every repeat shares, and dead
// letters with their origin. An error means "may or may not be there"; publishing again
// is safe for results, because downstream tells repeats by ce_id.
package producer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/segmentio/kafka-go"

	"disburser/payout"
)

const (
	// batchTimeout is how long a message waits for company: the library's default of a
	// second would be a second of every payout's latency.
	batchTimeout = 5 * time.Millisecond
	batchSize    = 500

	// writeTimeout bounds one try of the writer, attempts the tries of its own.
	writeTimeout = 5 * time.Second
	attempts     = 10

	// tries and pause are those of the loop around the writer, which gives up on some
	// errors that pass by themselves ("no leader" during an election, a plain EOF).
	tries = 5
	pause = 200 * time.Millisecond

	// deadLetterMax is the size up to which a dead letter is written whole: the broker's
	// default limit of a million bytes, less room for our headers. deadLetterCut is what
	// is kept of a larger one.
	deadLetterMax = 1_000_000
	deadLetterCut = 64 << 10

	// headerOverhead is what a header takes besides its text, at most.
	headerOverhead = 10
)

// writer is what the package needs of a kafka.Writer.
type writer interface {
	WriteMessages(ctx context.Context, messages ...kafka.Message) error
	Close() error
}

// Producer publishes results, dead letters, and again what has been open for long. It is safe for concurrent use.
type Producer struct {
	results, deadLetters, commands writer
}

// New makes a producer. The transport is the caller's to close.
func New(brokers []string, transport kafka.RoundTripper, results, deadLetters, commands string) *Producer {
	open := func(topic string) *kafka.Writer {
		return &kafka.Writer{
			Addr: kafka.TCP(brokers...), Topic: topic, Transport: transport,
			Balancer:     kafka.Murmur2Balancer{Consistent: true}, // as Java's, so that a tradeNo stays in its partition
			RequiredAcks: kafka.RequireAll, MaxAttempts: attempts, // the zero value would be fire and forget
			BatchTimeout: batchTimeout, BatchSize: batchSize, BatchBytes: deadLetterMax + 40_000, WriteTimeout: writeTimeout, ReadTimeout: writeTimeout,
			WriteBackoffMin: 50 * time.Millisecond, WriteBackoffMax: 500 * time.Millisecond,
		}
	}
	return &Producer{results: open(results), deadLetters: open(deadLetters), commands: open(commands)}
}

// Close waits for what is being written.
func (p *Producer) Close() error {
	return errors.Join(p.results.Close(), p.deadLetters.Close(), p.commands.Close())
}

// Results publishes events and answers for each whether it is acknowledged; err says
// why some are not.
func (p *Producer) Results(ctx context.Context, events []payout.Event) (acknowledged []bool, err error) {
	messages := make([]kafka.Message, len(events))
	for i, e := range events {
		m, err := resultMessage(e)
		if err != nil {
			return make([]bool, len(events)), fmt.Errorf("producer: encode the result of %s: %w", e.TradeNo, err)
		}
		messages[i] = m
	}
	return publish(ctx, p.results, messages)
}

func resultMessage(e payout.Event) (kafka.Message, error) {
	value, err := json.Marshal(e)
	headers := []kafka.Header{
		header("ce_specversion", "1.0"),
		header("ce_id", e.EventID),
		header("ce_source", source(e.Merchant)),
		header("ce_type", string(e.Type)),
		header("ce_subject", e.TradeNo),
		header("ce_time", e.Time.UTC().Format(time.RFC3339Nano)),
		header("content-type", "application/json"),
		header("fingerprint", string(e.Fingerprint)),
	}
	if e.Trace.Parent != "" {
		headers = append(headers, header("traceparent", e.Trace.Parent))
	}
	if e.Trace.State != "" {
		headers = append(headers, header("tracestate", e.Trace.State))
	}
	return kafka.Message{Key: []byte(e.TradeNo), Value: value, Headers: headers}, err
}

// source is the URI-reference of a merchant. Its name may be anything that a command said:
// what has no place in a path is percent-encoded.
func source(merchant string) string {
	name := url.PathEscape(merchant)
	if name == "." || name == ".." { // who resolves a reference would take them for a folder
		name = strings.ReplaceAll(name, ".", "%2E")
	}
	return "/disburser/" + name
}

// DeadLetters publishes all of them or answers an error; only after nil may the offset
// of their source move on.
func (p *Producer) DeadLetters(ctx context.Context, letters []payout.DeadLetter) error {
	messages := make([]kafka.Message, len(letters))
	now := time.Now().UTC().Format(time.RFC3339Nano)
	for i, d := range letters {
		messages[i] = deadLetterMessage(d, now)
	}
	_, err := publish(ctx, p.deadLetters, messages)
	return err
}

func deadLetterMessage(d payout.DeadLetter, now string) kafka.Message {
	d = fitting(d)
	headers := make([]kafka.Header, 0, len(d.Headers)+7)
	for _, h := range d.Headers {
		headers = append(headers, kafka.Header{Key: h.Key, Value: h.Value})
	}
	headers = append(headers,
		header("error", d.Reason), header("error_code", string(d.Code)),
		header("source_topic", d.Topic), header("source_partition", strconv.Itoa(d.Source.Partition)),
		header("source_offset", strconv.FormatInt(d.Source.Offset, 10)), header("time", now))
	if d.Index >= 0 {
		headers = append(headers, header("index", strconv.Itoa(d.Index)))
	}
	return kafka.Message{Key: d.Key, Value: d.Value, Headers: headers}
}

// fitting cuts what a broker would refuse: our headers come on top of a message that
// may already have been as large as the topic takes, and a dead letter that can't be
// written would stop its partition for ever. The source offset tells where all of it is.
func fitting(d payout.DeadLetter) payout.DeadLetter {
	headers := 0
	for _, h := range d.Headers {
		headers += len(h.Key) + len(h.Value) + headerOverhead
	}
	if headers > deadLetterMax/2 { // no client of ours writes such; the value says more
		d.Headers, headers = nil, 0
	}
	if d.Code == payout.TooLarge || len(d.Key)+len(d.Value)+headers > deadLetterMax {
		d.Value = d.Value[:min(len(d.Value), deadLetterCut)]
	}
	if len(d.Key)+len(d.Value)+headers > deadLetterMax {
		d.Key = d.Key[:min(len(d.Key), deadLetterCut)]
	}
	return d
}

// publish writes messages and writes again those that are not acknowledged, a bounded
// number of times.
func publish(ctx context.Context, w writer, messages []kafka.Message) ([]bool, error) {
	acknowledged := make([]bool, len(messages))
	waiting := make([]int, len(messages))
	for i := range waiting {
		waiting[i] = i
	}
	var err error
	for try := 1; len(waiting) > 0; try++ {
		batch := make([]kafka.Message, len(waiting))
		for i, at := range waiting {
			batch[i] = messages[at]
		}
		err = w.WriteMessages(ctx, batch...)
		waiting = unacknowledged(err, waiting, acknowledged)
		if len(waiting) == 0 {
			return acknowledged, nil
		}
		if try == tries || !sleep(ctx, time.Duration(try)*pause) {
			return acknowledged, fmt.Errorf("producer: %d of %d messages not acknowledged after %d tries: %w", len(waiting), len(messages), try, err)
		}
	}
	return acknowledged, nil
}

// unacknowledged marks what a write acknowledged and answers what is left. Only
// WriteErrors tell messages apart; any other error is about all of them.
func unacknowledged(err error, waiting []int, acknowledged []bool) []int {
	var each kafka.WriteErrors
	if err != nil && !errors.As(err, &each) {
		return waiting
	}
	var left []int
	for i, at := range waiting {
		if err == nil || i < len(each) && each[i] == nil {
			acknowledged[at] = true
		} else {
			left = append(left, at)
		}
	}
	return left
}

func header(key, value string) kafka.Header { return kafka.Header{Key: key, Value: []byte(value)} }

// sleep pauses and tells whether ctx let it.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
