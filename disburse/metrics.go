package disburse

import (
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"disburser/internal/series"
	"disburser/message"
	"disburser/payout"
	"disburser/payout/finding"
)

// Metrics are the loops': all shards share them.
type Metrics struct {
	requests, results, contrary, tokens, overdue, breaker *series.Family

	// Their series are made when there is something to count: each takes kilobytes.
	seconds, payouts *prometheus.HistogramVec

	tooLarge prometheus.Counter

	mu    sync.Mutex
	loops []*Loop
}

// Operations are the calls to the provider, as metrics name them.
const (
	OperationSend  = "send"
	OperationQuery = "query"
)

// nameless is the finding of an answer that is clear, but names no tradeNo.
const nameless = "nameless"

// unknown stands for the merchants that aren't configured; all that happens to their
// payouts is that they are rejected.
const unknown = "unknown"

// findings are what calls of each operation can find, as metrics name them.
func findings() (all [][]string) {
	for _, k := range finding.SendKinds {
		all = append(all, []string{OperationSend, k.String()})
	}
	for _, k := range finding.AskKinds {
		all = append(all, []string{OperationQuery, k.String()})
	}
	return append(all, []string{OperationSend, nameless}, []string{OperationQuery, nameless})
}

// NewMetrics registers the loop's metrics. What alerts and dashboards need begins at zero; what
// only tells of something that happened begins then.
func NewMetrics(r prometheus.Registerer, merchants []string, tokenOutcomes []string) *Metrics {
	rows := series.Of(append(slices.Clone(merchants), unknown)...)
	operations, types, outcomes := [][]string{{OperationSend}, {OperationQuery}}, [][]string(nil), [][]string(nil)
	for _, t := range message.EventTypes {
		types = append(types, []string{string(t)})
	}
	for _, outcome := range tokenOutcomes {
		outcomes = append(outcomes, []string{OperationSend, outcome}, []string{OperationQuery, outcome})
	}
	m := &Metrics{
		requests: rows.Counters("disburser_provider_requests_total", "Calls to the provider, by what was found.", []string{"operation", "finding"}, findings()...),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "disburser_provider_request_seconds", Help: "How long calls to the provider took.",
			Buckets: prometheus.ExponentialBuckets(0.005, 2, 13), // 5 ms to 20 s: the timeout is 10 s
		}, []string{"merchant", "operation"}),
		results: rows.Counters("disburser_results_total", "Result events acknowledged by Kafka.", []string{"type"}, types...),
		contrary: rows.Counters("disburser_contradictions_total", "Result events of outcomes that contradict the payout, by the event's type.",
			[]string{"type"}, types...),
		payouts: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "disburser_payout_seconds", Help: "Time from received to final in seconds.",
			Buckets: prometheus.ExponentialBuckets(0.25, 3, 13), // a quarter of a second to 37 h
		}, []string{"merchant", "type"}),
		tokens: rows.Counters("disburser_rate_tokens_total", "Requests for the right to make one call under the fleet-wide rate, by what became of them.",
			[]string{"operation", "outcome"}, outcomes...),
		overdue: rows.Counters("disburser_sends_overdue_by_grant_total", "Sends given back because their lease is over by the clock of the Redis that grants the calls.", nil),
		tooLarge: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "disburser_results_too_large_total", Help: "Result events that their topic doesn't take, not even alone; counted at each try.",
		}),
	}
	m.breaker = rows.Gauges("disburser_breaker_state", "0 closed, 1 half-open, 2 open.", func() { m.showBreakers(merchants) }, []string{"operation"}, operations...)
	for _, name := range merchants {
		m.beginAtZero(name)
	}
	m.results.Add(0, unknown, string(message.EventRejected))
	r.MustRegister(m.requests, m.seconds, m.results, m.contrary, m.payouts, m.tokens, m.breaker, m.tooLarge, m.overdue,
		slotsGauge("busy", func() float64 { busy, _ := m.slots(); return float64(busy) }),
		slotsGauge("free", func() float64 { _, free := m.slots(); return float64(free) }))
	return m
}

// beginAtZero makes the series that alerts look at: an increase from nothing to one is none to
// Prometheus.
func (m *Metrics) beginAtZero(merchant string) {
	for _, f := range findings() {
		m.requests.Add(0, merchant, f...)
	}
	for _, t := range message.EventTypes {
		m.results.Add(0, merchant, string(t))
		if t != message.EventRejected {
			m.contrary.Add(0, merchant, string(t))
		}
	}
}

func slotsGauge(state string, value func() float64) prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "disburser_slots", Help: "Slots of the instance by state. Each call to the provider takes one.",
		ConstLabels: prometheus.Labels{"state": state},
	}, value)
}

// of makes the metrics show a loop's slots and breakers too.
func (m *Metrics) of(l *Loop) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.loops = append(m.loops, l)
}

// slots are those of all loops.
func (m *Metrics) slots() (busy, free int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, l := range m.loops {
		for _, s := range l.slots {
			inUse, left := s.count()
			busy, free = busy+inUse, free+left
		}
	}
	return busy, free
}

// showBreakers sets the gauges of breakers: of all loops', the worst.
func (m *Metrics) showBreakers(merchants []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, name := range merchants {
		send, query := 0, 0
		for _, l := range m.loops {
			s, q := l.Breakers(name)
			send, query = max(send, s), max(query, q)
		}
		m.breaker.Set(float64(send), name, OperationSend)
		m.breaker.Set(float64(query), name, OperationQuery)
	}
}

// Breakers are the states of a merchant's breakers, of sends and of asks: 0 closed, 1 half-open, 2 open.
func (l *Loop) Breakers(merchant string) (send, query int) {
	if m := l.merchants[merchant]; m != nil {
		return m.sendGate.state(), m.askGate.state()
	}
	return 0, 0
}

// Tokens counts what became of tokens.
func (m *Metrics) Tokens(merchant, operation, outcome string, n int) {
	m.tokens.Add(float64(n), merchant, operation, outcome)
}

// called counts a call to the provider.
func (m *Metrics) called(merchant, operation string, f finding.Finding, took time.Duration) {
	found := f.Kind.String()
	if f.Nameless {
		found = nameless
	}
	m.requests.Add(1, merchant, operation, found)
	m.seconds.WithLabelValues(merchant, operation).Observe(took.Seconds())
}

// announced counts an event. Payouts of merchants that aren't configured are counted
// under "unknown": their names come from outside and would make labels without end.
func (m *Metrics) announced(p payout.Payout, e message.Event, now time.Time) {
	merchant := e.Merchant
	if p.Country == "" {
		merchant = unknown
	}
	m.results.Add(1, merchant, string(e.Type))
	if e.Contradiction != "" {
		m.contrary.Add(1, merchant, string(e.Type))
	}
	if p.State.Final() {
		m.payouts.WithLabelValues(merchant, string(e.Type)).Observe(now.Sub(p.ReceivedAt).Seconds())
	}
}
