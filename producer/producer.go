// Package producer promises that what it says is published is acknowledged by all
// replicas: result events as CloudEvents under ids that every repeat shares, and dead
// letters with their origin. An error means "may or may not be there"; publishing again
// is safe for results, because downstream tells repeats by ce_id.
package producer

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/segmentio/kafka-go"

	"disburser/message"
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

	// reasonKept is what is kept of a reason where there is room for hardly anything.
	reasonKept = 100

	// headerOverhead is what a header takes besides its text, at most; messageOverhead what
	// a message takes besides key, value and headers.
	headerOverhead  = 10
	messageOverhead = 100
)

// writer is what the package needs of a kafka.Writer.
type writer interface {
	WriteMessages(ctx context.Context, messages ...kafka.Message) error
	Close() error
}

// Producer publishes results, dead letters, and again what has been open for long. It is safe for concurrent use.
type Producer struct {
	results, deadLetters, commands *topic
}

// New makes a producer. The transport is the caller's to close.
func New(brokers []string, transport kafka.RoundTripper, results, deadLetters, commands string) *Producer {
	open := func(name string) *topic {
		return newTopic(name, func(batchBytes, batchSize int) writer {
			return &kafka.Writer{
				Addr: kafka.TCP(brokers...), Topic: name, Transport: transport,
				Balancer:     kafka.Murmur2Balancer{Consistent: true}, // as Java's, so that a tradeNo stays in its partition
				RequiredAcks: kafka.RequireAll, MaxAttempts: attempts, // the zero value would be fire and forget
				BatchTimeout: batchTimeout, BatchSize: batchSize, BatchBytes: int64(batchBytes), WriteTimeout: writeTimeout, ReadTimeout: writeTimeout,
				WriteBackoffMin: 50 * time.Millisecond, WriteBackoffMax: 500 * time.Millisecond,
			}
		})
	}
	return &Producer{results: open(results), deadLetters: open(deadLetters), commands: open(commands)}
}

// Close waits for what is being written.
func (p *Producer) Close() error {
	return errors.Join(p.results.close(), p.deadLetters.close(), p.commands.close())
}

// Results publishes events and answers for each whether it is acknowledged; err says
// why some are not.
func (p *Producer) Results(ctx context.Context, events []message.Event) (acknowledged []bool, err error) {
	messages := make([]kafka.Message, len(events))
	for i, e := range events {
		m, err := message.EncodeEvent(e)
		if err != nil {
			return make([]bool, len(events)), fmt.Errorf("producer: %w", err)
		}
		messages[i] = kafkaMessage(m)
	}
	published, err := p.results.publish(ctx, messages)
	return published.acknowledged, err
}

// DeadLetters publishes all of them or answers an error; only after nil may the offset
// of their source move on.
func (p *Producer) DeadLetters(ctx context.Context, letters []message.DeadLetter) error {
	now := time.Now()
	for cut := 0; ; cut++ {
		messages := make([]kafka.Message, len(letters))
		for i, d := range letters {
			d.Time = now
			messages[i] = kafkaMessage(message.EncodeDeadLetter(fitting(d, cuts[cut])))
		}
		published, err := p.deadLetters.publish(ctx, messages)
		if len(published.oversize) == 0 || len(published.waiting) > 0 || cut+1 == len(cuts) {
			return namedBySource(err, published.oversize, letters)
		}
		var left []message.DeadLetter // what is too large is cut once more
		for _, at := range published.oversize {
			left = append(left, letters[at])
		}
		letters = left
	}
}

// namedBySource names dead letters that no topic takes by where they stand in the commands:
// their keys are somebody else's, and may be people's data.
func namedBySource(err error, oversize []int, letters []message.DeadLetter) error {
	var e *message.OversizeError
	if !errors.As(err, &e) {
		return err
	}
	for i, at := range oversize {
		e.Keys[i] = fmt.Sprintf("the dead letter of partition %d, offset %d", letters[at].Source.Partition, letters[at].Source.Offset)
	}
	return fmt.Errorf("producer: %w", e)
}

// cut says how large a dead letter may be, and what is kept of a larger one's value and key.
type cut struct{ most, kept int }

// cuts are what is tried, one after the other: the topic may take less than a broker does
// by default. A dead letter that can't be written would stop its partition for ever.
var cuts = []cut{{deadLetterMax, deadLetterCut}, {100_000, 30_000}, {10_000, 3000}, {1000, 300}, {0, 0}}

// fitting cuts what a broker would refuse: our headers come on top of a message that
// may already have been as large as the topic takes, and a dead letter that can't be
// written would stop its partition for ever. The source offset tells where all of it is.
func fitting(d message.DeadLetter, c cut) message.DeadLetter {
	headers := 0
	for _, h := range d.Headers {
		headers += len(h.Key) + len(h.Value) + headerOverhead
	}
	if headers > c.most/2 { // no client of ours writes such; the value says more
		d.Headers, headers = nil, 0
	}
	if d.Code == message.TooLarge || len(d.Key)+len(d.Value)+headers > c.most {
		d.Value = d.Value[:min(len(d.Value), c.kept)]
	}
	if len(d.Key)+len(d.Value)+headers > c.most {
		d.Key = d.Key[:min(len(d.Key), c.kept)]
	}
	if most := max(c.most/2, reasonKept); len(d.Reason) > most {
		d.Reason = strings.ToValidUTF8(d.Reason[:most], "")
	}
	return d
}

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
