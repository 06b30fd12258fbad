package reconcile

import (
	"slices"
	"strings"

	"disburser/payout/money"
)

// This file says things for people. All lists are sorted: nothing depends on the order of the input.

// most bounds a list in a detail.
const most = 5

// text is an amount with its currency.
func text(a money.Amount, currency string) string {
	if a.IsZero() {
		return "an amount that isn't said"
	}
	return strings.TrimSpace(a.Canonical() + " " + currency)
}

func (l Line) money() string { return text(l.Amount, l.Currency) }

// list joins different texts.
func list(texts []string) string {
	slices.Sort(texts)
	if len(texts) > most {
		texts = append(texts[:most:most], "…")
	}
	return strings.Join(texts, ", ")
}

func (g *group) whatOrders() string {
	var texts []string
	for _, o := range g.orders {
		texts = append(texts, text(o.Amount, o.Currency))
	}
	slices.Sort(texts)
	return strings.Join(slices.Compact(texts), " or ")
}

func (g *group) whatResults() string {
	var texts []string
	for _, r := range g.finals {
		texts = append(texts, string(r.Type)+" "+text(r.Amount, r.Currency))
	}
	return list(texts)
}

func (g *group) whatPaid() string {
	var texts []string
	for _, l := range g.lines {
		if l.State == Paid {
			texts = append(texts, l.money())
		}
	}
	return list(texts)
}

var stateNames = map[State]string{Paid: "paid", Failed: "failed", Returned: "returned", Credit: "returned", Pending: "pending"}

func (g *group) whatStates() string {
	var texts []string
	for _, l := range g.lines {
		texts = append(texts, stateNames[l.State])
	}
	slices.Sort(texts)
	return list(slices.Compact(texts))
}

// whatLines tells what the statement says, if it says anything.
func (g *group) whatLines() string {
	if len(g.lines) == 0 {
		return ""
	}
	return "; the statement says " + g.whatStates()
}

// whatThereIs tells where an unknown tradeNo stands.
func (g *group) whatThereIs() string {
	var texts []string
	if len(g.finals)+len(g.held) > 0 {
		texts = append(texts, "there is a result")
	}
	for _, l := range g.lines {
		texts = append(texts, "the statement has it "+stateNames[l.State]+" with "+l.money())
	}
	return list(texts)
}
