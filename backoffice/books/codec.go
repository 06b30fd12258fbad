package books

import (
	"encoding/binary"
	"errors"
	"maps"
	"slices"
)

// The tables hold a payout's facts as bytes: a version, then each field in its order, numbers as varints and texts behind their
// lengths. JSON takes twice the room, and ten times as long to read.

// factsVersion is the first byte. Who adds a field counts it up, puts the field last in its struct's fields, and reads it only from
// that version on.
const factsVersion = 1

// errFacts is the error of facts that can't be read.
var errFacts = errors.New("the facts can't be read: run backoffice rebuild")

// Facts writes what is known of the payout, but for its tradeNo.
func (p *Payout) Facts() []byte { return p.AppendFacts(make([]byte, 0, 512)) }

// AppendFacts appends to a text what Facts writes.
func (p *Payout) AppendFacts(to []byte) []byte {
	c := codec{out: append(to, factsVersion), writes: true}
	p.fields(&c)
	return c.out
}

// ReadFacts reads what Facts has written.
func (p *Payout) ReadFacts(facts []byte) error {
	if len(facts) == 0 || facts[0] != factsVersion {
		return errFacts
	}
	c := codec{in: string(facts[1:])} // all texts are parts of one
	if p.fields(&c); c.bad || c.in != "" {
		return errFacts
	}
	return nil
}

// codec writes fields or reads them: so what is written and what is read is described once.
type codec struct {
	out    []byte
	in     string
	writes bool
	bad    bool // what is read is no facts
}

func (c *codec) number(n *int64) {
	if c.writes {
		c.out = binary.AppendVarint(c.out, *n)
		return
	}
	var z uint64 // as binary.Varint does it, of a text
	for i := range binary.MaxVarintLen64 {
		if i >= len(c.in) {
			break
		}
		z |= uint64(c.in[i]&0x7f) << (7 * i)
		if c.in[i] < 0x80 {
			*n, c.in = int64(z>>1)^-int64(z&1), c.in[i+1:]
			return
		}
	}
	c.bad, c.in = true, ""
}

func (c *codec) integer(n *int) {
	wide := int64(*n)
	c.number(&wide)
	*n = int(wide)
}

func text[T ~string](c *codec, s *T) {
	n := len(*s)
	if c.integer(&n); c.writes {
		c.out = append(c.out, *s...)
		return
	}
	if n < 0 || n > len(c.in) {
		c.bad, c.in = true, ""
		return
	}
	*s, c.in = T(c.in[:n]), c.in[n:]
}

// list is a list of things that have fields. Each takes a byte at least, which bounds what is read.
func list[T any](c *codec, all *[]T, fields func(*T, *codec)) {
	n := len(*all)
	if c.integer(&n); !c.writes {
		if n < 0 || n > len(c.in) {
			c.bad, c.in = true, ""
			return
		}
		if n > 0 {
			*all = make([]T, n)
		}
	}
	for i := range *all {
		fields(&(*all)[i], c)
	}
}

// texts are a list of pairs, sorted by their names.
func (c *codec) texts(all *map[string]string) {
	n := len(*all)
	c.integer(&n)
	var name, value string
	if c.writes {
		var few [8]string // a payee has no more
		names := slices.AppendSeq(few[:0], maps.Keys(*all))
		slices.Sort(names)
		for _, name := range names {
			value = (*all)[name]
			text(c, &name)
			text(c, &value)
		}
		return
	}
	if n < 0 || n > len(c.in) {
		c.bad, c.in = true, ""
		return
	}
	if n > 0 {
		*all = make(map[string]string, min(n, 8))
	}
	for range n {
		text(c, &name)
		text(c, &value)
		(*all)[name] = value
	}
}

func (p *Payout) fields(c *codec) {
	list(c, &p.Orders, (*Order).fields)
	list(c, &p.Events, (*Event).fields)
	list(c, &p.Lost, (*Lost).fields)
	sent := []Sent{}
	if p.Sent != nil {
		sent = append(sent, *p.Sent)
	}
	if list(c, &sent, (*Sent).fields); len(sent) > 0 && !c.writes {
		p.Sent = &sent[0]
	}
}

func (a *Place) fields(c *codec) {
	c.integer(&a.Partition)
	c.number(&a.Offset)
	c.integer(&a.Element)
}

func (o *Order) fields(c *codec) {
	o.Place.fields(c)
	c.number(&o.Time)
	text(c, &o.Fingerprint)
	text(c, &o.Other)
	text(c, &o.Merchant)
	text(c, &o.Amount)
	text(c, &o.Currency)
	text(c, &o.BatchID)
	c.integer(&o.BatchSize)
	c.number(&o.NotBefore)
	c.number(&o.ExpiresAt)
	c.texts(&o.Payee)
	list(c, &o.Hashes, func(n *int64, c *codec) { c.number(n) })
	c.integer(&o.Copies)
}

func (e *Event) fields(c *codec) {
	e.Place.fields(c)
	text(c, &e.ID)
	text(c, &e.Type)
	c.number(&e.Time)
	text(c, &e.Fingerprint)
	text(c, &e.Merchant)
	text(c, &e.Amount)
	text(c, &e.Currency)
	text(c, &e.BatchID)
	c.integer(&e.BatchSize)
	text(c, &e.Status)
	text(c, &e.StatusText)
	text(c, &e.PlatformTradeNo)
	text(c, &e.PaidAmount)
	text(c, &e.Reason)
	text(c, &e.Contradiction)
	text(c, &e.By)
	text(c, &e.ConfirmedBy)
	c.integer(&e.Sends)
	c.integer(&e.Asks)
	c.number(&e.ReceivedAt)
	c.number(&e.SentAt)
}

func (s *Sent) fields(c *codec) {
	s.Place.fields(c)
	c.number(&s.Time)
	text(c, &s.Merchant)
	c.integer(&s.Times)
}

func (l *Lost) fields(c *codec) {
	l.Place.fields(c)
	c.number(&l.Time)
	text(c, &l.Content)
}
