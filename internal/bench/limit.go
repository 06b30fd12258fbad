package bench

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"disburser/internal/harness"
)

// limitRow is a load of the part limit: so many merchants, each with a limit of its own.
type limitRow struct {
	Name      string  `json:"name"`
	Merchants int     `json:"merchants"`
	Rate      float64 `json:"rate"`      // of each, sends a second
	Instances int     `json:"instances"` // of the service; 0 is the floor at the same rate
}

// limitRows stand by their loads: the floor's after the service's, so that what is compared was
// measured within minutes.
var limitRows = []limitRow{
	{"1x50x1", 1, 50, 1}, {"1x50x3", 1, 50, 3}, {"1x50-floor", 1, 50, 0},
	{"1x200x3", 1, 200, 3}, {"1x200-floor", 1, 200, 0},
	{"20x50x1", 20, 50, 1}, {"20x50x3", 20, 50, 3}, {"20x50-floor", 20, 50, 0},
	{"200x5x1", 200, 5, 1}, {"200x5x3", 200, 5, 3}, {"200x5-floor", 200, 5, 0},
}

// limitGoal is what a row should reach; 0 is no goal.
type limitGoal struct{ used, cpu, redis, commands float64 }

var limitGoals = map[string]limitGoal{
	"1x50x1":  {0.97, 0.8, 0.35, 25},
	"1x200x3": {0.97, 0.7, 0.3, 0},
	"20x50x3": {0.97, 0.5, 0.25, 0},
	"200x5x3": {0.97, 0.5, 0.25, 0},
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

// humanLatency is how a provider answers that has something to do.
const humanLatency = `{"latency": "30ms", "latencyMax": "60ms"}`

func limitNames() (names []string) {
	for _, r := range limitRows {
		names = append(names, r.Name)
	}
	return names
}

// limited measures merchants that their limits hold back.
func limited(ctx context.Context, s *stage) (result, error) {
	r := result{Head: []string{"merchants × rate × instances", "results/s", "of the limit", "busiest second", "CPU per payout", "of the floor's", "Redis CPU", "of the floor's",
		"Redis commands", "Redis requests/s"}}
	var all []limitLoad
	for _, row := range limitRows {
		if !s.wants(row.Name) {
			continue
		}
		l, err := s.limitLoad(ctx, row)
		if err != nil {
			return r, fmt.Errorf("%s: %w", row.Name, err)
		}
		all = append(all, l)
		l.tell(s)
	}
	for _, l := range all {
		l.show(&r, floorOf(l, all))
	}
	r.Raw, r.plots = all, map[string]string{"limit.svg": limitPlot(all)}
	return r, nil
}

// floorOf is the floor at the load of l, nil if it wasn't measured or if l is one itself.
func floorOf(l limitLoad, all []limitLoad) *limitLoad {
	for i, other := range all {
		if other.Instances == 0 && l.Instances > 0 && other.Merchants == l.Merchants && other.Rate == l.Rate {
			return &all[i]
		}
	}
	return nil
}

func (l limitLoad) name() string {
	name := fmt.Sprintf("%d × %s/s", l.Merchants, number(l.Rate))
	if l.Instances == 0 {
		return name + ", the floor"
	}
	return fmt.Sprintf("%s × %d", name, l.Instances)
}

// Milliseconds of CPU per payout.
func (l limitLoad) cpuEach() float64   { return l.CPU.Seconds() * 1000 / l.Results }
func (l limitLoad) redisEach() float64 { return l.Redis.Seconds() * 1000 / l.Results }

// show adds the load's row to a table, and its goals.
func (l limitLoad) show(r *result, floor *limitLoad) {
	cpu, redis := "–", "–"
	if floor != nil {
		cpu, redis = fmt.Sprintf("%.2f", l.cpuEach()/floor.cpuEach()), fmt.Sprintf("%.2f", l.redisEach()/floor.redisEach())
	}
	used := l.PerSecond / l.Allowed
	r.row(l.name(), l.PerSecond, fmt.Sprintf("%.3f", used), l.Busiest, fmt.Sprintf("%.2f ms", l.cpuEach()), cpu, fmt.Sprintf("%.2f ms", l.redisEach()), redis,
		l.Commands/l.Results, l.Reads/l.Took.Seconds())
	g, has := limitGoals[l.Name]
	if !has {
		return
	}
	r.Goals = append(r.Goals, atLeast("part of the limit used, "+l.name(), used, g.used),
		atMost("ms of CPU per payout, "+l.name(), l.cpuEach(), g.cpu), atMost("ms of Redis CPU per payout, "+l.name(), l.redisEach(), g.redis))
	if g.commands > 0 {
		r.Goals = append(r.Goals, atMost("Redis commands per payout, "+l.name(), l.Commands/l.Results, g.commands))
	}
}

// tell says what the table has no room for.
func (l limitLoad) tell(s *stage) {
	s.progress.say("%s: Redis' time: %s", l.Name, l.top(14))
	s.progress.say("%s: %s results/s, CPU %.3f ms, Redis %.3f ms, %s commands per payout; %s requests/s; RSS %.0f MiB (%.0f)", l.Name,
		number(l.PerSecond), l.cpuEach(), l.redisEach(), number(l.Commands/l.Results), number(l.Reads/l.Took.Seconds()), l.RSS, l.Largest)
	s.progress.say("%s: journal's scripts a second: %s; Kafka %.1f %%, provider %.1f %% of a core, %.0f B/s into Redis' log", l.Name,
		scriptsPerSecond(l.Scripts, l.Took), l.share(l.Kafka), l.share(l.Paysim), l.Stored/l.Took.Seconds())
}

// limitPlot shows what a payout costs, with the floor beside it.
func limitPlot(all []limitLoad) string {
	var names []string
	bar := []series{{name: "service"}, {name: "floor"}, {name: "Redis, service"}, {name: "Redis, floor"}}
	for _, l := range all {
		if floor := floorOf(l, all); floor != nil {
			names = append(names, l.Name)
			for i, value := range []float64{l.cpuEach(), floor.cpuEach(), l.redisEach(), floor.redisEach()} {
				bar[i].values = append(bar[i].values, 1000*value)
			}
		}
	}
	if len(names) == 0 {
		return ""
	}
	return bars("CPU per payout at the limit, µs", names, bar)
}

// watchFor is how long a row is measured.
func (s *stage) watchFor() time.Duration {
	if s.Watch > 0 && !s.Quick {
		return s.Watch
	}
	return time.Duration(s.n(int(watched)))
}

// limitLoad plays a row: a backlog of all merchants, and a program in the middle of it.
func (s *stage) limitLoad(ctx context.Context, row limitRow) (l limitLoad, err error) {
	t, err := s.newSiteOf(ctx, "limit", humanLatency, many(row.Merchants))
	if t != nil {
		defer t.close()
	}
	if err != nil {
		return l, err
	}
	programs, err := t.startRow(ctx, row)
	if err != nil {
		return l, err
	}
	l = limitLoad{limitRow: row, Allowed: row.Rate * float64(row.Merchants)}
	watch := s.watchFor()
	n := int(l.Allowed * (warmUp + watch + spare).Seconds())
	s.progress.say("%s: %d payouts", row.Name, n)
	if err := t.publish(ctx, payouts{prefix: "L", many: row.Merchants}, 0, n); err != nil {
		return l, err
	}
	harness.Pause(ctx, warmUp)
	s.progress.say("%s: measuring for %s", row.Name, watch)
	from := time.Now()
	if l.reading, l.Scripts, err = t.measure(ctx, programs, watch); err != nil {
		return l, err
	}
	l.PerSecond = l.Results / l.Took.Seconds()
	t.keepProfiles(ctx, row.Name, programs[0])
	return l, l.books(ctx, t, from)
}

// startRow starts the row's program: instances of the service, or the floor.
func (t *site) startRow(ctx context.Context, row limitRow) (programs []*harness.Instance, err error) {
	for range row.Instances {
		i, err := t.runReady(ctx, service{Rate: row.Rate, QueryRate: max(100, 2*row.Rate)})
		if err != nil {
			return nil, err
		}
		programs = append(programs, i)
	}
	if row.Instances > 0 {
		return programs, nil
	}
	p, err := harness.Start("floor", filepath.Join(t.dir, "floor.log"), t.floor, "-kafka", t.Kafka, "-redis", t.Redis, "-group", t.id,
		"-commands", t.topics.Commands, "-results", t.topics.Results, "-provider", "http://"+t.provider.Address+"/{merchant}",
		"-merchant-no", "100000{number}", "-secret", secret, "-first", "2s", "-rate", strconv.FormatFloat(row.Rate, 'g', -1, 64))
	if err != nil {
		return nil, err
	}
	t.running = append(t.running, p)
	return []*harness.Instance{{Process: p}}, nil
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
