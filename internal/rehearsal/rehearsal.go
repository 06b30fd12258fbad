// Package rehearsal promises to tell how a file of payouts would go, and to send nothing. The real program runs with
// the real configuration, in virtual time. Only Kafka, Redis and the provider are played, in the same process.
//
// What comes of it is as good as what is assumed of the provider. A report names that (Report.Assumed). Nobody has
// measured the real one.
package rehearsal

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"disburser/config"
	"disburser/message"
)

// Plan is what is rehearsed. It travels to another process as JSON, see Start.
type Plan struct {
	Config    config.Config // what it says of merchants, rates and polling counts; addresses and secrets don't
	Commands  [][]byte      // in the order of the file
	Day       Day
	Instances int
	Begins    time.Time     // when the commands are published, all at once
	Limit     time.Duration // of virtual time after that, in which it ends
}

// Progress is how far a rehearsal is.
type Progress struct {
	Passed  time.Duration `json:"passed"` // of virtual time, since the commands
	Settled int           `json:"settled"`
	Held    int           `json:"held"`
}

// Report says how it went. Times are durations since the commands were published.
type Report struct {
	Day       Day           `json:"day"`
	Instances int           `json:"instances"`
	Begins    time.Time     `json:"begins"`
	Payouts   int           `json:"payouts"`
	Finished  bool          `json:"finished"` // each payout has an outcome, or is held
	Limit     time.Duration `json:"-"`
	Merchants []Merchant    `json:"merchants"`
	Assumed   []string      `json:"assumed"`
}

// Merchant is what came of the payouts of one merchant.
type Merchant struct {
	Merchant     string `json:"merchant"`
	Payouts      int    `json:"payouts"`
	Paid         int    `json:"paid"`
	Partial      int    `json:"partial"`
	Failed       int    `json:"failed"`
	Rejected     int    `json:"rejected"`
	Held         int    `json:"held"`
	Open         int    `json:"open"`         // without any of these
	Sends        int    `json:"sends"`        // requests to pay
	Asks         int    `json:"asks"`         // requests for an outcome
	HalfAfter    Span   `json:"halfAfter"`    // when half of the payouts had an outcome
	LastAfter    Span   `json:"lastAfter"`    // when the last one had it
	BusiestSends int    `json:"busiestSends"` // in the busiest second, wherever it begins
	BusiestAsks  int    `json:"busiestAsks"`
}

// Span is a duration that is written as text, "1m30s".
type Span time.Duration

// MarshalText writes the text.
func (s Span) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads the text.
func (s *Span) UnmarshalText(text []byte) error {
	d, err := time.ParseDuration(string(text))
	*s = Span(d)
	return err
}

func (s Span) String() string { return time.Duration(s).Round(100 * time.Millisecond).String() }

const (
	// settling is how long the instances get to start before the commands come.
	settling = 10 * time.Second

	// look is the virtual time between two looks at how far it is.
	look = time.Second
)

// Run plays a plan to its end. It must be called in a synctest bubble. told hears how far it is now and then.
func Run(ctx context.Context, p Plan, told func(Progress)) (Report, error) {
	if len(p.Commands) == 0 {
		return Report{}, errors.New("there is no payout to rehearse")
	}
	time.Sleep(time.Until(p.Begins.Add(-settling)))
	w, err := newWorld(p)
	if err != nil {
		return Report{}, err
	}
	defer w.close()
	if err := w.start(); err != nil {
		return Report{}, err
	}
	time.Sleep(time.Until(p.Begins))
	if err := w.publish(ctx); err != nil {
		return Report{}, err
	}
	done := false
	for passed := time.Duration(0); !done && passed < p.Limit && ctx.Err() == nil; {
		time.Sleep(look)
		if err := w.trouble(); err != nil {
			return Report{}, fmt.Errorf("the service ended by itself in the rehearsal: %w", err)
		}
		passed = time.Since(p.Begins)
		settled, held := w.outcomes.count()
		told(Progress{passed, settled, held})
		done = settled+held >= w.payouts
	}
	if ctx.Err() != nil {
		return Report{}, ctx.Err()
	}
	return w.report(done), nil
}

// report sums up.
func (w *world) report(done bool) Report {
	r := Report{Day: w.plan.Day, Instances: w.plan.Instances, Begins: w.plan.Begins, Payouts: w.payouts, Finished: done, Limit: w.plan.Limit, Assumed: w.plan.assumed()}
	for _, name := range slices.Sorted(maps.Keys(w.of)) {
		m := Merchant{Merchant: name, Payouts: w.of[name]}
		sends, asks := w.sim.Arrivals(w.accounts[name]), w.sim.QueryArrivals(w.accounts[name])
		m.Sends, m.Asks = len(sends), len(asks)
		m.BusiestSends, m.BusiestAsks = busiest(sends), busiest(asks)
		w.outcomes.sum(&m, w.plan.Begins)
		r.Merchants = append(r.Merchants, m)
	}
	return r
}

// sum counts the outcomes of a merchant.
func (o *outcomes) sum(m *Merchant, begins time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	var ends []time.Duration
	for _, e := range o.last {
		if e.merchant != m.Merchant {
			continue
		}
		switch e.kind {
		case message.EventPaid:
			m.Paid++
		case message.EventPartial:
			m.Partial++
		case message.EventFailed:
			m.Failed++
		case message.EventRejected:
			m.Rejected++
		case message.EventHeld:
			m.Held++
			continue
		}
		ends = append(ends, e.at.Sub(begins))
	}
	m.Open = m.Payouts - m.Held - len(ends)
	if len(ends) > 0 {
		slices.Sort(ends)
		m.HalfAfter, m.LastAfter = Span(ends[(len(ends)-1)/2]), Span(ends[len(ends)-1])
	}
}

// busiest is the largest number of calls within one second, wherever it begins.
func busiest(calls []time.Time) (most int) {
	slices.SortFunc(calls, func(a, b time.Time) int { return cmp.Compare(a.UnixNano(), b.UnixNano()) })
	first := 0
	for i, at := range calls {
		for at.Sub(calls[first]) >= time.Second {
			first++
		}
		most = max(most, i-first+1)
	}
	return most
}
