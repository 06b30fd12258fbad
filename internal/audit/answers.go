package audit

import (
	"fmt"
	"maps"
	"math/big"
	"slices"

	"disburser/backoffice/api"
	"disburser/backoffice/books"
)

// Overview checks an answer about the whole: nothing is lost between the states, and the merchants are the whole.
func Overview(o api.Overview) (problems []string) {
	problems = Conserved(o.States, o.Amounts)
	counts, ordered := map[string]int{}, map[string]*big.Rat{}
	for _, name := range slices.Sorted(maps.Keys(o.Merchants)) {
		m := o.Merchants[name]
		for _, why := range Conserved(m.States, m.Amounts) {
			problems = append(problems, name+": "+why)
		}
		for state, n := range m.States {
			counts[state] += n
		}
		for currency, a := range m.Amounts {
			if ordered[currency] == nil {
				ordered[currency] = new(big.Rat)
			}
			ordered[currency].Add(ordered[currency], number(a.Ordered))
		}
	}
	for state, n := range o.States {
		if n != counts[state] {
			problems = append(problems, fmt.Sprintf("%d payouts are %s, and of the merchants %d", n, state, counts[state]))
		}
	}
	for currency, a := range o.Amounts {
		if sum := ordered[currency]; sum == nil || sum.Cmp(number(a.Ordered)) != 0 {
			problems = append(problems, fmt.Sprintf("%s %s were ordered, and of the merchants %v", a.Ordered, currency, sum))
		}
	}
	return problems
}

// Batch checks what is said of a batch, in an answer or in an event. All that was seen is in one state, and so is its money.
func Batch(v books.BatchValue) (problems []string) {
	counted := 0
	for _, n := range v.States {
		counted += n
	}
	problems = Conserved(v.States, v.Amounts)
	if counted != v.Seen {
		problems = append(problems, fmt.Sprintf("%d payouts were seen, and %d are in a state", v.Seen, counted))
	}
	for i, why := range problems {
		problems[i] = "the batch " + v.BatchID + ": " + why
	}
	return problems
}
