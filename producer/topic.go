package producer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"

	"disburser/message"
)

// steps are how many bytes a record batch may have. They are tried one after the other: a topic may
// take less than a broker does by default (max.message.bytes). At the last step each message goes
// alone, whatever its size, and the broker says whether it fits.
var steps = []int{largestBatch, largestBatch / 8, largestBatch / 64, alone}

const (
	// largestBatch is what a broker takes by default: a dead letter and our headers fit.
	largestBatch = deadLetterMax + 40_000

	// alone bounds what is sent to a broker at all.
	alone = 32 << 20

	// forgetLimit is after how long the larger steps are tried again: an operator may have raised
	// the topic's limit meanwhile.
	forgetLimit = time.Minute
)

// topic writes to one topic, in record batches that it takes.
type topic struct {
	name string
	open func(mostBytes, mostMessages int) writer // makes a writer whose record batches have at most so many

	mu      sync.Mutex
	writers map[int]writer // by step, made when first needed
	step    int            // the first one that the topic hasn't refused
	since   time.Time      // when it refused the one before
}

func newTopic(name string, open func(mostBytes, mostMessages int) writer) *topic {
	return &topic{name: name, open: open, writers: map[int]writer{}}
}

// writer is the one of a step.
func (t *topic) writer(step int) writer {
	t.mu.Lock()
	defer t.mu.Unlock()
	w := t.writers[step]
	if w == nil {
		size := mostTogether
		if steps[step] == alone {
			size = 1
		}
		w = t.open(steps[step], size)
		t.writers[step] = w
	}
	return w
}

// firstStep answers at which step to begin.
func (t *topic) firstStep() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	if time.Since(t.since) > forgetLimit {
		t.step = 0
	}
	return t.step
}

// refused notes that the topic takes less than a record batch of this step.
func (t *topic) refused(step int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if step+1 > t.step && step+1 < len(steps) {
		t.step, t.since = step+1, time.Now()
	}
}

func (t *topic) close() (err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, w := range t.writers {
		err = errors.Join(err, w.Close())
	}
	return err
}

// publishing is what becomes of a group of messages.
type publishing struct {
	messages     []kafka.Message
	acknowledged []bool
	steps        []int // at which each is written
	waiting      []int // neither acknowledged nor known to be too large
	oversize     []int // too large even alone
}

// publish writes messages, and writes those again that are not acknowledged, tries times at most.
// What the topic doesn't take is written in smaller record batches, down to the single message. One
// that doesn't fit alone holds up no other: the error names it.
func (t *topic) publish(ctx context.Context, messages []kafka.Message) (*publishing, error) {
	p := &publishing{messages: messages, acknowledged: make([]bool, len(messages)), steps: make([]int, len(messages))}
	begin := t.firstStep()
	for i := range messages {
		p.waiting = append(p.waiting, i)
		p.steps[i] = begin
		if sizeOf(messages[i]) > steps[begin] {
			p.steps[i] = len(steps) - 1
		}
	}
	for try := 1; len(p.waiting) > 0; try++ {
		err := t.once(ctx, p)
		if len(p.waiting) == 0 {
			break
		}
		if try == tries || !sleep(ctx, time.Duration(try)*retryPause) {
			return p, errors.Join(fmt.Errorf("producer: %d of %d messages not acknowledged after %d tries: %w", len(p.waiting), len(messages), try, err), t.tooLarge(p))
		}
	}
	return p, t.tooLarge(p)
}

// once writes what is waiting, each message at its step. What is too large there goes on at the next
// one. It answers an error of those that are left.
func (t *topic) once(ctx context.Context, p *publishing) (failed error) {
	for step := range steps {
		var group []int
		var messages []kafka.Message
		for _, at := range p.waiting {
			if p.steps[at] == step {
				group, messages = append(group, at), append(messages, p.messages[at])
			}
		}
		if len(group) == 0 {
			continue
		}
		err := t.writer(step).WriteMessages(ctx, messages...)
		for i, at := range group {
			switch e := errorOf(err, i); {
			case e == nil:
				p.acknowledged[at] = true
			case !tooLarge(e):
				failed = e
			case step == len(steps)-1:
				p.oversize = append(p.oversize, at)
			default:
				t.refused(step)
				p.steps[at] = step + 1
			}
		}
	}
	p.waiting = slices.DeleteFunc(p.waiting, func(at int) bool { return p.acknowledged[at] || slices.Contains(p.oversize, at) })
	return failed
}

// errorOf is the error of one message of a write. Only WriteErrors tell messages apart;
// any other error is about all of them.
func errorOf(err error, i int) error {
	var each kafka.WriteErrors
	if err == nil || !errors.As(err, &each) {
		return err
	}
	if i < len(each) {
		return each[i]
	}
	return err
}

func tooLarge(err error) bool {
	return errors.Is(err, kafka.MessageSizeTooLarge) || errors.Is(err, kafka.RecordListTooLarge)
}

// tooLarge names the messages that don't fit even alone, nil if all do.
func (t *topic) tooLarge(p *publishing) error {
	if len(p.oversize) == 0 {
		return nil
	}
	e := &message.OversizeError{Topic: t.name}
	for _, at := range p.oversize {
		e.Keys, e.Bytes = append(e.Keys, string(p.messages[at].Key)), append(e.Bytes, sizeOf(p.messages[at]))
	}
	return fmt.Errorf("producer: %w", e)
}

// sizeOf is what a message takes in a record batch, at most.
func sizeOf(m kafka.Message) int {
	n := len(m.Key) + len(m.Value) + messageOverhead
	for _, h := range m.Headers {
		n += len(h.Key) + len(h.Value) + headerOverhead
	}
	return n
}
