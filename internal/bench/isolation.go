package bench

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"disburser/internal/harness"
)

// The course of an outage: when it begins, how long it lasts, how long is watched.
const (
	calm     = 8 * time.Second
	dead     = 8 * time.Second
	after    = 24 * time.Second
	fullRate = 100.0 // of each merchant
)

// outage is what a dead provider did to two merchants.
type outage struct {
	What     string    `json:"what"`
	Calls    int       `json:"callsWhileDead"`
	Before   float64   `json:"healthyRateBefore"` // calls a second, from the third second on
	While    float64   `json:"healthyRateWhile"`  // the same while the other one was dead
	Recovery float64   `json:"secondsToFullRate"`
	Broken   []float64 `json:"brokenBySecond"`
	Healthy  []float64 `json:"healthyBySecond"`
}

// isolation kills one merchant's provider while another one works.
func isolation(ctx context.Context, s *stage) (result, error) {
	r := result{Head: []string{"the failing provider", "calls it got in 8 s", "healthy merchant before", "healthy merchant meanwhile", "full rate again after"}}
	var all []outage
	plot := map[string]string{}
	for is, what := range map[string]string{"cut": "cuts connections", "hung": "hangs"} {
		o, err := s.breakOne(ctx, what, is)
		if err != nil {
			return r, fmt.Errorf("%s: %w", what, err)
		}
		all = append(all, o)
		plot["isolation-"+is+".svg"] = lines("payouts placed a second; one merchant's provider "+what+" from 8 s to 16 s", seconds(len(o.Healthy)),
			[]series{{"healthy merchant", o.Healthy}, {"broken merchant", o.Broken}})
	}
	slices.SortFunc(all, func(a, b outage) int { return strings.Compare(a.What, b.What) })
	for _, o := range all {
		r.row(o.What, o.Calls, fmt.Sprintf("%.0f/s", o.Before), fmt.Sprintf("%.0f/s", o.While), fmt.Sprintf("%.1f s", o.Recovery))
		r.Goals = append(r.Goals, atLeast("healthy merchant's rate, meanwhile / before, the other one's provider "+o.What, o.While/o.Before, 0.98))
	}
	r.Raw, r.plots = all, plot
	return r, nil
}

func (s *stage) breakOne(ctx context.Context, what, is string) (outage, error) {
	o := outage{What: what}
	t, err := s.newSite(ctx, "isolation", "")
	if t != nil {
		defer t.close()
	}
	if err != nil {
		return o, err
	}
	settings := unlimited()
	settings.Rate, settings.QueryRate, settings.Burst, settings.First = fullRate, 2*fullRate, burst, 2*time.Second
	settings.Timeout, settings.Lease, settings.OpenFor = 2*time.Second, 10*time.Second, 2*time.Second
	i, err := t.runReady(ctx, settings)
	if err != nil {
		return o, err
	}
	s.progress.say("a provider that %s", what)
	for merchant, prefix := range map[string]string{"eg-main": "X", "eg-other": "Y"} {
		if err := t.publish(ctx, payouts{prefix: prefix, merchant: merchant}, 0, 5000); err != nil {
			return o, err
		}
	}
	began := time.Now()
	harness.Pause(ctx, calm)
	before := t.broken(ctx, is)
	died := time.Now()
	if err := t.provider.outage(ctx, "eg-main", is); err != nil {
		return o, err
	}
	harness.Pause(ctx, dead)
	healed := time.Now()
	if err := t.provider.outage(ctx, "eg-main", "up"); err != nil {
		return o, err
	}
	harness.Pause(ctx, after)
	o.Calls = t.broken(ctx, is) - before
	l, err := t.provider.ledger(ctx)
	if err != nil || !i.Running() {
		return o, fmt.Errorf("%w\n%s", err, i.Tail())
	}
	whole := int((calm + dead + after).Seconds())
	o.Broken, o.Healthy = bySecond(l.sent("eg-main"), began, whole), bySecond(l.sent("eg-other"), began, whole)
	o.Before = sum(bySecond(l.sent("eg-other"), began.Add(2*time.Second), int(calm.Seconds())-2)) / (calm.Seconds() - 2)
	o.While = sum(bySecond(l.sent("eg-other"), died, int(dead.Seconds()))) / dead.Seconds()
	o.Recovery = recovery(l.sent("eg-main"), healed)
	return o, nil
}

// broken counts the calls that an outage has swallowed.
func (t *site) broken(ctx context.Context, is string) (n int) {
	l, _ := t.provider.ledger(ctx) // no books, no calls
	word := map[string]string{"cut": "down", "hung": "hung"}[is]
	for what, count := range l.Requests {
		if strings.Contains(what, word) {
			n += count
		}
	}
	return n
}

// recovery is how long after a moment the first second at full rate begins.
func recovery(times []time.Time, from time.Time) float64 {
	slices.SortFunc(times, time.Time.Compare)
	for begin := from; begin.Before(from.Add(after)); begin = begin.Add(100 * time.Millisecond) {
		n := 0
		for _, t := range times {
			if !t.Before(begin) && t.Before(begin.Add(time.Second)) {
				n++
			}
		}
		if float64(n) >= 0.95*fullRate {
			return begin.Sub(from).Seconds()
		}
	}
	return after.Seconds()
}

func sum(all []float64) (s float64) {
	for _, f := range all {
		s += f
	}
	return s
}
