// Package producer promises that what it calls published is acknowledged by all in-sync replicas. An
// error means that a message may stand in the topic or not. To publish it again is safe. A result has
// the same ce_id each time, a dead letter the same source, a carried command a known tradeNo.
//
// What stands in the messages is package message's to say. This one writes them, in record batches
// that their topic takes, and cuts dead letters that are too large (topic.go, fitting).
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
	// linger is how long the writer collects messages for a record batch: not at all. Who publishes brings what belongs
	// together, and the writer takes all of it before it looks at the time. Zero would mean the library's default, a second.
	linger = time.Microsecond

	// mostTogether is how many messages a record batch has at most.
	mostTogether = 500

	// writeTimeout bounds one attempt of the writer, writerAttempts is how many it makes by itself.
	writeTimeout   = 5 * time.Second
	writerAttempts = 10

	// The writer gives up on some errors that pass by themselves ("no leader" during an election,
	// a plain EOF). So it is called this often, with a pause that grows by retryPause each time.
	tries      = 5
	retryPause = 200 * time.Millisecond

	// deadLetterMax is the size up to which a dead letter is written whole. It is the broker's default
	// limit of a million bytes, with some room for our headers. Of a larger one message.CutTo[0] bytes
	// are written.
	deadLetterMax = 1_000_000

	// reasonMin is how much of a reason is written at least, in bytes, however little room there is.
	reasonMin = 100

	// A header takes headerOverhead bytes at most besides its text. A message takes messageOverhead
	// bytes at most besides key, value and headers.
	headerOverhead  = 10
	messageOverhead = 100
)

// writer is what the package needs of a kafka.Writer.
type writer interface {
	WriteMessages(ctx context.Context, messages ...kafka.Message) error
	Close() error
}

// Producer publishes results, dead letters, and the commands of payouts that are open for long. It
// is safe for concurrent use.
type Producer struct {
	results, deadLetters, commands *topic
}

// New makes a producer. The transport is the caller's to close.
func New(brokers []string, transport kafka.RoundTripper, results, deadLetters, commands string) *Producer {
	open := func(name string) *topic {
		return newTopic(name, func(mostBytes, mostMessages int) writer {
			return &kafka.Writer{
				Addr: kafka.TCP(brokers...), Topic: name, Transport: transport,
				Balancer:     kafka.Murmur2Balancer{Consistent: true},       // as Java's, so that a tradeNo stays in its partition
				RequiredAcks: kafka.RequireAll, MaxAttempts: writerAttempts, // the zero value would wait for nobody
				BatchTimeout: linger, BatchSize: mostMessages, BatchBytes: int64(mostBytes), WriteTimeout: writeTimeout, ReadTimeout: writeTimeout,
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

// Results publishes events and answers for each whether it is acknowledged. The error says why
// some are not.
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

// DeadLetters publishes all of them or answers an error. Only after nil may the offset of their
// source move on. One that its topic doesn't take is cut more and more.
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
		var left []message.DeadLetter // those that are too large; they are cut once more
		for _, at := range published.oversize {
			left = append(left, letters[at])
		}
		letters = left
	}
}

// namedBySource names dead letters that their topic doesn't take by where they stand in the commands.
// Their keys are somebody else's, and may be people's data.
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

// cut says how large a dead letter may be. Of a larger one's value and key so many bytes are left.
type cut struct{ most, left int }

// cuts are tried one after the other: the topic may take less than a broker does by default. A dead
// letter that can't be written would stop its partition for ever.
var cuts = []cut{{deadLetterMax, message.CutTo[0]}, {100_000, message.CutTo[1]}, {10_000, message.CutTo[2]}, {1000, message.CutTo[3]}, {0, message.CutTo[4]}}

// fitting cuts what a broker would refuse. A command may have been as large as its topic takes, and
// our headers come on top of it. The headers source_* tell where all of it stands.
func fitting(d message.DeadLetter, c cut) message.DeadLetter {
	headers := 0
	for _, h := range d.Headers {
		headers += len(h.Key) + len(h.Value) + headerOverhead
	}
	if headers > c.most/2 { // the value says more
		d.Headers, headers = nil, 0
	}
	if d.Code == message.TooLarge || len(d.Key)+len(d.Value)+headers > c.most {
		d.Value = d.Value[:min(len(d.Value), c.left)]
	}
	if len(d.Key)+len(d.Value)+headers > c.most {
		d.Key = d.Key[:min(len(d.Key), c.left)]
	}
	if most := max(c.most/2, reasonMin); len(d.Reason) > most {
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
