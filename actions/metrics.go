package actions

import (
	"math"
	"slices"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"disburser/payout/acts"
)

// Metrics are the follower's.
type Metrics struct {
	pauses   *prometheus.GaugeVec
	waiting  prometheus.Gauge
	total    *prometheus.CounterVec
	follower atomic.Pointer[Follower]
}

// NewMetrics registers them. What alerts look at begins at zero.
func NewMetrics(r prometheus.Registerer) *Metrics {
	m := &Metrics{
		pauses: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "disburser_pauses", Help: "Pauses in force, by what they name: fleet, merchant, batch, payout.",
		}, []string{"scope_kind"}),
		waiting: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "disburser_actions_waiting", Help: "Actions that wait for another person's confirm.",
		}),
		total: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "disburser_actions_total", Help: "Records of the actions topic since the start, those of before it too, by what became of them.",
		}, []string{"kind", "result"}),
	}
	for _, kind := range acts.ScopeKinds {
		m.pauses.WithLabelValues(string(kind))
	}
	for _, kind := range []acts.Kind{acts.Pause, acts.Resume} {
		m.total.WithLabelValues(string(kind), string(acts.Obeyed))
	}
	for _, kind := range []acts.Kind{acts.Cancel, acts.Resolve, acts.Ask} {
		for _, result := range []acts.Result{acts.Done, acts.Refused, acts.Expired} {
			m.total.WithLabelValues(string(kind), string(result))
		}
	}
	m.total.WithLabelValues(unknown, string(acts.Unreadable))
	r.MustRegister(m.pauses, m.waiting, m.total, prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "disburser_actions_age_seconds", Help: "For how long nobody has known whether there are more actions; +Inf until they were read once.",
	}, m.age))
	return m
}

// unknown stands for kinds that nobody knows: their names come from outside.
const unknown = "unknown"

func (m *Metrics) of(f *Follower) { m.follower.Store(f) }

func (m *Metrics) age() float64 {
	if f := m.follower.Load(); f != nil {
		if age, ever := f.Age(); ever {
			return max(0, age.Seconds())
		}
	}
	return math.Inf(1)
}

func (m *Metrics) took(a acts.Action, result acts.Result) {
	kind := string(a.Kind)
	if result == acts.Unreadable || !slices.Contains(acts.Kinds, a.Kind) {
		kind = unknown
	}
	m.total.WithLabelValues(kind, string(result)).Inc()
}

func (m *Metrics) show(v *acts.View) {
	m.waiting.Set(float64(len(v.Waiting())))
	counts := v.Count(acts.Pause)
	for _, kind := range acts.ScopeKinds {
		m.pauses.WithLabelValues(string(kind)).Set(float64(counts[kind]))
	}
}
