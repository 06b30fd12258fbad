package service

import (
	"testing"

	"disburser/backoffice/books"
	"disburser/message"
)

// What the books know of a payout without its content says nothing about a file. Else what was killed halfway couldn't be
// sent again while the books read.
func TestWhatWasOrderedBefore(t *testing.T) {
	order := func(partition int, f, other books.Seal) books.Order {
		return books.Order{Place: books.Place{Partition: partition}, Fingerprint: f, Other: other}
	}
	event := func(f books.Seal) books.Event {
		return books.Event{ID: "1", Type: message.EventPaid, Fingerprint: f}
	}
	for name, test := range map[string]struct {
		known       books.Payout
		same, other bool
	}{
		"the same":                  {books.Payout{Orders: []books.Order{order(0, "f", "")}}, true, false},
		"the same without currency": {books.Payout{Orders: []books.Order{order(0, "g", "f")}}, true, false},
		"another":                   {books.Payout{Orders: []books.Order{order(0, "g", "")}}, false, true},
		"two, nobody has told":      {books.Payout{Orders: []books.Order{order(0, "g", ""), order(1, "h", "")}}, false, false},
		"a decision only":           {books.Payout{Sent: &books.Sent{Times: 1}}, false, false},
		"a dead letter only":        {books.Payout{Lost: []books.Lost{{Content: "f"}}}, false, false},
		"a result of the same":      {books.Payout{Events: []books.Event{event("f")}}, true, false},
		"a result of another":       {books.Payout{Events: []books.Event{event("g")}}, false, true},
		"a result without content":  {books.Payout{Events: []books.Event{event("")}}, false, false},
	} {
		if same, other := ordered(&test.known, "f"); same != test.same || other != test.other {
			t.Errorf("%s: %v %v", name, same, other)
		}
	}
}
