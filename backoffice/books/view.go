package books

import (
	"cmp"
	"slices"

	"disburser/payout"
	"disburser/payout/money"
)

// View is what the facts of a tradeNo mean.
type View struct {
	State        payout.State // 0: nothing but a lost content is known, so there is no payout yet
	Merchant     string
	BatchID      string
	Amount       string // as it was ordered, "" where it isn't known
	Currency     string
	Paid         string // what the provider says was paid, of paid and partial
	Undetermined bool   // two contents came, and nobody has told yet which one counts
	At           int64  // the first that was heard of it, in ms
	ChangedAt    int64  // when it came to its state
	SettledAt    int64  // when it ended, 0 if it hasn't
	Content      Seal   // what was ordered, once it has ended and was not rejected: it counts for its batch's digest

	// The command and the result that count, nil where none was read. They may be part of the payout, and change with it.
	Order *Order
	Event *Event
}

// rank says which of several final events counts. There should be one only. What says that money moved goes first.
var rank = map[payout.State]int{
	payout.StateHeld: 1, payout.StateRejected: 2, payout.StateFailed: 3, payout.StatePartial: 4, payout.StatePaid: 5,
}

// View says what the facts mean. It is a function of them.
func (p *Payout) View() View {
	v := View{Event: p.event()}
	v.Order, v.Undetermined = p.order(v.Event)
	first := func(at int64) {
		if at > 0 && (v.At == 0 || at < v.At) {
			v.At = at
		}
	}
	if o := v.Order; o != nil {
		v.State, v.ChangedAt = payout.StateReceived, o.Time
		v.Merchant, v.BatchID, v.Amount, v.Currency = o.Merchant, o.BatchID, o.Amount, o.Currency
		if v.Undetermined {
			v.Amount = ""
		}
		first(o.Time)
	}
	if s := p.Sent; s != nil {
		v.State, v.ChangedAt = payout.StateSending, s.Time
		v.Merchant = cmp.Or(v.Merchant, s.Merchant)
		first(s.Time)
	}
	if e := v.Event; e != nil {
		v.State, v.ChangedAt = e.state(), e.Time
		v.Merchant, v.BatchID, v.Amount, v.Currency, v.Paid = e.Merchant, e.BatchID, e.Amount, e.Currency, e.PaidAmount
		if e.state().Final() {
			v.SettledAt = e.Time
		}
		if e.state().Final() && e.state() != payout.StateRejected {
			v.Content = e.Fingerprint
		}
		first(e.ReceivedAt)
		first(e.Time)
	}
	return v
}

// event is the one that counts: a final one before a hold, and of holds the latest.
func (p *Payout) event() *Event {
	switch len(p.Events) {
	case 0:
		return nil
	case 1: // nearly all: nothing is copied
		return &p.Events[0]
	}
	e := slices.MaxFunc(p.Events, func(a, b Event) int {
		return cmp.Or(cmp.Compare(rank[a.state()], rank[b.state()]), cmp.Compare(a.Time, b.Time), a.compare(b.Place))
	})
	return &e
}

// order is the command that counts. Where two contents came, the result tells which one, or a dead letter that another
// one lost. Within a partition it is the first.
func (p *Payout) order(e *Event) (o *Order, undetermined bool) {
	switch len(p.Orders) {
	case 0:
		return nil, false
	case 1: // it counts, whatever is said of it
		return &p.Orders[0], false
	}
	left := p.Orders
	if e != nil && slices.ContainsFunc(left, func(o Order) bool { return o.is(e.Fingerprint) }) {
		left = slices.DeleteFunc(slices.Clone(left), func(o Order) bool { return !o.is(e.Fingerprint) })
	} else if won := slices.DeleteFunc(slices.Clone(left), p.lost); len(won) > 0 {
		left = won
	}
	first := slices.MinFunc(left, earlier)
	for _, other := range left {
		if other.content() != first.content() && other.Partition != first.Partition {
			undetermined = true
		}
	}
	return &first, undetermined
}

func (p *Payout) lost(o Order) bool {
	return slices.ContainsFunc(p.Lost, func(l Lost) bool { return l.Content == o.content() })
}

// scale is how many digits behind the point the tables hold. No currency has more than four.
const scale = 6

// Units are an amount in millionths, as the tables hold it. It is false where there is no amount, or where it has more
// digits than fit.
func Units(amount string) (units int64, fits bool) {
	if amount == "" { // of most payouts until they are paid
		return 0, false
	}
	a, err := money.Read(amount)
	if err != nil {
		return 0, false
	}
	canonical := a.Canonical()
	whole, fraction := canonical, ""
	for i := range len(canonical) {
		if canonical[i] == '.' {
			whole, fraction = canonical[:i], canonical[i+1:]
		}
	}
	if len(whole)+scale > 18 || len(fraction) > scale { // 18 digits fit whatever they are
		return 0, false
	}
	for i := range len(whole) {
		units = units*10 + int64(whole[i]-'0')
	}
	for i := range scale {
		units *= 10
		if i < len(fraction) {
			units += int64(fraction[i] - '0')
		}
	}
	return units, true
}
