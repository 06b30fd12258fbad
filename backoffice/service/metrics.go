package service

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// metrics are those of the program beside the lags.
type metrics struct {
	unread    *prometheus.CounterVec
	announced prometheus.Counter
	requests  *prometheus.CounterVec
	listeners prometheus.Gauge
	dropped   prometheus.Counter
}

func newMetrics(r *prometheus.Registry) *metrics {
	m := &metrics{
		unread: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "backoffice_unread_records_total", Help: "Records that can't be read, by topic. Those of the commands have a dead letter.",
		}, []string{"topic"}),
		announced: prometheus.NewCounter(prometheus.CounterOpts{Name: "backoffice_batch_events_total", Help: "Events of batches that are acknowledged."}),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "backoffice_requests_total", Help: "Requests to the API, by status.",
		}, []string{"status"}),
		listeners: prometheus.NewGauge(prometheus.GaugeOpts{Name: "backoffice_event_listeners", Help: "Who listens to GET /events now."}),
		dropped:   prometheus.NewCounter(prometheus.CounterOpts{Name: "backoffice_event_listeners_dropped_total", Help: "Listeners that were dropped because they read too slowly."}),
	}
	r.MustRegister(m.unread, m.announced, m.requests, m.listeners, m.dropped, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}
