package api

import (
	"fmt"
	"maps"
	"slices"

	"disburser/backoffice/books"
	"disburser/message"
	"disburser/payout"
)

// Topics are the names of the topics.
type Topics map[books.Topic]string

// PayoutOf says what is known of a payout, as a list has it.
func PayoutOf(p *books.Payout, v books.View) Payout {
	a := Payout{
		TradeNo: p.TradeNo, State: StateName(v.State), Merchant: v.Merchant, BatchID: v.BatchID, Amount: v.Amount, Currency: v.Currency, PaidAmount: v.Paid,
		Undetermined: v.Undetermined, ReceivedAt: books.Stamp(v.At), ChangedAt: books.Stamp(v.ChangedAt), SettledAt: books.Stamp(v.SettledAt),
	}
	if v.Event != nil {
		a.Reason = v.Event.Reason
	}
	if v.Order != nil && !v.Undetermined {
		a.Payee = v.Order.Payee
	}
	return a
}

// StateName is a state as the API has it.
func StateName(s payout.State) string {
	if s == 0 {
		return "unknown"
	}
	return s.String()
}

// StateNamed is the state of a name; false if there is none.
func StateNamed(name string) (payout.State, bool) {
	i := slices.IndexFunc(payout.States, func(s payout.State) bool { return s.String() == name })
	if i < 0 {
		return 0, false
	}
	return payout.States[i], true
}

// DetailOf says all that the books know of a payout.
func DetailOf(p *books.Payout, topics Topics, stops []Action, next *Next) PayoutDetail {
	v := p.View()
	d := PayoutDetail{Payout: PayoutOf(p, v), History: history(p, v, topics), Stops: stops, Next: next, Why: Sentence(p, v, stops, next)}
	if o := v.Order; o != nil {
		d.NotBefore, d.ExpiresAt = books.Stamp(o.NotBefore), books.Stamp(o.ExpiresAt)
	}
	if e := v.Event; e != nil {
		d.Status, d.StatusText, d.PlatformTradeNo, d.Contradiction = e.Status, e.StatusText, e.PlatformTradeNo, e.Contradiction
		d.By, d.ConfirmedBy, d.Sends, d.Asks = e.By, e.ConfirmedBy, e.Sends, e.Asks
	} else if p.Sent != nil {
		d.Sends = p.Sent.Times
	}
	counts := books.Totals{}
	counts.Count(p)
	for k, t := range counts {
		if k.State == books.Copies {
			d.Duplicates += int(t.Count)
		}
	}
	return d
}

var eventTexts = map[message.EventType]string{
	message.EventPaid: "paid", message.EventPartial: "paid in part", message.EventFailed: "failed", message.EventRejected: "rejected, never sent",
	message.EventHeld: "held for a person",
}

// history lists what was read, in the order of time.
func history(p *books.Payout, v books.View, topics Topics) []Moment {
	all := []Moment{}
	add := func(ms int64, event, text string, topic books.Topic, at books.Place) {
		all = append(all, Moment{books.Stamp(ms), event, text, topics[topic], at.Partition, at.Offset})
	}
	for _, o := range p.Orders {
		text := fmt.Sprintf("ordered: %s to %s", amount(o.Amount, o.Currency), payeeText(o.Payee))
		switch {
		case v.Order != nil && o.Place == v.Order.Place:
		case v.Order != nil && o.Fingerprint != v.Order.Fingerprint && o.Other != v.Order.Fingerprint:
			text = "ordered with another content: " + amount(o.Amount, o.Currency)
		default:
			text = "ordered again, the same"
		}
		add(o.Time, "ordered", text, books.Commands, o.Place)
	}
	if s := p.Sent; s != nil {
		add(s.Time, "decided", "decided to be sent: from here on it may have been paid", books.Decisions, s.Place)
	}
	for _, e := range p.Events {
		text := eventTexts[e.Type]
		if e.Reason != "" {
			text += ": " + e.Reason
		}
		if e.By != "" {
			text += ", by " + e.By
		}
		add(e.Time, string(e.Type), text, books.Results, e.Place)
	}
	for _, l := range p.Lost {
		add(l.Time, "conflict", "a command with another content became a dead letter", books.DeadLetters, l.Place)
	}
	slices.SortStableFunc(all, func(a, b Moment) int {
		switch {
		case a.Time < b.Time:
			return -1
		case a.Time > b.Time:
			return 1
		}
		return 0
	})
	return all
}

func payeeText(payee map[string]string) string {
	text := ""
	for _, name := range slices.Sorted(maps.Keys(payee)) {
		if text != "" {
			text += ", "
		}
		text += name + " " + payee[name]
	}
	if text == "" {
		return "nobody that is known"
	}
	return text
}
