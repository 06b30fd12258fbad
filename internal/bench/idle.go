package bench

import (
	"context"
	"fmt"
	"path/filepath"
	"regexp"
	"strconv"
	"time"

	"disburser/internal/harness"
)

// idleRow is an instance that has nothing to do, or a large heap.
type idleRow struct {
	Name      string `json:"name"`
	About     string `json:"about"`
	Merchants int    `json:"merchants"`
	Used      bool   `json:"used"` // after each merchant has had some payouts
	Heap      bool   `json:"heap"` // not idle: a program with 300 MB alive, at 1,000 payouts a second
}

var idleRows = []idleRow{
	{Name: "idle-1", About: "1 merchant, idle", Merchants: 1},
	{Name: "idle-1000", About: "1 000 merchants, idle", Merchants: 1000},
	{Name: "idle-1000-used", About: "1 000 merchants, idle after payouts of each", Merchants: 1000, Used: true},
	{Name: "heap", About: "1 merchant at 1 000/s, 300 MB alive", Merchants: 1, Heap: true},
}

// idleLoad is one row's figures.
type idleLoad struct {
	idleRow
	reading
	Collector time.Duration      `json:"collector"` // CPU of Go's collector, where a heap is measured
	Scripts   map[string]float64 `json:"scripts"`
}

func idleNames() (names []string) {
	for _, r := range idleRows {
		names = append(names, r.Name)
	}
	return names
}

// idling measures what an instance costs that has nothing to do, and what a large heap costs.
func idling(ctx context.Context, s *stage) (result, error) {
	r := result{Head: []string{"one instance", "CPU", "Redis CPU", "Redis commands/s", "Redis requests/s", "bytes/s into Redis' log", "MiB (highest)", "Go's collector"}}
	var all []idleLoad
	for _, row := range idleRows {
		if !s.wants(row.Name) {
			continue
		}
		l, err := s.idle(ctx, row)
		if err != nil {
			return r, fmt.Errorf("%s: %w", row.Name, err)
		}
		all = append(all, l)
		l.show(&r)
		s.progress.say("%s: Redis' time: %s", row.Name, l.top(14))
		s.progress.say("%s: journal's scripts a second: %s; Kafka %.1f %% of a core", row.Name, scriptsPerSecond(l.Scripts, l.Took), l.share(l.Kafka))
	}
	r.Raw = all
	return r, nil
}

// show adds the row to a table, and its goals.
func (l idleLoad) show(r *result) {
	seconds, collector := l.Took.Seconds(), "–"
	if l.Heap {
		collector = fmt.Sprintf("%.1f %%", l.share(l.Collector))
	}
	r.row(l.About, fmt.Sprintf("%.2f %%", l.share(l.CPU)), fmt.Sprintf("%.2f %%", l.share(l.Redis)), l.Commands/seconds, l.Reads/seconds, l.Stored/seconds,
		fmt.Sprintf("%.0f (%.0f)", l.RSS, l.Largest), collector)
	switch {
	case l.Heap:
		r.Goals = append(r.Goals, atMost("% of a core in the collector, "+l.About, l.share(l.Collector), 10))
	case l.Merchants == 1:
		r.Goals = append(r.Goals, atMost("% of a core, "+l.About, l.share(l.CPU), 0.5), atMost("Redis commands/s, "+l.About, l.Commands/seconds, 25))
	default:
		r.Goals = append(r.Goals, atMost("% of a core, "+l.About, l.share(l.CPU), 2), atMost("Redis commands/s, "+l.About, l.Commands/seconds, 100))
		if !l.Used {
			r.Goals = append(r.Goals, atMost("MiB, "+l.About, l.RSS, 60))
		}
	}
}

// idle plays a row.
func (s *stage) idle(ctx context.Context, row idleRow) (l idleLoad, err error) {
	t, err := s.newSiteOf(ctx, "idle", humanLatency, many(row.Merchants))
	if t != nil {
		defer t.close()
	}
	if err != nil {
		return l, err
	}
	settings := service{Rate: 50, QueryRate: 100} // the defaults
	if row.Heap {
		settings = service{Rate: 1000, QueryRate: 2000}
		t.program = filepath.Join(t.dir, "ballast")
		if err := harness.BuildTagged(ctx, s.Root, t.program, "ballast", "cmd/disburser"); err != nil {
			return l, err
		}
	}
	i, err := t.runReady(ctx, settings)
	if err != nil {
		return l, err
	}
	if err := t.settle(ctx, row); err != nil {
		return l, err
	}
	l, watch, before := idleLoad{idleRow: row}, s.watchFor(), collectorTime(i)
	s.progress.say("%s: measuring for %s", row.Name, watch)
	if l.reading, l.Scripts, err = t.measure(ctx, []*harness.Instance{i}, watch); err != nil {
		return l, err
	}
	l.Collector = collectorTime(i) - before
	t.keepProfiles(ctx, row.Name, i)
	return l, nil
}

// settle brings an instance to what is measured: idle, or in the middle of a backlog.
func (t *site) settle(ctx context.Context, row idleRow) error {
	n := 0
	switch {
	case row.Heap:
		n = int(1000 * (warmUp + t.watchFor() + spare).Seconds())
	case row.Used:
		n = partitions * row.Merchants
	}
	t.progress.say("%s: %d payouts", row.Name, n)
	if err := t.publish(ctx, payouts{prefix: "L", many: row.Merchants}, 0, n); err != nil {
		return err
	}
	if row.Used {
		if err := harness.Until(ctx, 2*time.Minute, "each merchant's results", func() bool {
			return t.writtenIn(ctx, t.topics.Results, 3) >= int64(n)
		}); err != nil {
			return err
		}
	}
	if row.Heap {
		harness.Pause(ctx, warmUp)
	} else {
		harness.Pause(ctx, min(20*time.Second, 2*t.watchFor()))
	}
	return nil
}

var collectorLine = regexp.MustCompile(`ballast: collector ([0-9.]+) s`)

// collectorTime is what Go's collector has used, as the program of a large heap tells it each
// second; 0 for others.
func collectorTime(i *harness.Instance) time.Duration {
	all := collectorLine.FindAllSubmatch(i.Printed(), -1)
	if len(all) == 0 {
		return 0
	}
	seconds, _ := strconv.ParseFloat(string(all[len(all)-1][1]), 64)
	return time.Duration(seconds * float64(time.Second))
}
