package consumer

import (
	"context"
	"encoding/json"
	"time"

	"disburser/internal/partition"
	"disburser/payout"
)

// intake is what one message holds.
type intake struct {
	entries []payout.Entry
	indexes []int // of each entry in its bulk, -1 for a single payout
	letters []payout.DeadLetter
}

// element is where an entry came from.
type element struct {
	record *partition.Record
	index  int
}

func (c *Consumer) decode(number int, r *partition.Record, now time.Time) intake {
	orders, err := payout.Decode(r.Value)
	if err != nil {
		unreadable := err.(*payout.Unreadable) // Decode's promise
		return intake{letters: []payout.DeadLetter{c.letter(number, element{r, -1}, unreadable.Code, unreadable.Reason)}}
	}
	var in intake
	trace := traceOf(r)
	for _, o := range orders {
		if o.Unreadable != nil {
			in.letters = append(in.letters, c.letter(number, element{r, o.Index}, o.Unreadable.Code, o.Unreadable.Reason))
			continue
		}
		command, country, invalid := c.Resolve(o.Command)
		if o.Invalid != "" {
			invalid = o.Invalid // what is wrong with its form explains the rest
		}
		p := payout.Begin(command, country, payout.Source{Partition: number, Offset: r.Offset}, invalid, now)
		p.Trace = trace
		in.entries = append(in.entries, payout.Entry{Payout: p, RecordTime: r.Time})
		in.indexes = append(in.indexes, o.Index)
	}
	return in
}

func traceOf(r *partition.Record) payout.Trace {
	var t payout.Trace
	for _, h := range r.Headers {
		switch h.Key {
		case "traceparent":
			t.Parent = bounded(h.Value)
		case "tracestate":
			t.State = bounded(h.Value)
		}
	}
	return t
}

// bounded keeps a trace header if it is of a sane size: W3C says 512 at most.
func bounded(value []byte) string {
	if len(value) > 512 {
		return ""
	}
	return string(value)
}

// letter makes a dead letter of a message, or of an element of a bulk.
func (c *Consumer) letter(number int, e element, code payout.Code, reason string) payout.DeadLetter {
	d := payout.DeadLetter{
		Key: e.record.Key, Value: e.record.Value, Code: code, Reason: reason, Index: e.index,
		Topic: c.topic, Source: payout.Source{Partition: number, Offset: e.record.Offset},
	}
	if e.index >= 0 {
		d.Value = elementOf(e.record.Value, e.index)
	}
	for _, h := range e.record.Headers {
		d.Headers = append(d.Headers, payout.Header{Key: h.Key, Value: h.Value})
	}
	return d
}

// elementOf cuts one element out of a bulk, as it was written; the whole bulk where
// that fails.
func elementOf(bulk []byte, index int) []byte {
	var b struct {
		Payouts []json.RawMessage `json:"payouts"`
	}
	if json.Unmarshal(bulk, &b) != nil || index >= len(b.Payouts) {
		return bulk
	}
	return b.Payouts[index]
}

// bury publishes dead letters of unreadable messages and counts them.
func (c *Consumer) bury(ctx context.Context, letters []payout.DeadLetter) error {
	if len(letters) == 0 {
		return nil
	}
	if err := c.DeadLetters.DeadLetters(ctx, letters); err != nil {
		return err
	}
	c.Metrics.buried(len(letters))
	return nil
}
