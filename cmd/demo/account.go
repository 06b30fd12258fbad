package main

import (
	"cmp"
	"fmt"
	"maps"
	"math/big"
	"slices"

	"disburser/backoffice/api"
	"disburser/backoffice/books"
	"disburser/internal/trial"
	"disburser/payout"
	"disburser/paypro/paysim"
)

// account is what the back office's books say.
type account struct {
	overview api.Overview
	payouts  []api.Payout
}

// judged is what the books are compared with.
type judged struct {
	expected  trial.Expected
	ledger    paysim.Ledger
	standings map[string]trial.Standing
}

// against lists where the books don't say the same as the provider's ledger, or lose count.
func (a account) against(j judged) (differences []string) {
	add := func(format string, args ...any) { differences = append(differences, fmt.Sprintf(format, args...)) }
	known, states := map[string]bool{}, map[string]int{}
	for _, p := range a.payouts {
		known[p.TradeNo] = true
		states[p.State]++
		if _, ordered := j.expected.TradeNos[p.TradeNo]; !ordered {
			add("%s: in the books, but nobody ordered it", p.TradeNo)
		}
		if wrong := differs(p, j.ledger.Entry(merchantNos[p.Merchant], p.TradeNo), j.standings[p.TradeNo]); wrong != "" {
			add("%s: %s", p.TradeNo, wrong)
		}
	}
	for _, tradeNo := range slices.Sorted(maps.Keys(j.expected.TradeNos)) {
		if !known[tradeNo] {
			add("%s: ordered, but not in the books", tradeNo)
		}
	}
	for state, n := range a.overview.States {
		if n != states[state] {
			add("the books count %d payouts as %s, and list %d", n, state, states[state])
		}
	}
	return append(differences, conserved(a.overview)...)
}

// differs compares a payout of the books with the provider's ledger, "" if they agree.
func differs(p api.Payout, e paysim.Entry, standing trial.Standing) string {
	state, _ := api.StateNamed(p.State)
	paid := new(big.Rat)
	for _, x := range e.Executions {
		if x.Pays() {
			paid.Add(paid, number(x.PaidAmount))
		}
	}
	switch state {
	case payout.StatePaid, payout.StatePartial:
		if e.Outcome != p.State || e.Paid() != 1 {
			return fmt.Sprintf("the books say %s, the provider's outcome is %q, paid %d times", p.State, e.Outcome, e.Paid())
		}
	case payout.StateFailed:
	case payout.StateRejected:
		if e.Placements > 0 {
			return "the books say rejected, but it was sent"
		}
	default: // it may go either way
		if standing == trial.Settled {
			return "the books say " + p.State + ", but a final result was announced"
		}
		return ""
	}
	if number(p.PaidAmount).Cmp(paid) != 0 {
		return fmt.Sprintf("the books say that %q was paid, the provider paid %s", p.PaidAmount, paid.FloatString(2))
	}
	return ""
}

// conserved checks that what was ordered is somewhere: open, or ended in one way.
func conserved(o api.Overview) (differences []string) {
	for _, currency := range slices.Sorted(maps.Keys(o.Amounts)) {
		a, sum := o.Amounts[currency], new(big.Rat)
		for _, part := range parts(a) {
			sum.Add(sum, number(part))
		}
		if sum.Cmp(number(a.Ordered)) != 0 {
			differences = append(differences, fmt.Sprintf("the books say that %s %s were ordered, and account for %s", a.Ordered, currency, sum.FloatString(2)))
		}
	}
	return differences
}

// parts are where money may be, in the order of the table.
func parts(a books.Amounts) []string {
	return []string{a.Paid, a.Partial, a.Failed, a.Rejected, a.Open}
}

// number reads an amount; "" is nothing.
func number(text string) *big.Rat {
	n, ok := new(big.Rat).SetString(cmp.Or(text, "0"))
	if !ok {
		return big.NewRat(-1, 1) // agrees with nothing
	}
	return n
}

// account prints what the books say.
func (s *screen) account(a account) {
	head := fmt.Sprintf("  %-10s %12s", "the books", "ordered")
	for _, name := range []string{"paid", "partial", "failed", "rejected", "open"} {
		head += fmt.Sprintf(" %11s", name)
	}
	s.line("%s", s.in(dim, head))
	for _, currency := range slices.Sorted(maps.Keys(a.overview.Amounts)) {
		amounts := a.overview.Amounts[currency]
		line := "  " + s.in(cyan, fmt.Sprintf("%-10s", cmp.Or(currency, "(none)"))) + s.in(bold, fmt.Sprintf(" %12s", amounts.Ordered))
		for _, part := range parts(amounts) {
			text := fmt.Sprintf(" %11s", part)
			if part == "0" {
				text = s.in(dim, text)
			}
			line += text
		}
		s.line("%s", line)
	}
	s.line("")
}
