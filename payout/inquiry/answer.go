package inquiry

import (
	"fmt"
	"slices"
	"time"

	"disburser/payout"
	"disburser/payout/acts"
)

const unknown = "unknown"

// Answer is what a person is told of a payout. Its JSON names are stable.
type Answer struct {
	TradeNo  string            `json:"tradeNo"`
	State    string            `json:"state"` // a payout's, or "unknown"
	Merchant string            `json:"merchant,omitempty"`
	BatchID  string            `json:"batchId,omitempty"`
	Amount   string            `json:"amount,omitempty"`
	Currency string            `json:"currency,omitempty"`
	Payee    map[string]string `json:"payee,omitempty"` // masked

	Reason          string `json:"reason,omitempty"` // of held, failed, rejected
	By              string `json:"by,omitempty"`     // the person who ended it
	ConfirmedBy     string `json:"confirmedBy,omitempty"`
	Action          string `json:"action,omitempty"` // the id of the action that ended it
	Contradiction   string `json:"contradiction,omitempty"`
	Status          string `json:"status,omitempty"` // the provider's last words
	StatusText      string `json:"statusText,omitempty"`
	PlatformTradeNo string `json:"platformTradeNo,omitempty"`
	PaidAmount      string `json:"paidAmount,omitempty"`

	Sends     int     `json:"sends"`     // how often it may have been sent
	Asks      int     `json:"asks"`      // how often it was asked about
	NoRecords int     `json:"noRecords"` // answers "no record" that count
	History   []Event `json:"history"`   // the oldest first

	Why   string  `json:"why,omitempty"`   // why it isn't sent now
	Stops []Stop  `json:"stops,omitempty"` // the actions that forbid it
	Next  *Next   `json:"next,omitempty"`  // what happens next
	Doubt string  `json:"doubt,omitempty"` // why all of it may be out of date
	AsOf  RFC3339 `json:"asOf"`

	place Place
}

// Missing tells that the journal knows nothing of it, and would.
func (a Answer) Missing() bool { return a.place == Nowhere && a.Doubt == "" }

// Undecided tells that nobody can say now whether it is known.
func (a Answer) Undecided() bool { return a.place == Nowhere && a.Doubt != "" }

// Event is one thing that has happened.
type Event struct {
	Time   RFC3339 `json:"time"`
	Event  string  `json:"event"` // received, sent, asked, no_record, …
	Text   string  `json:"text"`
	Topic  string  `json:"topic,omitempty"` // where it stands in Kafka, if the journal knows
	Number *int    `json:"partition,omitempty"`
	Offset *int64  `json:"offset,omitempty"`
}

// Stop is an action that forbids to send it.
type Stop struct {
	Action string    `json:"action"`
	Kind   acts.Kind `json:"kind"`
	Scope  string    `json:"scope"`
	By     string    `json:"by"`
	Reason string    `json:"reason"`
	Since  RFC3339   `json:"since"`
}

// Next is the next step.
type Next struct {
	Step string   `json:"step"`         // send, ask, announce, review, none
	At   *RFC3339 `json:"at,omitempty"` // not before
	Text string   `json:"text"`
}

// RFC3339 is a time as it is told: UTC, in milliseconds.
type RFC3339 struct{ time.Time }

// MarshalText writes it.
func (t RFC3339) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// MarshalJSON writes it as text.
func (t RFC3339) MarshalJSON() ([]byte, error) { return []byte(`"` + t.String() + `"`), nil }

// UnmarshalJSON reads what MarshalJSON wrote.
func (t *RFC3339) UnmarshalJSON(text []byte) error { return t.Time.UnmarshalJSON(text) }

// String writes it.
func (t RFC3339) String() string { return t.UTC().Format("2006-01-02T15:04:05.000Z07:00") }

// Tell says what is known of a payout. commands is the topic of the commands.
func Tell(f Found, around Around, commands string) Answer {
	p := f.Payout
	a := Answer{TradeNo: p.TradeNo, State: f.Remembered.String(), Doubt: f.Doubt, AsOf: RFC3339{f.At}, History: history(f, commands), place: f.Place}
	switch f.Place {
	case Nowhere, UnreadableHere:
		a.State = unknown
	case Open:
		a = withContent(a, p)
	case Ended, AwaitsSent, AwaitsHeld:
		a.Merchant, a.Reason = p.Merchant, p.Reason
	}
	a.Why, a.Next = why(f, around), next(f, around)
	if p.State == payout.StateReceived && f.Place == Open {
		a.Stops = stops(around.Stop)
	}
	return a
}

func withContent(a Answer, p payout.Payout) Answer {
	a.State = p.State.String()
	a.Merchant, a.BatchID, a.Amount, a.Currency, a.Payee = p.Merchant, p.BatchID, p.Amount.String(), p.Currency, p.Payee.Masked()
	a.Reason, a.Contradiction, a.By, a.ConfirmedBy, a.Action = p.Reason, p.Contradiction, p.By, p.ConfirmedBy, p.Action
	a.Status, a.StatusText, a.PlatformTradeNo, a.PaidAmount = p.Status, p.StatusText, p.PlatformTradeNo, p.PaidAmount
	a.Sends, a.Asks, a.NoRecords = p.Sends, p.Asks, p.NoRecords
	return a
}

func stops(s acts.Stop) (all []Stop) {
	for _, by := range s.By {
		all = append(all, Stop{by.ID, by.Kind, by.Scope.String(), by.By, by.Reason, RFC3339{by.Since}})
	}
	return all
}

// history lists what the journal knows to have happened, the oldest first. It keeps no time of each send and each ask,
// only of the first and the last ones.
func history(f Found, commands string) []Event {
	p, all := f.Payout, []Event{}
	add := func(at time.Time, event, format string, args ...any) {
		if !at.IsZero() {
			all = append(all, Event{Time: RFC3339{at}, Event: event, Text: fmt.Sprintf(format, args...)})
		}
	}
	if f.Place == AwaitsSent {
		add(f.Sent, "decided", "decided to be sent: a rebuild has read that in the decisions")
	}
	if f.Place != Open {
		add(p.HeldAt, "held", "held: %s", p.Reason)
		return all
	}
	add(p.ReceivedAt, "received", "its command was read from Kafka")
	if n := len(all); n > 0 && !p.Orphan() {
		partition, offset := p.Source.Partition, p.Source.Offset
		all[n-1].Topic, all[n-1].Number, all[n-1].Offset = commands, &partition, &offset
	}
	switch {
	case p.Sends == 1 || p.LastSentAt.Equal(p.FirstSentAt):
		add(p.LastSentAt, "sent", "sent, or about to be: from here on it may have been paid")
	case p.Sends > 1:
		add(p.FirstSentAt, "sent", "sent for the first time")
		add(p.LastSentAt, "sent", "sent for the last time: it may have been sent %d times", p.Sends)
	}
	add(p.PartialAt, "partial_seen", "an ask found it partial: that counts once it is seen twice")
	add(p.PendingAt, "processing_seen", "the last ask that found it processing")
	add(p.NoRecordAt, "no_record", "the provider said that it has no record of it: %s so far", times(p.NoRecords))
	if p.State == payout.StateHeld {
		add(p.HeldAt, "held", "held: %s", p.Reason)
	} else {
		add(p.HeldAt, "held", "held")
	}
	add(p.SettledAt, "settled", "%s", ended(p))
	slices.SortStableFunc(all, func(a, b Event) int { return a.Time.Compare(b.Time.Time) })
	return all
}

func ended(p payout.Payout) string {
	text := "ended as " + p.State.String()
	if p.By != "" {
		text += " by " + p.By
	}
	if p.ConfirmedBy != "" {
		text += ", confirmed by " + p.ConfirmedBy
	}
	if p.Reason != "" {
		text += ": " + p.Reason
	}
	return text
}

// times says how often.
func times(n int) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}
