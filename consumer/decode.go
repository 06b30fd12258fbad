package consumer

import (
	"context"
	"errors"
	"time"

	"disburser/internal/partition"
	"disburser/message"
	"disburser/payout"
	"disburser/payout/intake"
)

// decoded is what some messages hold.
type decoded struct {
	entries []intake.Entry
	sources []element // of each entry
	dead    []deadElement
}

// deadElement is what becomes a dead letter. The letter itself is made when it is published: it is larger
// than what came in.
type deadElement struct {
	element
	code   message.Code
	reason string
}

// commandRecord is a record whose value is cut into elements once, when the first one is needed. A bulk
// may have ten thousand, and all of them may be wrong.
type commandRecord struct {
	*partition.Record
	isCut bool
	bulk  message.Bulk
}

// element says where an entry came from: the message, and the place in its bulk, or -1.
type element struct {
	message *commandRecord
	index   int
}

// decode adds what a message holds: payouts, and what becomes a dead letter.
func (c *Consumer) decode(in *decoded, number int, r *commandRecord, now time.Time) {
	orders, err := message.Decode(r.Value)
	if err != nil {
		unreadable := &message.Unreadable{Code: message.Malformed, Reason: err.Error()}
		errors.As(err, &unreadable) // always: Decode's promise
		in.dead = append(in.dead, deadElement{element{r, -1}, unreadable.Code, unreadable.Reason})
		return
	}
	headers := message.HeadersOf(r.Headers)
	trace, carried := message.DecodeTrace(headers), message.DecodeCarried(headers)
	for _, o := range orders {
		if o.Unreadable != nil {
			in.dead = append(in.dead, deadElement{element{r, o.Index}, o.Unreadable.Code, o.Unreadable.Reason})
			continue
		}
		command, country, invalid := c.Resolve(o.Command)
		if o.Invalid != "" {
			invalid = o.Invalid // what is wrong with its form explains the rest
		}
		p := payout.Begin(command, country, payout.Source{Partition: number, Offset: r.Offset, Time: r.Time}, invalid, now)
		p.Trace = trace
		carried.Fill(&p)
		waits := invalid == payout.NotConfigured
		if waits { // another instance may know the merchant already, or this one after a restart
			p = p.AwaitMerchant()
		}
		if invalid == "" && c.Cancelled(p.Merchant, p.BatchID, p.TradeNo) {
			p = p.AwaitReview()
		}
		in.entries = append(in.entries, intake.Entry{Payout: p, Carried: carried.State, Others: command.OtherFingerprints(!waits, c.Currencies)})
		in.sources = append(in.sources, element{r, o.Index})
	}
}

// letter makes a dead letter of a message, or of an element of a bulk.
func (c *Consumer) letter(number int, l deadElement) message.DeadLetter {
	return message.DeadLetter{
		Key: l.message.Key, Value: l.message.element(l.index), Headers: message.HeadersOf(l.message.Headers),
		Code: l.code, Reason: l.reason, Index: l.index,
		Topic: c.topic, Source: payout.Source{Partition: number, Offset: l.message.Offset},
	}
}

// element answers one element of a bulk as a command by itself, or the whole message for index -1.
func (m *commandRecord) element(index int) []byte {
	if index < 0 {
		return m.Value
	}
	if !m.isCut {
		m.bulk, m.isCut = message.CutBulk(m.Value), true
	}
	if element, found := m.bulk.Element(index); found {
		return element
	}
	return m.Value
}

// lettersAtOnce bounds the values of the dead letters that are published at once, in bytes. Together they
// may be much larger than their bulk: each repeats what the bulk says once for all.
const lettersAtOnce = 4 << 20

// publishDead publishes all of them as dead letters, or answers an error.
func (c *Consumer) publishDead(ctx context.Context, number int, all []deadElement) error {
	var letters []message.DeadLetter
	size := 0
	for i, l := range all {
		letters = append(letters, c.letter(number, l))
		if size += len(letters[len(letters)-1].Value); size < lettersAtOnce && i < len(all)-1 {
			continue
		}
		if err := c.DeadLetters.DeadLetters(ctx, letters); err != nil {
			return err
		}
		letters, size = nil, 0
	}
	return nil
}
