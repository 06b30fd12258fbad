package bench

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"disburser/internal/harness"
)

// limitRow is a load of the part limit: so many merchants at a rate each, or idle ones.
type limitRow struct {
	Name      string
	Merchants int
	Rate      float64 // of each, sends a second; 0 = the default, nothing is sent while it is measured
	Instances int
	Used      bool // idle, after each merchant has had one payout
}

var limitRows = []limitRow{
	{"1x50x1", 1, 50, 1, false},
	{"1x50x3", 1, 50, 3, false},
	{"1x200x3", 1, 200, 3, false},
	{"20x50x1", 20, 50, 1, false},
	{"20x50x3", 20, 50, 3, false},
	{"200x5x1", 200, 5, 1, false},
	{"200x5x3", 200, 5, 3, false},
	{"idle-1", 1, 0, 1, false},
	{"idle-1000", 1000, 0, 1, false},
	{"idle-1000-used", 1000, 0, 1, true},
}

// limitLoad is one row's figures.
type limitLoad struct {
	limitRow
	reading
	PerSecond float64            `json:"perSecond"`
	Allowed   float64            `json:"allowed"`
	Busiest   int                `json:"busiest"` // calls of one merchant in its busiest second
	Scripts   map[string]float64 `json:"scripts"` // calls of the journal's scripts
}

// warmUp goes before what is measured. There is work for spare after it, so that the load doesn't
// end meanwhile, and profiles show it too.
const warmUp, spare = 10 * time.Second, 10 * time.Second

// limited measures merchants that their limits hold back, and idle ones.
func limited(ctx context.Context, s *stage) (result, error) {
	for _, name := range s.Rows {
		if !slices.ContainsFunc(limitRows, func(r limitRow) bool { return r.Name == name }) {
			return result{}, fmt.Errorf("there is no row %q; there are: %s", name, strings.Join(limitNames(), ", "))
		}
	}
	r := result{Head: []string{"row", "results/s", "allowed", "CPU per payout", "Redis per payout", "commands per payout", "CPU, % of a core", "Redis, % of a core", "commands/s", "requests/s", "MiB (highest)"}}
	var all []limitLoad
	for _, row := range limitRows {
		if len(s.Rows) > 0 && !slices.Contains(s.Rows, row.Name) {
			continue
		}
		l, err := s.limitLoad(ctx, row)
		if err != nil {
			return r, fmt.Errorf("%s: %w", row.Name, err)
		}
		all = append(all, l)
		l.show(&r)
		s.progress.say("%s: Redis' time: %s", row.Name, l.top(14))
		s.progress.say("%s: journal's scripts a second: %s; Kafka %.1f %%, provider %.1f %% of a core, %.0f B/s into Redis' log; busiest second %d", row.Name,
			l.scripts(), l.share(l.Kafka), l.share(l.Paysim), l.Stored/l.Took.Seconds(), l.Busiest)
	}
	r.Raw = all
	return r, nil
}

func limitNames() (names []string) {
	for _, r := range limitRows {
		names = append(names, r.Name)
	}
	return names
}

// show adds the load's row to a table.
func (l limitLoad) show(r *result) {
	each := func(d time.Duration) string { return "–" }
	commands := "–"
	if l.Rate > 0 {
		each = func(d time.Duration) string { return fmt.Sprintf("%.3f ms", d.Seconds()*1000/l.Results) }
		commands = number(l.Commands / l.Results)
	}
	seconds := l.Took.Seconds()
	r.row(l.Name, l.PerSecond, l.Allowed, each(l.CPU), each(l.Redis), commands, fmt.Sprintf("%.2f", l.share(l.CPU)), fmt.Sprintf("%.2f", l.share(l.Redis)),
		l.Commands/seconds, l.Reads/seconds, fmt.Sprintf("%.0f (%.0f)", l.RSS, l.Largest))
}

// share is percent of a core.
func (l limitLoad) share(d time.Duration) float64 { return 100 * d.Seconds() / l.Took.Seconds() }

func (l limitLoad) scripts() string {
	var s []string
	for _, name := range watchedScripts {
		s = append(s, name+" "+number(l.Scripts[name]/l.Took.Seconds()))
	}
	return strings.Join(s, ", ")
}

// limitLoad plays a row.
func (s *stage) limitLoad(ctx context.Context, row limitRow) (l limitLoad, err error) {
	t, err := s.newSiteOf(ctx, "limit", `{"latency": "30ms", "latencyMax": "60ms"}`, many(row.Merchants))
	if t != nil {
		defer t.close()
	}
	if err != nil {
		return l, err
	}
	settings := service{Rate: 50, QueryRate: 100}
	if row.Rate > 0 {
		settings = service{Rate: row.Rate, QueryRate: 2 * row.Rate}
	}
	var instances []*harness.Instance
	for range row.Instances {
		i, err := t.runReady(ctx, settings)
		if err != nil {
			return l, err
		}
		instances = append(instances, i)
	}
	l = limitLoad{limitRow: row, Allowed: row.Rate * float64(row.Merchants)}
	watch := s.Watch
	if s.Quick || watch == 0 {
		watch = time.Duration(s.n(int(30 * time.Second)))
	}
	if err := t.loadTo(ctx, row, watch); err != nil {
		return l, err
	}
	s.progress.say("%s: measuring for %s", row.Name, watch)
	scripts, before := scriptCalls(ctx, instances), t.reading(ctx, instances)
	harness.Pause(ctx, watch)
	l.reading = t.reading(ctx, instances).since(before)
	l.Scripts = scriptCalls(ctx, instances)
	for name := range l.Scripts {
		l.Scripts[name] -= scripts[name]
	}
	l.PerSecond = l.Results / l.Took.Seconds()
	for _, p := range instances {
		if !p.Running() {
			return l, fmt.Errorf("%s ended:\n%s", p.Name, p.Tail())
		}
	}
	t.keepProfiles(ctx, row.Name, instances[0])
	if row.Rate > 0 {
		err = l.books(ctx, t, before.at)
	}
	return l, err
}

// keepProfiles saves, where they are wanted, five seconds of what an instance does, and its heap.
// It comes after what is measured, because profiles cost something themselves.
func (t *site) keepProfiles(ctx context.Context, row string, i *harness.Instance) {
	if t.Profile == "" {
		return
	}
	for name, path := range map[string]string{"cpu": "/debug/pprof/profile?seconds=5", "heap": "/debug/pprof/heap?gc=1", "metrics": "/metrics"} {
		if status, body := i.Get(ctx, path); status == http.StatusOK {
			_ = os.WriteFile(filepath.Join(t.Profile, row+"-"+name), body, 0o600) // a profile more or less
		}
	}
}

// loadTo brings instances to what is measured: into the middle of a backlog, or idle.
func (t *site) loadTo(ctx context.Context, row limitRow, watch time.Duration) error {
	if row.Rate > 0 {
		n := int(row.Rate * float64(row.Merchants) * (warmUp + watch + spare).Seconds())
		t.progress.say("%s: %d payouts", row.Name, n)
		err := t.publish(ctx, payouts{prefix: "L", many: row.Merchants}, 0, n)
		harness.Pause(ctx, warmUp)
		return err
	}
	if row.Used {
		t.progress.say("%s: a payout of each merchant", row.Name)
		if err := t.publish(ctx, payouts{prefix: "L", many: row.Merchants}, 0, row.Merchants); err != nil {
			return err
		}
		if err := harness.Until(ctx, 2*time.Minute, "each merchant's result", func() bool {
			return t.writtenIn(ctx, t.topics.Results, 3) >= int64(row.Merchants)
		}); err != nil {
			return err
		}
	}
	harness.Pause(ctx, min(20*time.Second, 2*watch))
	return nil
}

// books looks into the provider's: no payout twice, and each merchant's busiest second.
func (l *limitLoad) books(ctx context.Context, t *site, from time.Time) error {
	books, err := t.provider.ledger(ctx)
	if err != nil {
		return err
	}
	calls := map[string][]time.Time{}
	for _, e := range books.Entries {
		if len(e.Executions) > 1 {
			return fmt.Errorf("%s was paid %d times", e.TradeNo, len(e.Executions))
		}
		for _, x := range e.Executions {
			if !x.At.Before(from) && x.At.Before(from.Add(l.Took)) {
				calls[e.MerchantNo] = append(calls[e.MerchantNo], x.At)
			}
		}
	}
	for _, times := range calls {
		slices.SortFunc(times, time.Time.Compare)
		l.Busiest = max(l.Busiest, busiest(times, time.Second))
	}
	return nil
}
