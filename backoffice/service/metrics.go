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
	}
	r.MustRegister(m.unread, m.announced, m.requests, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}
