package books

import "cmp"

// Topic is what a topic holds.
type Topic string

// The topics that the books read.
const (
	Commands    Topic = "commands"
	Decisions   Topic = "decisions"
	Results     Topic = "results"
	DeadLetters Topic = "dead_letter"
	Actions     Topic = "actions"
)

// Batches is what the back office has said itself. It is read only to know that.
const Batches Topic = "batches"

// Topics lists those from which the books are made.
var Topics = []Topic{Commands, Decisions, Results, DeadLetters, Actions}

// Place is where something stands in its topic.
type Place struct {
	Partition int   `json:"p"`
	Offset    int64 `json:"o"`
	Element   int   `json:"n,omitempty"` // of a bulk, from 1 on; 0 for a whole record
}

func (a Place) compare(b Place) int {
	return cmp.Or(cmp.Compare(a.Partition, b.Partition), cmp.Compare(a.Offset, b.Offset), cmp.Compare(a.Element, b.Element))
}

// Before tells that it stands before another place.
func (a Place) Before(b Place) bool { return a.compare(b) < 0 }
