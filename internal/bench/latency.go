package bench

import (
	"context"
	"fmt"
	"slices"
	"time"

	"disburser/internal/harness"
	"disburser/internal/partition"
	"disburser/message"
)

// latencyRow is a wait that nobody should have.
type latencyRow struct {
	Name, About string
	Instances   int
	Asks        bool // of asks at the limit; else of sends, one a second
}

var latencyRows = []latencyRow{
	{"alone-1", "from a command to its send, one a second, 1 instance", 1, false},
	{"alone-3", "from a command to its send, one a second, 3 instances", 3, false},
	{"due-ask", "from when an ask is due to its answer, 50/s, 1 instance", 1, true},
	{"due-ask-3", "from when an ask is due to its answer, 50/s, 3 instances", 3, true},
}

// askFirst is poll.first where asks are measured. They may come a tenth of it early, so they are
// measured from nine tenths on. What is measured is up to 20 ms more than what was late.
const askFirst = 200 * time.Millisecond

// late are the waits of a row.
type late struct {
	What   string          `json:"what"`
	Waits  []time.Duration `json:"waits"` // sorted
	Median time.Duration   `json:"median"`
	Most   time.Duration   `json:"most"`
	P95    time.Duration   `json:"p95"`
}

func lateOf(what string, waits []time.Duration) late {
	slices.Sort(waits)
	n := len(waits)
	return late{what, waits, waits[n/2], waits[n-1], waits[n*95/100]}
}

func latencyNames() (names []string) {
	for _, r := range latencyRows {
		names = append(names, r.Name)
	}
	return names
}

// latency measures how late payouts are that nothing holds back.
func latency(ctx context.Context, s *stage) (result, error) {
	r := result{Head: []string{"wait", "payouts", "median", "95 %", "longest"}}
	var all []late
	for _, row := range latencyRows {
		if !s.wants(row.Name) {
			continue
		}
		measure := s.alone
		if row.Asks {
			measure = s.dueAsks
		}
		waits, err := measure(ctx, row)
		if err != nil || len(waits) == 0 {
			return r, fmt.Errorf("%s: %d payouts: %w", row.Name, len(waits), err)
		}
		l := lateOf(row.About, waits)
		all = append(all, l)
		r.row(row.About, len(waits), milliseconds(l.Median), milliseconds(l.P95), milliseconds(l.Most))
		if row.Asks {
			r.Goals = append(r.Goals, atMost("ms, 95 %, "+row.About, l.P95.Seconds()*1000, 100))
		} else {
			r.Goals = append(r.Goals, atMost("ms, median, "+row.About, l.Median.Seconds()*1000, 10))
		}
	}
	r.Raw = all
	return r, nil
}

func milliseconds(d time.Duration) string { return fmt.Sprintf("%.1f ms", d.Seconds()*1000) }

// alone publishes a payout a second and looks when the provider got it.
func (s *stage) alone(ctx context.Context, row latencyRow) (waits []time.Duration, err error) {
	t, err := s.runningSite(ctx, humanLatency, service{Rate: 50, QueryRate: 100}, row.Instances)
	if t != nil {
		defer t.close()
	}
	if err != nil {
		return nil, err
	}
	s.progress.say("%s: a payout a second", row.Name)
	p, published := payouts{prefix: "A", many: 1}, map[string]time.Time{}
	for i := range max(5, s.n(30)) {
		harness.Pause(ctx, time.Second+time.Duration(i)*7*time.Millisecond) // not in step with anything
		if err := t.publish(ctx, p, i, i+1); err != nil {
			return nil, err
		}
		published[p.tradeNo(i)] = time.Now()
	}
	harness.Pause(ctx, 2*time.Second)
	books, err := t.provider.ledger(ctx)
	if err != nil {
		return nil, err
	}
	for _, e := range books.Entries {
		if at, known := published[e.TradeNo]; known && len(e.Executions) == 1 {
			waits = append(waits, max(0, e.Executions[0].At.Sub(at)))
		}
	}
	if len(waits) != len(published) {
		return nil, fmt.Errorf("%d of %d payouts were sent once", len(waits), len(published))
	}
	return waits, nil
}

// dueAsks lets payouts through at a limit, and looks how long after its send each was settled. The
// provider answers at once, and knows the outcome at the first ask.
func (s *stage) dueAsks(ctx context.Context, row latencyRow) (waits []time.Duration, err error) {
	t, err := s.runningSite(ctx, "", service{Rate: 50, QueryRate: 100, First: askFirst, Plain: true}, row.Instances)
	if t != nil {
		defer t.close()
	}
	if err != nil {
		return nil, err
	}
	n := s.n(1000)
	s.progress.say("%s: %d payouts", row.Name, n)
	if err := t.publish(ctx, payouts{prefix: "D", many: 1}, 0, n); err != nil {
		return nil, err
	}
	if err := harness.Until(ctx, 2*time.Minute, "all results", func() bool {
		return t.writtenIn(ctx, t.topics.Results, 3) >= int64(n)
	}); err != nil {
		return nil, err
	}
	all, err := t.events(ctx)
	if err != nil {
		return nil, err
	}
	books, err := t.provider.ledger(ctx)
	if err != nil {
		return nil, err
	}
	sent := map[string]time.Time{} // not what the result says: that is when the lease began
	for _, e := range books.Entries {
		for _, x := range e.Executions {
			sent[e.TradeNo] = x.At
		}
	}
	for _, e := range all {
		settled, err := time.Parse(time.RFC3339Nano, e.SettledAt)
		if err != nil || e.Type != message.EventPaid {
			return nil, fmt.Errorf("not paid: %+v", e)
		}
		waits = append(waits, max(0, settled.Sub(sent[e.TradeNo])-askFirst*9/10))
	}
	return waits, nil
}

// runningSite is a site of one merchant with instances that are ready.
func (s *stage) runningSite(ctx context.Context, behavior string, settings service, instances int) (*site, error) {
	t, err := s.newSiteOf(ctx, "latency", behavior, many(1))
	if err != nil {
		return t, err
	}
	for range instances {
		if _, err := t.runReady(ctx, settings); err != nil {
			return t, err
		}
	}
	harness.Pause(ctx, 3*time.Second) // the group has come to rest
	return t, nil
}

// events reads all results.
func (t *site) events(ctx context.Context) (all []message.Event, err error) {
	for p := range 3 {
		source := partition.Source{Client: t.client, Topic: t.topics.Results, Partition: p}
		_, end, err := source.Bounds(ctx)
		if err != nil {
			return nil, err
		}
		for from := int64(0); from < end; {
			page, err := source.Fetch(ctx, from, time.Second)
			if err != nil {
				return nil, err
			}
			for _, record := range page.Records {
				e, err := message.DecodeEvent(message.New(record.Key, record.Value, record.Headers))
				if err != nil {
					return nil, fmt.Errorf("a result can't be read: %s: %w", record.Value, err)
				}
				all = append(all, e)
			}
			from = page.Next
		}
	}
	return all, nil
}
