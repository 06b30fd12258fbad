package books

import "slices"

// Standing are the orders that may count: one of each content, less those of which a dead letter says that they lost. Where all
// of them lost, all of them stand.
func (p *Payout) Standing() (all []Order) {
	left := slices.DeleteFunc(slices.Clone(p.Orders), p.lost)
	if len(left) == 0 {
		left = p.Orders
	}
	for _, o := range left {
		if !slices.ContainsFunc(all, func(known Order) bool { return known.content() == o.content() }) {
			all = append(all, o)
		}
	}
	return all
}
