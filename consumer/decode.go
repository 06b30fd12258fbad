package consumer

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"time"

	"disburser/internal/partition"
	"disburser/payout"
)

// intake is what the messages of a page hold.
type intake struct {
	entries []payout.Entry
	sources []element // of each entry
	letters []payout.DeadLetter
}

// message is a record whose elements are cut out once, when the first is asked for: a
// bulk may hold ten thousand that are all wrong.
type message struct {
	*partition.Record
	isCut    bool
	elements []json.RawMessage
}

// element is where an entry came from.
type element struct {
	message *message
	index   int
}

// decode adds what a message holds.
func (c *Consumer) decode(in *intake, number int, r *message, now time.Time) {
	orders, err := payout.Decode(r.Value)
	if err != nil {
		unreadable := &payout.Unreadable{Code: payout.Malformed, Reason: err.Error()}
		errors.As(err, &unreadable) // always: Decode's promise
		in.letters = append(in.letters, c.letter(number, element{r, -1}, unreadable.Code, unreadable.Reason))
		return
	}
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
		p := payout.Begin(command, country, payout.Source{Partition: number, Offset: r.Offset, Time: r.Time}, invalid, now)
		p.Trace = trace
		carried := carry(&p, r)
		in.entries = append(in.entries, payout.Entry{Payout: p, Carried: carried, Other: command.OtherFingerprint()})
		in.sources = append(in.sources, element{r, o.Index})
	}
}

// carry fills in what the headers of a command that was published again say, and
// answers how far the payout was; 0 for all other commands.
func carry(p *payout.Payout, r *message) payout.State {
	var state payout.State
	for _, h := range r.Headers {
		switch h.Key {
		case payout.CarriedHeader:
			switch string(h.Value) {
			case payout.StateReceived.String():
				state = payout.StateReceived
			case payout.StateHeld.String():
				state = payout.StateHeld
			default: // whatever else it says: ask
				state = payout.StateSending
			}
		case payout.CarriedReceivedAt:
			if at, err := payout.ParseTime(string(h.Value)); err == nil {
				p.ReceivedAt = at
			}
		case payout.CarriedCountry:
			p.Country = string(h.Value)
		}
	}
	return state
}

func traceOf(r *message) payout.Trace {
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
		Key: e.message.Key, Value: e.message.element(e.index), Code: code, Reason: reason, Index: e.index,
		Topic: c.topic, Source: payout.Source{Partition: number, Offset: e.message.Offset},
	}
	for _, h := range e.message.Headers {
		d.Headers = append(d.Headers, payout.Header{Key: h.Key, Value: h.Value})
	}
	return d
}

// element answers one element of a bulk, as it was written; the whole message for
// index -1, or where the element can't be found.
func (m *message) element(index int) []byte {
	if index >= 0 && !m.isCut {
		m.elements, m.isCut = cut(m.Value), true
	}
	if index < 0 || index >= len(m.elements) {
		return m.Value
	}
	return m.elements[index]
}

// cut answers the elements of a bulk. Not json.Unmarshal into a struct: to it, Payouts
// is payouts too.
func cut(bulk []byte) (elements []json.RawMessage) {
	d := json.NewDecoder(bytes.NewReader(bulk))
	if _, err := d.Token(); err != nil {
		return nil
	}
	for d.More() {
		name, err := d.Token()
		var value json.RawMessage
		if err != nil || d.Decode(&value) != nil {
			return nil
		}
		if name == "payouts" {
			_ = json.Unmarshal(value, &elements)
			return elements
		}
	}
	return nil
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
