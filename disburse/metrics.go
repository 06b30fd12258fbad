package disburse

import (
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"disburser/message"
	"disburser/payout"
	"disburser/payout/finding"
)

// Metrics are the loop's.
type Metrics struct {
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	results  *prometheus.CounterVec
	contrary *prometheus.CounterVec
	payouts  *prometheus.HistogramVec
	tokens   *prometheus.CounterVec
	breaker  *prometheus.GaugeVec
	slots    *prometheus.GaugeVec
	tooLarge prometheus.Counter
	overdue  *prometheus.CounterVec

	mu    sync.Mutex
	views map[*Loop]view // the loops of all shards share the gauges
}

// view is what one loop shows.
type view struct {
	busy, free int
	gates      map[gateName]int
}

type gateName struct{ merchant, operation string }

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

// NewMetrics registers the loop's metrics, every label value at zero.
func NewMetrics(r prometheus.Registerer, merchants []string, tokenOutcomes []string) *Metrics {
	m := &Metrics{
		views: map[*Loop]view{},
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "disburser_provider_requests_total", Help: "Calls to the provider, by what was found.",
		}, []string{"merchant", "operation", "finding"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "disburser_provider_request_seconds", Help: "How long calls to the provider took.",
			Buckets: prometheus.ExponentialBuckets(0.005, 2, 13), // 5 ms to 20 s: the timeout is 10 s
		}, []string{"merchant", "operation"}),
		results: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "disburser_results_total", Help: "Result events acknowledged by Kafka.",
		}, []string{"merchant", "type"}),
		contrary: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "disburser_contradictions_total", Help: "Result events of outcomes that contradict the payout, by the event's type.",
		}, []string{"merchant", "type"}),
		payouts: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "disburser_payout_seconds", Help: "Time from received to final in seconds.",
			Buckets: prometheus.ExponentialBuckets(0.25, 3, 13), // a quarter of a second to 37 h
		}, []string{"merchant", "type"}),
		tokens: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "disburser_rate_tokens_total", Help: "Requests for the right to make one call under the fleet-wide rate, by what became of them.",
		}, []string{"merchant", "operation", "outcome"}),
		breaker: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "disburser_breaker_state", Help: "0 closed, 1 half-open, 2 open.",
		}, []string{"merchant", "operation"}),
		slots: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "disburser_slots", Help: "Slots of the instance by state. Each call to the provider takes one.",
		}, []string{"state"}),
		overdue: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "disburser_sends_overdue_by_grant_total", Help: "Sends given back because their lease is over by the clock of the Redis that grants the calls.",
		}, []string{"merchant"}),
		tooLarge: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "disburser_results_too_large_total", Help: "Result events that their topic doesn't take, not even alone; counted at each try.",
		}),
	}
	for _, name := range merchants {
		m.create(name, tokenOutcomes)
	}
	m.results.WithLabelValues(unknown, string(message.EventRejected))
	m.payouts.WithLabelValues(unknown, string(message.EventRejected))
	m.slots.WithLabelValues("busy")
	m.slots.WithLabelValues("free")
	r.MustRegister(m.requests, m.seconds, m.results, m.contrary, m.payouts, m.tokens, m.breaker, m.slots, m.tooLarge, m.overdue)
	return m
}

func (m *Metrics) create(merchant string, tokenOutcomes []string) {
	for operation, kinds := range map[string][]finding.Kind{OperationSend: finding.SendKinds, OperationQuery: finding.AskKinds} {
		for _, k := range kinds {
			m.requests.WithLabelValues(merchant, operation, k.String())
		}
		m.requests.WithLabelValues(merchant, operation, nameless)
		for _, outcome := range tokenOutcomes {
			m.tokens.WithLabelValues(merchant, operation, outcome)
		}
		m.seconds.WithLabelValues(merchant, operation)
		m.breaker.WithLabelValues(merchant, operation)
	}
	m.overdue.WithLabelValues(merchant)
	for _, t := range message.EventTypes {
		m.results.WithLabelValues(merchant, string(t))
		if t != message.EventRejected {
			m.contrary.WithLabelValues(merchant, string(t))
		}
		if t != message.EventHeld {
			m.payouts.WithLabelValues(merchant, string(t))
		}
	}
}

// show sets the gauges: the slots of all loops, and of each breaker the worst.
func (m *Metrics) show(l *Loop, v view) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.views[l] = v
	all := view{gates: map[gateName]int{}}
	for _, one := range m.views {
		all.busy, all.free = all.busy+one.busy, all.free+one.free
		for name, state := range one.gates {
			all.gates[name] = max(all.gates[name], state)
		}
	}
	m.slots.WithLabelValues("busy").Set(float64(all.busy))
	m.slots.WithLabelValues("free").Set(float64(all.free))
	for name, state := range all.gates {
		m.breaker.WithLabelValues(name.merchant, name.operation).Set(float64(state))
	}
}

// Tokens counts what became of tokens.
func (m *Metrics) Tokens(merchant, operation, outcome string, n int) {
	m.tokens.WithLabelValues(merchant, operation, outcome).Add(float64(n))
}

func (m *Metrics) called(merchant, operation string, f finding.Finding, took time.Duration) {
	found := f.Kind.String()
	if f.Nameless {
		found = nameless
	}
	m.requests.WithLabelValues(merchant, operation, found).Inc()
	m.seconds.WithLabelValues(merchant, operation).Observe(took.Seconds())
}

// announced counts an event. Payouts of merchants that aren't configured are counted
// under "unknown": their names come from outside and would make labels without end.
func (m *Metrics) announced(p payout.Payout, e message.Event, now time.Time) {
	merchant := e.Merchant
	if p.Country == "" {
		merchant = unknown
	}
	m.results.WithLabelValues(merchant, string(e.Type)).Inc()
	if e.Contradiction != "" {
		m.contrary.WithLabelValues(merchant, string(e.Type)).Inc()
	}
	if p.State.Final() {
		m.payouts.WithLabelValues(merchant, string(e.Type)).Observe(now.Sub(p.ReceivedAt).Seconds())
	}
}
