package service

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"disburser/backoffice/api"
	"disburser/backoffice/books"
	"disburser/internal/partition"
)

// partitionsEvery is how often new partitions are looked for.
const partitionsEvery = 15 * time.Second

// catchingUp is how many partitions catch up at once: one is decoded while another is written.
const catchingUp = 3

// readers are the projectors of all partitions.
type readers struct {
	service *Service

	turns chan struct{}

	mu      sync.Mutex
	all     map[place]*books.Projector
	trouble string // why the partitions aren't known
}

type place struct {
	topic  books.Topic
	number int
}

func newReaders(s *Service) *readers {
	r := &readers{service: s, turns: make(chan struct{}, catchingUp), all: map[place]*books.Projector{}, trouble: "the partitions are not known yet"}
	s.options.Registry.MustRegister(r)
	return r
}

// wait notes why nothing is read yet.
func (r *readers) wait(why string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.trouble = why
}

// run starts a projector for each partition that there is, and for those that are added later.
func (r *readers) run(ctx context.Context) {
	var group sync.WaitGroup
	defer group.Wait()
	for ctx.Err() == nil {
		if err := r.start(ctx, &group); err != nil && ctx.Err() == nil {
			r.service.logger.Error().Err(err).Msg("the partitions of the topics are not known; trying again")
		}
		pause(ctx, partitionsEvery)
	}
}

func (r *readers) start(ctx context.Context, group *sync.WaitGroup) error {
	s := r.service
	var names []string
	for _, name := range s.names {
		names = append(names, name)
	}
	counts, err := partition.Counts(ctx, s.client, names...)
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil {
		if len(r.all) == 0 {
			r.trouble = err.Error()
		}
		return err
	}
	r.trouble = ""
	for topic, name := range s.names {
		for number := range counts[name] {
			at := place{topic, number}
			if r.all[at] != nil {
				continue
			}
			p := books.NewProjector(&books.Projector{
				Store: s.books, Source: partition.Source{Client: s.client, Topic: name, Partition: number}, Topic: topic, Resolve: s.resolve,
				Turns: r.turns, Key: s.config.Backoffice.PayeeKey, Unread: func(n int) { s.metrics.unread.WithLabelValues(name).Add(float64(n)) }, Logger: s.logger,
			})
			r.all[at] = p
			group.Go(func() { p.Run(ctx) })
		}
	}
	return nil
}

// lags say how far each partition was read.
func (r *readers) lags() (all []api.Lag) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for at, p := range r.all {
		all = append(all, api.Lag{Topic: r.service.names[at.topic], Partition: at.number, Lag: p.Lag(), Trouble: p.Trouble()})
	}
	slices.SortFunc(all, func(a, b api.Lag) int {
		if a.Topic != b.Topic {
			return strings.Compare(a.Topic, b.Topic)
		}
		return a.Partition - b.Partition
	})
	return all
}

// unready lists why the books may be out of date.
func (r *readers) unready() (reasons []string) {
	r.mu.Lock()
	trouble := r.trouble
	r.mu.Unlock()
	if trouble != "" {
		return []string{trouble}
	}
	for _, l := range r.lags() {
		switch {
		case l.Trouble != "":
			reasons = append(reasons, l.Trouble)
		case l.Lag < 0:
			reasons = append(reasons, fmt.Sprintf("%s/%d was not read yet", l.Topic, l.Partition))
		}
	}
	return reasons
}

var lagMetric = prometheus.NewDesc("backoffice_books_lag", "Records of a partition that the books don't know yet.", []string{"topic", "partition"}, nil)

var readyMetric = prometheus.NewDesc("backoffice_ready", "1 where /readyz answers 200, otherwise 0.", nil, nil)

// Describe and Collect make metrics of the lags, and of whether the books may be believed.
func (r *readers) Describe(to chan<- *prometheus.Desc) {
	to <- lagMetric
	to <- readyMetric
}

// Collect tells the lags that are known.
func (r *readers) Collect(to chan<- prometheus.Metric) {
	ready := 0.0
	if len(r.service.unready(context.Background())) == 0 {
		ready = 1
	}
	to <- prometheus.MustNewConstMetric(readyMetric, prometheus.GaugeValue, ready)
	for _, l := range r.lags() {
		if l.Lag >= 0 {
			to <- prometheus.MustNewConstMetric(lagMetric, prometheus.GaugeValue, float64(l.Lag), l.Topic, fmt.Sprint(l.Partition))
		}
	}
}
