// Package audit promises to say where the books of the back office lie. They may differ from the provider's ledger, or lose
// money between two states. An event of a batch may come with two contents. A payee may stand in clear. It is for the demo,
// chaos and tests.
package audit

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math/big"
	"net/url"
	"slices"

	"disburser/backoffice/api"
	"disburser/backoffice/books"
	"disburser/internal/trial"
	"disburser/payout"
	"disburser/paypro/paysim"
)

// Account is all that the books say: the whole, and each payout.
type Account struct {
	Overview api.Overview
	Payouts  []api.Payout
}

// Ask reads all that the books say, page by page.
func Ask(ctx context.Context, c api.Client) (a Account, err error) {
	if a.Overview, err = api.Get[api.Overview](ctx, c, "/overview", nil); err != nil {
		return a, err
	}
	for p, err := range c.Each(ctx, url.Values{}) {
		if err != nil {
			return a, err
		}
		a.Payouts = append(a.Payouts, p)
	}
	return a, nil
}

// Truth is what the books are compared with.
type Truth struct {
	Expected    trial.Expected
	Ledger      paysim.Ledger
	Standings   map[string]trial.Standing
	MerchantNos map[string]string // the simulator's account of each merchant
}

// Against lists where the books don't say the same as the provider's ledger, or lose count.
func (a Account) Against(t Truth) (differences []string) {
	add := func(format string, args ...any) { differences = append(differences, fmt.Sprintf(format, args...)) }
	known, states := map[string]bool{}, map[string]int{}
	for _, p := range a.Payouts {
		if known[p.TradeNo] {
			add("%s: twice in the books", p.TradeNo)
		}
		known[p.TradeNo] = true
		states[p.State]++
		if _, ordered := t.Expected.TradeNos[p.TradeNo]; !ordered {
			add("%s: in the books, but nobody ordered it", p.TradeNo)
		}
		if wrong := differs(p, t.Ledger.Entry(t.MerchantNos[p.Merchant], p.TradeNo), t.Standings[p.TradeNo]); wrong != "" {
			add("%s: %s", p.TradeNo, wrong)
		}
	}
	for _, tradeNo := range slices.Sorted(maps.Keys(t.Expected.TradeNos)) {
		if !known[tradeNo] {
			add("%s: ordered, but not in the books", tradeNo)
		}
	}
	for state, n := range a.Overview.States {
		if n != states[state] {
			add("the books count %d payouts as %s, and list %d", n, state, states[state])
		}
	}
	return append(differences, Conserved(a.Overview.States, a.Overview.Amounts)...)
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

// Conserved checks that what was ordered is somewhere: open, or ended in one way. Nothing is less than nothing.
func Conserved(states map[string]int, amounts map[string]books.Amounts) (problems []string) {
	for _, state := range slices.Sorted(maps.Keys(states)) {
		if states[state] < 0 {
			problems = append(problems, fmt.Sprintf("the books count %d payouts as %s", states[state], state))
		}
	}
	for _, currency := range slices.Sorted(maps.Keys(amounts)) {
		a, sum := amounts[currency], new(big.Rat)
		for _, part := range Parts(a) {
			if number(part).Sign() < 0 {
				problems = append(problems, fmt.Sprintf("the books say that %q %s are somewhere", part, currency))
			}
			sum.Add(sum, number(part))
		}
		if sum.Cmp(number(a.Ordered)) != 0 {
			problems = append(problems, fmt.Sprintf("the books say that %s %s were ordered, and account for %s", a.Ordered, currency, sum.FloatString(2)))
		}
	}
	return problems
}

// Parts are where money may be, in the order of a table.
func Parts(a books.Amounts) []string {
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
