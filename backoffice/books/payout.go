package books

import (
	"cmp"
	"slices"

	"disburser/message"
	"disburser/payout"
)

// Payout is all that was read about one tradeNo. Joining facts to it gives the same in any order, and a fact that is
// joined twice changes nothing, but for the number of copies. Each list is sorted. The tables hold it as codec.go writes it.
type Payout struct {
	TradeNo string
	Orders  []Order
	Events  []Event
	Sent    *Sent
	Lost    []Lost
}

// Order is what a command said. Of equal ones in a partition and a batch it is the first.
type Order struct {
	Place
	Time        int64 // Kafka's, in ms
	Fingerprint Seal
	Other       Seal // under which the same content may be known too
	Merchant    string
	Amount      string
	Currency    string
	BatchID     string
	BatchSize   int
	NotBefore   int64
	ExpiresAt   int64
	Payee       map[string]string // masked
	Hashes      []int64           // of the payee's values, see PayeeHash; sorted
	Copies      int               // how many commands said it; those carried forward don't count
}

// content names what was ordered: it is equal where the fingerprints are, whether the currency was named or not.
func (o Order) content() Seal {
	if o.Other != "" {
		return min(o.Fingerprint, o.Other)
	}
	return o.Fingerprint
}

// is tells whether a fingerprint is that of the order.
func (o Order) is(f Seal) bool { return f != "" && (f == o.Fingerprint || f == o.Other) }

// earlier orders by Kafka's time. Within a partition it is the offset that counts.
func earlier(a, b Order) int {
	if a.Partition == b.Partition {
		return a.compare(b.Place)
	}
	return cmp.Or(cmp.Compare(a.Time, b.Time), a.compare(b.Place))
}

// Event is a result. Of repeats it is the first in the topic.
type Event struct {
	Place
	ID              string
	Type            message.EventType
	Time            int64 // ce_time, in ms
	Fingerprint     Seal
	Merchant        string
	Amount          string
	Currency        string
	BatchID         string
	BatchSize       int
	Status          string
	StatusText      string
	PlatformTradeNo string
	PaidAmount      string
	Reason          string
	Contradiction   string
	By              string
	ConfirmedBy     string
	Sends           int
	Asks            int
	ReceivedAt      int64
	SentAt          int64
}

// state is the payout's state by the event.
func (e Event) state() payout.State {
	switch e.Type { // as message.FinalOf says it, without looking it up for each payout
	case message.EventPaid:
		return payout.StatePaid
	case message.EventPartial:
		return payout.StatePartial
	case message.EventFailed:
		return payout.StateFailed
	case message.EventRejected:
		return payout.StateRejected
	default:
		return payout.StateHeld
	}
}

// Sent is the first decision to send, and how many there were.
type Sent struct {
	Place
	Time     int64
	Merchant string
	Times    int
}

// Lost is a content that lost a conflict, by a dead letter.
type Lost struct {
	Place
	Time    int64 // the dead letter's, in ms
	Content Seal
}

// addOrder joins an order.
func (p *Payout) addOrder(o Order) {
	for i, known := range p.Orders {
		if known.content() == o.content() && known.Partition == o.Partition && known.BatchID == o.BatchID {
			copies := known.Copies + o.Copies
			if o.Before(known.Place) {
				p.Orders[i] = o
			}
			p.Orders[i].Copies = copies
			slices.SortFunc(p.Orders, func(a, b Order) int { return a.compare(b.Place) })
			return
		}
	}
	p.Orders = append(p.Orders, o)
	slices.SortFunc(p.Orders, func(a, b Order) int { return a.compare(b.Place) })
}

// addEvent joins an event.
func (p *Payout) addEvent(e Event) {
	i := slices.IndexFunc(p.Events, func(known Event) bool { return known.ID == e.ID })
	switch {
	case i < 0:
		p.Events = append(p.Events, e)
	case e.Before(p.Events[i].Place):
		p.Events[i] = e
	}
	slices.SortFunc(p.Events, func(a, b Event) int { return a.compare(b.Place) })
}

// addSent joins a decision to send.
func (p *Payout) addSent(s Sent) {
	if known := p.Sent; known != nil {
		times := known.Times + s.Times
		if cmp.Or(cmp.Compare(known.Time, s.Time), known.compare(s.Place)) < 0 {
			s = *known
		}
		s.Times = times
	}
	p.Sent = &s
}

// addLost joins what a dead letter says of a conflict.
func (p *Payout) addLost(l Lost) {
	i := slices.IndexFunc(p.Lost, func(known Lost) bool { return known.Content == l.Content })
	switch {
	case i < 0:
		p.Lost = append(p.Lost, l)
	case l.Before(p.Lost[i].Place):
		p.Lost[i] = l
	}
	slices.SortFunc(p.Lost, func(a, b Lost) int { return cmp.Compare(a.Content, b.Content) })
}
