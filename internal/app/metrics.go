package app

import (
	"context"
	"runtime"
	"slices"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"disburser/internal/series"
	"disburser/journal"
	"disburser/payout"
)

// censusEvery is how often the journal is counted for the gauges.
const censusEvery = 5 * time.Second

// gauges are what the program reads off the journal.
type gauges struct {
	open      *series.Family
	oldest    *series.Family
	parked    *series.Family
	markAge   *prometheus.GaugeVec
	retention *prometheus.GaugeVec
	epoch     prometheus.Gauge
	scripts   *prometheus.HistogramVec
	strangers bool // there were payouts of merchants that aren't configured
}

// unconfigured stands for the merchants that aren't configured. Their payouts are on their way to
// being rejected.
const unconfigured = "unknown"

// openStates are those in which a payout is open for long enough to be counted.
var openStates = payout.States

func newGauges(r prometheus.Registerer, merchants []string) *gauges {
	rows := series.Of(append(slices.Clone(merchants), unconfigured)...)
	var states [][]string
	for _, s := range openStates {
		states = append(states, []string{s.String()})
	}
	reasons := make([][]string, len(parkedReasons))
	for i, why := range parkedReasons {
		reasons[i] = []string{why}
	}
	g := &gauges{
		parked: rows.Gauges("disburser_parked_payouts", "Parked payouts of the whole fleet, by what keeps them from being sent.", nil, []string{"reason"}, reasons...),
		open:   rows.Gauges("disburser_open_payouts", "Open payouts of the whole fleet.", nil, []string{"state"}, states...),
		oldest: rows.Gauges("disburser_oldest_open_seconds", "Age of the oldest open payout.", nil, nil),
		markAge: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "disburser_safe_mark_age_seconds", Help: "Age of the command that holds the safe mark back, by Kafka's time of the record.",
		}, []string{"topic", "partition"}),
		retention: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "disburser_topic_retention_seconds", Help: "How long Kafka keeps the topic's records, +Inf for ever; missing where Kafka doesn't tell.",
		}, []string{"topic"}),
		epoch: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "disburser_epoch", Help: "Number of the epoch that this instance works in, with several shards the last shard's; 0 until it has one in every shard.",
		}),
		scripts: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "disburser_journal_seconds", Help: "Time of the journal's scripts in seconds, network included.",
			Buckets: prometheus.ExponentialBuckets(0.00025, 2, 13), // a quarter of a millisecond to a second
		}, []string{"script"}),
	}
	for _, m := range merchants {
		for _, s := range openStates {
			g.open.Set(0, m, s.String())
		}
		g.oldest.Set(0, m)
		for _, why := range parkedReasons {
			g.parked.Set(0, m, why)
		}
	}
	for _, name := range journal.Scripts {
		g.scripts.WithLabelValues(name)
	}
	r.MustRegister(g.open, g.oldest, g.parked, g.markAge, g.retention, g.epoch, g.scripts,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return g
}

// showState registers whether this instance is ready, as /readyz says it, and what runs.
// Alerts need no other program to tell them.
func (a *App) showState() {
	b := a.options.Build
	info := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "disburser_build_info", Help: "Always 1; the labels say what runs.",
		ConstLabels: prometheus.Labels{"version": b.Version, "commit": b.Commit, "go_version": runtime.Version()},
	})
	info.Set(1)
	ready := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "disburser_ready", Help: "1 where /readyz answers 200, otherwise 0.",
	}, func() float64 {
		if len(a.health.unready()) > 0 {
			return 0
		}
		return 1
	})
	a.options.Registry.MustRegister(info, ready)
}

// takeCensus keeps the gauges true until ctx ends.
func (a *App) takeCensus(ctx context.Context) {
	for ctx.Err() == nil {
		a.countOnce(ctx)
		sleep(ctx, censusEvery)
	}
}

func (a *App) countOnce(ctx context.Context) {
	a.gauges.epoch.Set(float64(a.epochNumber())) // also where the journal doesn't answer
	partitions := make([]int, a.partitions.Load())
	for i := range partitions {
		partitions[i] = i
	}
	c, err := a.shards.Count(ctx, partitions)
	if err != nil {
		return
	}
	a.countParked(ctx)
	now := time.Now()
	for _, merchant := range append(namesOf(a.config), "") {
		a.showMerchant(merchant, c.States[merchant], c.Oldest[merchant], now)
	}
	for _, p := range a.consumer.Partitions() {
		held := age(c.OldestIn[p], now)
		a.gauges.markAge.WithLabelValues(a.config.Kafka.Topics.Commands, strconv.Itoa(p)).Set(held)
		a.warnOfOldMark(p, time.Duration(held*float64(time.Second)), now)
	}
}

func (a *App) showMerchant(merchant string, states map[payout.State]int, oldest, now time.Time) {
	label := merchant
	if label == "" {
		if len(states) == 0 && !a.gauges.strangers {
			return
		}
		label, a.gauges.strangers = unconfigured, true // from here on also where none is left
	}
	for _, s := range openStates {
		a.gauges.open.Set(float64(states[s]), label, s.String())
	}
	a.gauges.oldest.Set(age(oldest, now), label)
}

func age(since, now time.Time) float64 {
	if since.IsZero() {
		return 0
	}
	return max(0, now.Sub(since).Seconds())
}
