package consumer

import (
	"strconv"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"disburser/payout/intake"
)

// Metrics are the consumer's.
type Metrics struct {
	intake            *prometheus.CounterVec
	intakeLag, safeAt *prometheus.GaugeVec

	mu   sync.Mutex
	ends map[string]int64 // by topic and partition: the offset that the next command will get
}

// NewMetrics registers the consumer's metrics, each outcome at zero.
func NewMetrics(r prometheus.Registerer) *Metrics {
	m := &Metrics{
		intake: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "disburser_intake_total", Help: "Commands taken in, by what became of them.",
		}, []string{"outcome"}),
		intakeLag: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "disburser_intake_lag", Help: "Commands not read yet.",
		}, []string{"topic", "partition"}),
		safeAt: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "disburser_safe_mark_lag", Help: "Commands from the safe mark to the end: what a wiped journal would read again.",
		}, []string{"topic", "partition"}),
		ends: map[string]int64{},
	}
	for _, outcome := range []string{"new", "duplicate", "conflict", "rejected", "dead_letter"} {
		m.intake.WithLabelValues(outcome)
	}
	r.MustRegister(m.intake, m.intakeLag, m.safeAt)
	return m
}

func (m *Metrics) count(outcomes []intake.Outcome) {
	for _, o := range outcomes {
		switch o {
		case intake.Added, intake.TooOld:
			m.intake.WithLabelValues("new").Inc()
		case intake.Rejected:
			m.intake.WithLabelValues("rejected").Inc()
		case intake.Known:
			m.intake.WithLabelValues("duplicate").Inc()
		case intake.Conflicted:
			m.intake.WithLabelValues("conflict").Inc()
		}
	}
}

func (m *Metrics) deadLetters(n int) { m.intake.WithLabelValues("dead_letter").Add(float64(n)) }

func (m *Metrics) lag(topic string, partition int, unread, end int64) {
	label := strconv.Itoa(partition)
	m.intakeLag.WithLabelValues(topic, label).Set(float64(max(0, unread)))
	m.mu.Lock()
	defer m.mu.Unlock()
	m.ends[topic+label] = end
}

func (m *Metrics) safe(topic string, partition int, mark int64) {
	label := strconv.Itoa(partition)
	m.mu.Lock()
	end, known := m.ends[topic+label]
	m.mu.Unlock()
	if known && mark >= 0 {
		m.safeAt.WithLabelValues(topic, label).Set(float64(max(0, end-mark)))
	}
}

// forget drops the gauges of partitions that another instance may read now.
func (m *Metrics) forget(topic string) {
	m.intakeLag.DeletePartialMatch(prometheus.Labels{"topic": topic})
	m.safeAt.DeletePartialMatch(prometheus.Labels{"topic": topic})
}
