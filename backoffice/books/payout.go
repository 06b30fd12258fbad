package books

import (
	"cmp"
	"slices"

	"disburser/message"
	"disburser/payout"
)

// Payout is all that was read about one tradeNo. Joining facts to it gives the same in any order, and a fact that is
// joined twice changes nothing, but for the number of copies. Each list is sorted. Its JSON is what the tables hold.
type Payout struct {
	TradeNo string  `json:"-"`
	Orders  []Order `json:"c,omitempty"`
	Events  []Event `json:"e,omitempty"`
	Sent    *Sent   `json:"s,omitempty"`
	Lost    []Lost  `json:"l,omitempty"`
}

// Order is what a command said. Of equal ones in a partition and a batch it is the first.
type Order struct {
	Place
	Time        int64             `json:"t"` // Kafka's, in ms
	Fingerprint Seal              `json:"f"`
	Other       Seal              `json:"g,omitempty"` // under which the same content may be known too
	Merchant    string            `json:"m,omitempty"`
	Amount      string            `json:"a,omitempty"`
	Currency    string            `json:"u,omitempty"`
	BatchID     string            `json:"b,omitempty"`
	BatchSize   int               `json:"z,omitempty"`
	NotBefore   int64             `json:"nb,omitempty"`
	ExpiresAt   int64             `json:"ea,omitempty"`
	Payee       map[string]string `json:"y,omitempty"` // masked
	Hashes      []int64           `json:"h,omitempty"` // of the payee's values, see PayeeHash; sorted
	Copies      int               `json:"k,omitempty"` // how many commands said it; those carried forward don't count
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
	ID              string            `json:"id"`
	Type            message.EventType `json:"ty"`
	Time            int64             `json:"t"` // ce_time, in ms
	Fingerprint     Seal              `json:"f,omitempty"`
	Merchant        string            `json:"m,omitempty"`
	Amount          string            `json:"a,omitempty"`
	Currency        string            `json:"u,omitempty"`
	BatchID         string            `json:"b,omitempty"`
	BatchSize       int               `json:"z,omitempty"`
	Status          string            `json:"st,omitempty"`
	StatusText      string            `json:"sx,omitempty"`
	PlatformTradeNo string            `json:"pt,omitempty"`
	PaidAmount      string            `json:"pa,omitempty"`
	Reason          string            `json:"r,omitempty"`
	Contradiction   string            `json:"x,omitempty"`
	By              string            `json:"by,omitempty"`
	ConfirmedBy     string            `json:"cb,omitempty"`
	Sends           int               `json:"ns,omitempty"`
	Asks            int               `json:"na,omitempty"`
	ReceivedAt      int64             `json:"ra,omitempty"`
	SentAt          int64             `json:"sa,omitempty"`
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
	Time     int64  `json:"t"`
	Merchant string `json:"m,omitempty"`
	Times    int    `json:"k"`
}

// Lost is a content that lost a conflict, by a dead letter.
type Lost struct {
	Place
	Time    int64 `json:"t"` // the dead letter's, in ms
	Content Seal  `json:"f"`
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
