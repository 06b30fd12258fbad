package books

import (
	"context"
	"errors"
	"fmt"
	"time"

	"disburser/payout/acts"
)

// Progress is how far a partition was read.
type Progress struct {
	Next   int64  // the offset to go on at
	Anchor string // by which the topic is recognised, see package partition
	Fences Fences // of the decisions

	// Since when the books know what stands in the partition, and how many offsets retention has deleted before they were
	// read. Begun is the first offset that was read.
	Begun  int64
	Since  time.Time
	Missed int64
}

// Tx is one transaction of a store.
type Tx interface {
	// Payouts answers what is known of tradeNos. Those that nothing is known of are missing.
	Payouts(ctx context.Context, tradeNos []string) (map[string]*Payout, error)
	// Batches answers what is known of batches, and their totals.
	Batches(ctx context.Context, ids []string) (map[string]Batch, Totals, error)
	// Save writes what has changed.
	Save(ctx context.Context, c Changes) error
}

// Store holds the books.
type Store interface {
	// Progress says how far a partition was read; the zero Progress if it never was.
	Progress(ctx context.Context, topic Topic, number int) (Progress, error)
	// Write does work and moves a partition's offset in one transaction. It is ErrMoved, and nothing is done, where the
	// offset isn't from any more.
	Write(ctx context.Context, topic Topic, number int, from int64, to Progress, work func(Tx) error) error
}

// ErrMoved is the error of a page that somebody else has written already.
var ErrMoved = errors.New("books: the partition was read on by somebody else")

// Changes are rows as they shall stand.
type Changes struct {
	Payouts []Row
	Payee   []PayeeRow
	Letters []Letter
	Replays []Replay
	Actions []acts.Record
	Batches []Batch
	Totals  Totals // absolute; what is zero is deleted
	Events  []BatchEvent
}

// Row is a payout and what its facts mean.
type Row struct {
	*Payout
	View   View
	Before View // what the facts meant before, without its Order and Event
	New    bool // nothing was known of it
}

// PayeeRow finds a payout by a value of its payee.
type PayeeRow struct {
	Hash    int64
	TradeNo string
}

// Page is what a projector writes at once.
type Page struct {
	Topic     Topic
	Partition int
	From      int64
	To        Progress
	Facts     Facts
}

// Write writes a page.
func Write(ctx context.Context, s Store, p Page, now time.Time) error {
	return s.Write(ctx, p.Topic, p.Partition, p.From, p.To, func(tx Tx) error {
		c, err := join(ctx, tx, p.Facts, now)
		if err != nil {
			return err
		}
		return tx.Save(ctx, c)
	})
}

// join joins facts to what is known, and answers what that changes.
func join(ctx context.Context, tx Tx, f Facts, now time.Time) (Changes, error) {
	c := Changes{Letters: f.Letters, Replays: f.Replays, Actions: f.Actions}
	named := make([]string, 0, len(f.Payouts))
	seen := make(map[string]bool, len(f.Payouts))
	for _, fact := range f.Payouts {
		if !seen[fact.TradeNo] {
			seen[fact.TradeNo] = true
			named = append(named, fact.TradeNo)
		}
	}
	known, err := tx.Payouts(ctx, named)
	if err != nil {
		return c, fmt.Errorf("books: read payouts: %w", err)
	}
	delta := Totals{}
	rows, redigested := make(map[string]*Payout, len(named)), map[string]bool{}
	c.Payouts = make([]Row, len(named))
	for i, tradeNo := range named {
		row := &c.Payouts[i]
		if row.Payout = known[tradeNo]; row.Payout == nil {
			row.Payout, row.New = &Payout{TradeNo: tradeNo}, true
		} else {
			row.Before = row.Payout.View()
			delta.count(row.Payout, row.Before, -1)
			row.Before.Order, row.Before.Event = nil, nil // the facts that come now change what these point to
		}
		rows[tradeNo] = row.Payout
	}
	batches := map[string]*Batch{}
	for _, fact := range f.Payouts {
		c.Payee = fact.add(rows[fact.TradeNo], batches, c.Payee)
	}
	for i := range c.Payouts {
		row := &c.Payouts[i]
		row.View = row.Payout.View()
		delta.count(row.Payout, row.View, 1)
		if before, after := row.Before.line(), row.View.line(); before != after {
			redigested[before.BatchID], redigested[after.BatchID] = true, true
		}
	}
	return sum(ctx, tx, c, delta, said{batches, redigested}, now)
}

// add joins a fact to its payout, notes what it says of a batch, and adds what finds its payee.
func (f Fact) add(p *Payout, batches map[string]*Batch, payee []PayeeRow) []PayeeRow {
	named := func(id string) *Batch {
		if batches[id] == nil {
			batches[id] = &Batch{ID: id}
		}
		return batches[id]
	}
	switch {
	case f.Order != nil:
		p.addOrder(*f.Order)
		b := named(f.Order.BatchID)
		b.names(f.Order.Time, f.Order.BatchSize, SizeBy{Time: f.Order.Time, Place: f.Order.Place})
		if f.Order.Copies > 0 { // what is carried forward is nothing new
			b.lives(f.Order.Time)
		}
		for _, hash := range f.Order.Hashes {
			payee = append(payee, PayeeRow{hash, f.TradeNo})
		}
	case f.Event != nil:
		p.addEvent(*f.Event)
		b := named(f.Event.BatchID)
		b.names(f.Event.Time, f.Event.BatchSize, SizeBy{Result: true, Time: f.Event.Time, Place: f.Event.Place})
		b.lives(f.Event.Time)
	case f.Sent != nil:
		p.addSent(*f.Sent)
	case f.Lost != nil:
		p.addLost(*f.Lost)
	}
	return payee
}

// said is what a page says of batches.
type said struct {
	batches    map[string]*Batch
	redigested map[string]bool // lines of their digests have changed
}

// sum adds to the totals, and answers the events of batches that are due.
func sum(ctx context.Context, tx Tx, c Changes, delta Totals, of said, now time.Time) (Changes, error) {
	ids := map[string]bool{}
	for k := range delta {
		ids[k.BatchID] = true
	}
	for id := range of.batches {
		ids[id] = true
	}
	var list []string
	for id := range ids {
		list = append(list, id)
	}
	known, totals, err := tx.Batches(ctx, list)
	if err != nil {
		return c, fmt.Errorf("books: read batches: %w", err)
	}
	for k, t := range delta {
		totals.of(k).Add(t)
	}
	by := map[string]Totals{}
	for k, t := range totals {
		if by[k.BatchID] == nil {
			by[k.BatchID] = Totals{}
		}
		by[k.BatchID][k] = t
	}
	c.Totals = Totals{}
	for k := range delta {
		c.Totals[k] = totals[k]
	}
	for _, id := range list {
		if id == "" {
			continue
		}
		b, exists := known[id]
		before := b
		if b.ID = id; of.batches[id] != nil {
			s := of.batches[id]
			b.names(s.FirstAt, s.Size, s.SizeBy)
			b.lives(s.LastAt)
		}
		events, err := b.tell(by[id], now)
		if err != nil {
			return c, err
		}
		if closed := b.Told&ToldClosed != 0; closed && b.Changed != Frozen && (of.redigested[id] || before.Told&ToldClosed == 0) {
			b.Changed++
		}
		if c.Events = append(c.Events, events...); b != before || !exists {
			c.Batches = append(c.Batches, b)
		}
	}
	return c, nil
}
