package api

import (
	"cmp"
	"fmt"
	"strings"

	"disburser/backoffice/books"
	"disburser/payout"
)

// Sentence says of a payout where the money is, what proves it, and what happens next. It is a function of what is known.
func Sentence(p *books.Payout, v books.View, stops []Action, next *Next) string {
	var says []string
	switch v.State {
	case payout.StateReceived:
		says = received(v)
	case payout.StateSending, payout.StateProcessing:
		says = []string{"it may have been paid: it was decided to send it" + at(p.Sent) + ", and no outcome is known yet", "it is asked about until the provider tells, and never sent again unless you allow it"}
	case payout.StateHeld:
		says = []string{"nobody knows whether it was paid, so it is held for a person: " + cmp.Or(v.Event.Reason, "no reason was told"), "it is asked about, slowly; end it by resolve, as paid or as failed"}
	case payout.StatePaid:
		says = []string{money("paid", v) + proof(v), "nothing happens any more"}
	case payout.StatePartial:
		says = []string{fmt.Sprintf("only %s of %s was paid", amount(v.Paid, v.Currency), amount(v.Amount, v.Currency)) + proof(v), "nothing happens any more; what is missing needs a new tradeNo"}
	case payout.StateFailed:
		says = []string{"not paid" + proof(v) + because(v), "nothing happens any more; to pay it, order it under a new tradeNo"}
	case payout.StateRejected:
		says = []string{"not paid, and never sent" + because(v), "nothing happens any more; a corrected payout needs a new tradeNo"}
	default:
		says = []string{"nobody has ordered it: only a dead letter names it"}
	}
	if v.State != 0 && !v.State.Final() && next != nil {
		says[len(says)-1] = strings.TrimSpace("next "+next.At) + ": " + next.Text
	}
	if v.State == payout.StateReceived && len(stops) > 0 {
		says = append(says, "stopped by "+strings.Join(said(stops), " and "))
	}
	if e := v.Event; e != nil && e.Contradiction != "" {
		says = append(says, "look at it, something contradicts: "+e.Contradiction)
	}
	text := strings.Join(says, "; ")
	return strings.ToUpper(text[:1]) + text[1:] + "."
}

func received(v books.View) []string {
	if v.Undetermined {
		return []string{"two commands of this tradeNo say different things, and nobody has told yet which one counts", "the first that was taken in goes on, the other one becomes a dead letter"}
	}
	says := []string{"not paid yet: it was ordered, and it isn't known to have been sent"}
	switch o := v.Order; {
	case o != nil && o.NotBefore > 0:
		return append(says, "it is sent when its turn comes, not before "+books.Stamp(o.NotBefore))
	case o != nil && o.ExpiresAt > 0:
		return append(says, "it is sent when its turn comes, or rejected after "+books.Stamp(o.ExpiresAt))
	}
	return append(says, "it is sent when its turn comes")
}

func at(s *books.Sent) string {
	if s == nil || s.Time == 0 {
		return ""
	}
	return " at " + books.Stamp(s.Time)
}

// money says how much, where that is known.
func money(what string, v books.View) string {
	return what + ": " + amount(cmp.Or(v.Paid, v.Amount), v.Currency)
}

func amount(number, currency string) string {
	if number == "" {
		return "an amount that isn't known"
	}
	return strings.TrimSpace(number + " " + currency)
}

// proof says who told that it ended.
func proof(v books.View) string {
	e := v.Event
	if e == nil {
		return ""
	}
	text := ", by the provider's word"
	if e.By != "" {
		text = ", by " + e.By + "'s word"
		if e.ConfirmedBy != "" {
			text += " and " + e.ConfirmedBy + "'s"
		}
	}
	if e.PlatformTradeNo != "" {
		text += " (its number " + e.PlatformTradeNo + ")"
	}
	return text + " at " + books.Stamp(e.Time)
}

func because(v books.View) string {
	if v.Event == nil || v.Event.Reason == "" {
		return ""
	}
	return " (" + v.Event.Reason + ")"
}

func said(stops []Action) (all []string) {
	for _, s := range stops {
		all = append(all, fmt.Sprintf("%s's %s of %s (%s)", s.By, s.Kind, s.Scope, s.Reason))
	}
	return all
}
