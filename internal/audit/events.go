package audit

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"disburser/backoffice/books"
	"disburser/internal/partition"
	"disburser/internal/trial"
	"disburser/message"
)

// Events are what a topic says of batches.
type Events struct {
	Distinct int                       // by ce_id
	Repeats  int                       // records that came again, under a known ce_id and with the same bytes
	Of       map[string]map[string]int // by batch and type: how many ids
}

// ReadEvents reads the topic of the batches. Under one ce_id stands one content, and each content loses nothing.
func ReadEvents(records []partition.Record) (e Events, problems []string) {
	e.Of = map[string]map[string]int{}
	seen := map[string]string{}
	for _, r := range records {
		m := message.New(r.Key, r.Value, r.Headers)
		id, kind, content := m.Header(message.EventIDHeader), m.Header("ce_type"), contentOf(r)
		if before, known := seen[id]; known {
			e.Repeats++
			if before != content {
				problems = append(problems, fmt.Sprintf("the event %s of a batch has two contents:\n%s\n%s", id, before, content))
			}
			continue
		}
		seen[id] = content
		e.Distinct++
		var v books.BatchValue
		if err := json.Unmarshal(r.Value, &v); err != nil || id == "" || v.BatchID != string(r.Key) || v.Type != kind {
			problems = append(problems, fmt.Sprintf("the event %q at offset %d is none of a batch: %s", id, r.Offset, r.Value))
			continue
		}
		for _, why := range Batch(v) {
			problems = append(problems, kind+" "+id+": "+why)
		}
		if e.Of[v.BatchID] == nil {
			e.Of[v.BatchID] = map[string]int{}
		}
		e.Of[v.BatchID][kind]++
	}
	return e, problems
}

// contentOf is all of a record but its place and Kafka's time.
func contentOf(r partition.Record) string {
	text := string(r.Key) + "\n" + string(r.Value)
	for _, h := range r.Headers {
		text += "\n" + h.Key + "=" + string(h.Value)
	}
	return text
}

// Against lists where the events of batches are not what became of them. Each is opened once, and told once at each quarter
// that was reached. It is closed once if as many as were stated have ended.
func (e Events) Against(t Truth) (problems []string) {
	type batch struct{ size, seen, ended int }
	batches := map[string]*batch{}
	for tradeNo, c := range t.Expected.Commands {
		if c.BatchID == "" {
			continue
		}
		b := batches[c.BatchID]
		if b == nil {
			b = &batch{}
			batches[c.BatchID] = b
		}
		b.size = max(b.size, c.BatchSize)
		b.seen++
		if t.Standings[tradeNo] == trial.Settled {
			b.ended++
		}
	}
	for _, id := range slices.Sorted(maps.Keys(batches)) {
		b := batches[id]
		want := map[string]int{"payout.batch.opened": 1}
		for _, percent := range []int{25, 50, 75} {
			if b.size > 0 && b.ended*100 >= percent*b.size {
				want["payout.batch.progress"]++
			}
		}
		if b.size > 0 && b.seen >= b.size && b.ended == b.seen {
			want["payout.batch.closed"] = 1
		}
		if !maps.Equal(want, e.Of[id]) {
			problems = append(problems, fmt.Sprintf("the batch %s (%d of %d seen, %d ended) has the events %v, not %v", id, b.seen, b.size, b.ended, e.Of[id], want))
		}
	}
	for id := range e.Of {
		if batches[id] == nil {
			problems = append(problems, "nobody ordered the batch "+id)
		}
	}
	return problems
}
