package trial

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"

	"disburser/internal/partition"
	"disburser/message"
	"disburser/payout"
)

// patience is the pause before a broker that didn't answer is asked again.
const patience = 50 * time.Millisecond

// Topics are the names of the topics.
type Topics struct{ Commands, Results, Decisions, DeadLetter, Actions string }

// DefaultTopics are the names that the configuration has by itself.
var DefaultTopics = Topics{"payout.commands", "payout.results", "payout.decisions", "payout.dead-letter", "payout.actions"}

// Seen is one result event as it came.
type Seen struct {
	ID    string // ce_id
	Event message.Event
}

// Watcher gathers results and dead letters from the beginning of their topics.
type Watcher struct {
	client *kafka.Client
	topics Topics

	mu      sync.Mutex
	results map[string][]Seen // by tradeNo, in the order of arrival
	finals  int               // tradeNos with a final event
	letters map[origin]message.DeadLetter
	repeats int             // dead letters that came again
	next    map[place]int64 // what has been read of every partition
}

// origin tells dead letters apart.
type origin struct {
	topic            string
	partition, index int
	offset           int64
}

type place struct {
	topic     string
	partition int
}

// NewWatcher makes a watcher; Run starts it.
func NewWatcher(client *kafka.Client, topics Topics) *Watcher {
	return &Watcher{client: client, topics: topics, results: map[string][]Seen{}, letters: map[origin]message.DeadLetter{}, next: map[place]int64{}}
}

// Run watches until ctx ends.
func (w *Watcher) Run(ctx context.Context) {
	var group sync.WaitGroup
	for topic, take := range map[string]func(partition.Record){w.topics.Results: w.result, w.topics.DeadLetter: w.letter} {
		n := 0
		for ctx.Err() == nil && n == 0 {
			if n, _ = partition.Count(ctx, w.client, topic); n == 0 { // not there yet
				pause(ctx, patience)
			}
		}
		for p := range n {
			group.Go(func() { w.follow(ctx, partition.Source{Client: w.client, Topic: topic, Partition: p}, take) })
		}
	}
	group.Wait()
}

func (w *Watcher) follow(ctx context.Context, source partition.Source, take func(partition.Record)) {
	at, next := place{source.Topic, source.Partition}, int64(0)
	w.reached(at, next)
	for ctx.Err() == nil {
		page, err := source.Fetch(ctx, next, 100*time.Millisecond)
		if err != nil {
			pause(ctx, patience)
			continue
		}
		for _, r := range page.Records {
			take(r)
		}
		next = page.Next
		w.reached(at, next)
	}
}

func (w *Watcher) reached(at place, next int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.next[at] = next
}

// CatchUp waits until everything has been read that is there now. Whoever judges after
// it, and after the instances have stopped, judges all there ever was.
func (w *Watcher) CatchUp(ctx context.Context) error {
	for _, topic := range []string{w.topics.Results, w.topics.DeadLetter} {
		n, err := partition.Count(ctx, w.client, topic)
		if err != nil {
			return err
		}
		for p := range n {
			_, end, err := partition.Source{Client: w.client, Topic: topic, Partition: p}.Bounds(ctx)
			if err != nil {
				return err
			}
			for w.readOf(place{topic, p}) < end {
				if !pause(ctx, patience) {
					return ctx.Err()
				}
			}
		}
	}
	return nil
}

func (w *Watcher) readOf(at place) int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.next[at]
}

func (w *Watcher) result(r partition.Record) {
	m := message.New(r.Key, r.Value, r.Headers)
	e, err := message.DecodeEvent(m)
	if err != nil {
		e.TradeNo = "unreadable result: " + err.Error()
	}
	s := Seen{ID: m.Header(message.EventIDHeader), Event: e}
	w.mu.Lock()
	defer w.mu.Unlock()
	before := len(finalsOf(w.results[e.TradeNo]))
	w.results[e.TradeNo] = append(w.results[e.TradeNo], s)
	if before == 0 && len(finalsOf(w.results[e.TradeNo])) > 0 {
		w.finals++
	}
}

// letter takes a dead letter. One that an instance wrote again after a rebalance has the
// same origin.
func (w *Watcher) letter(r partition.Record) {
	l, err := message.DecodeDeadLetter(message.New(r.Key, r.Value, r.Headers))
	if err != nil { // no such code is due: the verdict names it
		l = message.DeadLetter{Code: message.Code("unreadable: " + err.Error()), Source: payout.Source{Offset: r.Offset}}
	}
	from := origin{l.Topic, l.Source.Partition, l.Index, l.Source.Offset}
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, again := w.letters[from]; again {
		w.repeats++
		return
	}
	w.letters[from] = l
}

// Progress counts the tradeNos with a final event and the dead letters so far.
func (w *Watcher) Progress() (finals, letters int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.finals, len(w.letters)
}

// Standing is where a payout stands as far as anybody was told.
type Standing int

// The standings.
const (
	Open    Standing = iota // nothing was announced yet
	Held                    // held, and nothing final since
	Settled                 // a final event came
)

// Standings tells where each of the tradeNos stands that were announced at all.
func (w *Watcher) Standings() map[string]Standing {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := make(map[string]Standing, len(w.results))
	for tradeNo, seen := range w.results {
		all[tradeNo] = Held
		if len(finalsOf(seen)) > 0 {
			all[tradeNo] = Settled
		}
	}
	return all
}

// Letters are the dead letters so far, each once, in no order.
func (w *Watcher) Letters() []message.DeadLetter {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Collect(maps.Values(w.letters))
}

// Results are the events of a tradeNo so far, in the order of arrival.
func (w *Watcher) Results(tradeNo string) []Seen {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]Seen(nil), w.results[tradeNo]...)
}

// finalsOf are the distinct final events among what was seen of one tradeNo.
func finalsOf(seen []Seen) []Seen {
	var finals []Seen
	ids := map[string]bool{}
	for _, s := range seen {
		if s.Event.Type != message.EventHeld && !ids[s.ID] {
			ids[s.ID] = true
			finals = append(finals, s)
		}
	}
	return finals
}

// pause sleeps and tells whether ctx let it.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
