// Package bookstest promises books in memory, and a recorded run to fill books with. For tests only.
package bookstest

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strings"
	"sync"

	"disburser/backoffice/books"
	"disburser/payout/acts"
)

// Memory are books in memory. A transaction that fails changes nothing.
type Memory struct {
	mu      sync.Mutex
	places  map[string]books.Progress
	payouts map[string][]byte // as tables hold them: nobody shares them
	views   map[string]books.View
	payee   map[books.PayeeRow]bool
	letters map[string]books.Letter
	replays map[books.Replay]bool
	actions map[int64]acts.Record
	batches map[string]books.Batch
	totals  map[books.TotalKey]string
	events  map[string]books.BatchEvent
}

// NewMemory makes empty books.
func NewMemory() *Memory {
	return &Memory{
		places: map[string]books.Progress{}, payouts: map[string][]byte{}, views: map[string]books.View{}, payee: map[books.PayeeRow]bool{},
		letters: map[string]books.Letter{}, replays: map[books.Replay]bool{}, actions: map[int64]acts.Record{}, batches: map[string]books.Batch{},
		totals: map[books.TotalKey]string{}, events: map[string]books.BatchEvent{},
	}
}

func place(topic books.Topic, number int) string { return fmt.Sprintf("%s/%d", topic, number) }

// Progress is how far a partition was read.
func (m *Memory) Progress(_ context.Context, topic books.Topic, number int) (books.Progress, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	p := m.places[place(topic, number)]
	p.Fences = maps.Clone(p.Fences)
	return p, nil
}

// Write runs one transaction at a time.
func (m *Memory) Write(_ context.Context, topic books.Topic, number int, from int64, to books.Progress, work func(books.Tx) error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.places[place(topic, number)].Next != from {
		return books.ErrMoved
	}
	tx := &memoryTx{Memory: m}
	if err := work(tx); err != nil {
		return err
	}
	m.apply(tx.changes)
	to.Fences = maps.Clone(to.Fences)
	m.places[place(topic, number)] = to
	return nil
}

type memoryTx struct {
	*Memory
	changes books.Changes
}

func (m *memoryTx) Payouts(_ context.Context, tradeNos []string) (map[string]*books.Payout, error) {
	found := map[string]*books.Payout{}
	for _, tradeNo := range tradeNos {
		facts, known := m.payouts[tradeNo]
		if !known {
			continue
		}
		p := &books.Payout{TradeNo: tradeNo}
		if err := p.ReadFacts(facts); err != nil {
			return nil, err
		}
		found[tradeNo] = p
	}
	return found, nil
}

func (m *memoryTx) Batches(_ context.Context, ids []string) (map[string]books.Batch, books.Totals, error) {
	found, totals := map[string]books.Batch{}, books.Totals{}
	for _, id := range ids {
		if b, known := m.batches[id]; known {
			found[id] = b
		}
	}
	for k, text := range m.totals {
		if slices.Contains(ids, k.BatchID) {
			t := new(books.Total)
			var ordered, paid string
			if _, err := fmt.Sscan(text, &t.Count, &t.Without, &ordered, &paid); err != nil {
				return nil, nil, err
			}
			t.Ordered, _ = books.ParseSum(ordered)
			t.Paid, _ = books.ParseSum(paid)
			totals[k] = t
		}
	}
	return found, totals, nil
}

func (m *memoryTx) Save(_ context.Context, c books.Changes) error {
	m.changes = c
	return nil
}

func (m *Memory) apply(c books.Changes) {
	for _, row := range c.Payouts {
		v := row.View
		v.Order, v.Event = nil, nil
		m.payouts[row.TradeNo], m.views[row.TradeNo] = row.Facts(), v
	}
	for _, row := range c.Payee {
		m.payee[row] = true
	}
	for _, l := range c.Letters {
		key := fmt.Sprint(l.Topic, l.Source)
		if known, exists := m.letters[key]; !exists || l.Place.Before(known.Place) {
			m.letters[key] = l
		}
	}
	for _, r := range c.Replays {
		m.replays[r] = true
	}
	for _, a := range c.Actions {
		m.actions[a.Offset] = a
	}
	for _, b := range c.Batches {
		m.batches[b.ID] = b
	}
	for k, t := range c.Totals {
		if t.IsZero() {
			delete(m.totals, k)
			continue
		}
		m.totals[k] = fmt.Sprintf("%d %d %s %s", t.Count, t.Without, t.Ordered.String(), t.Paid.String())
	}
	for _, e := range c.Events {
		if _, exists := m.events[e.ID]; !exists {
			m.events[e.ID] = e
		}
	}
}

// Dump writes all tables as text, sorted. Of the batches' events it has the ids: what they say depends on when.
func (m *Memory) Dump() string {
	var lines []string
	add := func(format string, args ...any) { lines = append(lines, fmt.Sprintf(format, args...)) }
	for tradeNo, facts := range m.payouts {
		text, _ := json.Marshal(read(tradeNo, facts)) // of texts and numbers everything can be written
		add("payout %s %+v %s", tradeNo, m.views[tradeNo], text)
	}
	for row := range m.payee {
		add("payee %+v", row)
	}
	for _, l := range m.letters {
		add("letter %+v", l)
	}
	for r := range m.replays {
		add("replay %+v", r)
	}
	for _, b := range m.batches {
		add("batch %+v", b)
	}
	for k, t := range m.totals {
		add("total %+v %s", k, t)
	}
	for id, e := range m.events {
		add("event %s %s %s", id, e.BatchID, e.Type)
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

func read(tradeNo string, facts []byte) *books.Payout {
	p := &books.Payout{TradeNo: tradeNo}
	if err := p.ReadFacts(facts); err != nil {
		panic(err)
	}
	return p
}

// Recounted answers what the totals would be if they were counted anew, as Totals writes them.
func (m *Memory) Recounted() string {
	sums := books.Totals{}
	for tradeNo, facts := range m.payouts {
		sums.Count(read(tradeNo, facts))
	}
	all := map[books.TotalKey]string{}
	for k, t := range sums {
		if !t.IsZero() {
			all[k] = fmt.Sprintf("%d %d %s %s", t.Count, t.Without, t.Ordered.String(), t.Paid.String())
		}
	}
	return written(all)
}

// Totals writes the totals.
func (m *Memory) Totals() string { return written(m.totals) }

// Conserved tells of each batch and currency whether what was ordered is the sum of what is open and what ended. It
// counts by the views, not by the totals.
func (m *Memory) Conserved() error {
	ordered, byState := map[string]*big.Int{}, map[string]*big.Int{}
	for _, v := range m.views {
		units, fits := books.Units(v.Amount)
		if v.State == 0 || !fits {
			continue
		}
		k := v.BatchID + "\x00" + v.Currency
		if ordered[k] == nil {
			ordered[k], byState[k] = new(big.Int), new(big.Int)
		}
		ordered[k].Add(ordered[k], big.NewInt(units))
	}
	for k, text := range m.totals {
		var count, without int64
		var sum, paid string
		if _, err := fmt.Sscan(text, &count, &without, &sum, &paid); err != nil {
			return err
		}
		if n := byState[k.BatchID+"\x00"+k.Currency]; n != nil && k.State != books.Copies {
			one, _ := books.ParseSum(sum)
			n.Add(n, &one)
		}
	}
	for k, n := range ordered {
		if n.Cmp(byState[k]) != 0 {
			return fmt.Errorf("%q: %s was ordered, %s is in the states", k, n, byState[k])
		}
	}
	return nil
}

func written(totals map[books.TotalKey]string) string {
	var lines []string
	for k, text := range totals {
		lines = append(lines, fmt.Sprintf("%+v %s", k, text))
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}
