package app

import (
	"context"
	"slices"

	"disburser/disburse"
)

// Why payouts are parked, as the metric and /readyz say it.
const (
	parkedByBatch  = "batch"    // their batch is stopped
	parkedByPayout = "payout"   // they are stopped one by one, or are about to come back
	parkedByOpen   = "max_open" // nobody stops them any more, and too many payouts are open
)

var parkedReasons = []string{parkedByBatch, parkedByPayout, parkedByOpen}

// parked are how many payouts are parked, by merchant and reason.
type parked map[string]map[string]int

// countParked counts what is parked, and shows it.
func (a *App) countParked(ctx context.Context) {
	all, err := a.shards.Parked(ctx)
	if err != nil {
		return
	}
	full := slices.ContainsFunc(a.loops, (*disburse.Loop).KeptParked)
	counts := parked{}
	for _, b := range all {
		merchant, why := b.Merchant, parkedByPayout
		if !slices.Contains(namesOf(a.config), merchant) {
			merchant = unconfigured
		}
		switch {
		case a.actions.Stops(b.Merchant, b.BatchID, "").Narrow():
			why = parkedByBatch
		case full:
			why = parkedByOpen
		}
		if counts[merchant] == nil {
			counts[merchant] = map[string]int{}
		}
		counts[merchant][why] += b.N
	}
	a.parked.Store(&counts)
	for _, merchant := range append(namesOf(a.config), unconfigured) {
		if merchant == unconfigured && counts[merchant] == nil && !a.gauges.strangers {
			continue
		}
		for _, why := range parkedReasons {
			a.gauges.parked.Set(float64(counts[merchant][why]), merchant, why)
		}
	}
}
