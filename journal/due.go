package journal

import (
	"context"

	"disburser/payout/leases"
)

// Due answers what there is to do for the given merchants.
func (j *Journal) Due(ctx context.Context, merchants []string) (leases.Agenda, error) {
	args := make([]any, len(merchants))
	for i, m := range merchants {
		args[i] = m
	}
	answer, err := j.run(ctx, "due", args...)
	if err != nil {
		return leases.Agenda{}, err
	}
	work := func(i int) leases.Work {
		return leases.Work{Due: int(number(answer, 1+2*i)), Next: instant(answer, 2+2*i)}
	}
	a := leases.Agenda{Now: instant(answer, 0), Send: map[string]leases.Work{}, Ask: map[string]leases.Work{}}
	for i, m := range merchants {
		a.Send[m], a.Ask[m] = work(2*i), work(2*i+1)
	}
	a.Announce, a.Review = work(2*len(merchants)), work(2*len(merchants)+1)
	return a, nil
}
