// Package series promises Prometheus series of merchants that take eight bytes each while
// nobody asks for them. A vector of the client library takes half a kilobyte for a series, and
// a merchant has dozens, most of which stay at zero.
//
// A Family is one metric's name. All its series have the label merchant and, besides it, label
// values of a list that is known from the start (the columns). Others work too, and take more
// memory. A series exists from the first Add or Set on, also of zero.
package series

import (
	"math"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

// merchantLabel is the label that all series have.
const merchantLabel = "merchant"

// Merchants are the values of that label, in the order in which families have them.
type Merchants struct {
	labels []*dto.LabelPair
	rows   map[string]int
}

// Of makes them. A name that comes twice counts once.
func Of(names ...string) *Merchants {
	m := &Merchants{rows: make(map[string]int, len(names))}
	for _, name := range names {
		if _, known := m.rows[name]; !known {
			m.rows[name] = len(m.labels)
			m.labels = append(m.labels, pair(merchantLabel, name))
		}
	}
	return m
}

func pair(name, value string) *dto.LabelPair { return &dto.LabelPair{Name: &name, Value: &value} }

// Family holds the values of a metric. It is a prometheus.Collector, and safe for concurrent use.
type Family struct {
	merchants *Merchants
	desc      *prometheus.Desc
	counter   bool
	columns   [][]*dto.LabelPair // by column: the labels in the order of their names; nil is the merchant's place
	numbers   map[string]int     // of the columns, by their values
	labels    []string           // besides merchant
	values    []atomic.Uint64    // by merchant, then by column; see stored
	refresh   func()

	mu   sync.Mutex
	late map[string]*lateSeries // of merchants or columns that weren't known at the start
}

// lateSeries is a series that no place was made for.
type lateSeries struct {
	labels []*dto.LabelPair
	value  atomic.Uint64
}

// Counters makes a family that only grows. The labels are those besides merchant; a column has a
// value for each.
func (m *Merchants) Counters(name, help string, labels []string, columns ...[]string) *Family {
	return m.family(true, name, help, labels, columns)
}

// Gauges makes a family that goes up and down. Before it is read, refresh is called, if it isn't
// nil, to set what isn't set all the time.
func (m *Merchants) Gauges(name, help string, refresh func(), labels []string, columns ...[]string) *Family {
	f := m.family(false, name, help, labels, columns)
	f.refresh = refresh
	return f
}

func (m *Merchants) family(counter bool, name, help string, labels []string, columns [][]string) *Family {
	if len(columns) == 0 {
		columns = [][]string{nil}
	}
	f := &Family{
		merchants: m, counter: counter, labels: labels, desc: prometheus.NewDesc(name, help, append([]string{merchantLabel}, labels...), nil),
		numbers: make(map[string]int, len(columns)), values: make([]atomic.Uint64, len(m.labels)*len(columns)),
	}
	for i, values := range columns {
		f.columns = append(f.columns, f.labelled(nil, values))
		f.numbers[joined(values)] = i
	}
	return f
}

// labelled are the labels of a series in the order of their names.
func (f *Family) labelled(merchant *dto.LabelPair, values []string) []*dto.LabelPair {
	all := []*dto.LabelPair{merchant}
	for i, value := range values {
		all = append(all, pair(f.labels[i], value))
	}
	slices.SortFunc(all, func(a, b *dto.LabelPair) int { return strings.Compare(nameOf(a), nameOf(b)) })
	return all
}

func nameOf(label *dto.LabelPair) string {
	if label == nil {
		return merchantLabel
	}
	return label.GetName()
}

func joined(values []string) string { return strings.Join(values, "\n") }

// stored is how a value is kept: 0 stands for a series that doesn't exist yet. It is the number
// with its sign turned, so that only -0 is lost.
func stored(value float64) uint64 { return math.Float64bits(value) ^ 1<<63 }

func number(stored uint64) float64 { return math.Float64frombits(stored ^ 1<<63) }

// at is the place of a series.
func (f *Family) at(merchant string, values []string) *atomic.Uint64 {
	row, known := f.merchants.rows[merchant]
	column, listed := f.numbers[joined(values)]
	if known && listed {
		return &f.values[row*len(f.columns)+column]
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	name := merchant + "\n" + joined(values)
	if f.late[name] == nil {
		if f.late == nil {
			f.late = map[string]*lateSeries{}
		}
		f.late[name] = &lateSeries{labels: f.labelled(pair(merchantLabel, merchant), values)}
	}
	return &f.late[name].value
}

// Add adds to a series; with 0 it makes it exist.
func (f *Family) Add(by float64, merchant string, values ...string) {
	for at := f.at(merchant, values); ; {
		old := at.Load()
		sum := by
		if old != 0 {
			sum += number(old)
		}
		if at.CompareAndSwap(old, stored(sum)) {
			return
		}
	}
}

// Set sets a gauge.
func (f *Family) Set(to float64, merchant string, values ...string) {
	f.at(merchant, values).Store(stored(to))
}

// Describe is Prometheus'.
func (f *Family) Describe(to chan<- *prometheus.Desc) { to <- f.desc }

// Collect is Prometheus'.
func (f *Family) Collect(to chan<- prometheus.Metric) {
	if f.refresh != nil {
		f.refresh()
	}
	for i := range f.values {
		if value := f.values[i].Load(); value != 0 {
			to <- &sample{f, f.columns[i%len(f.columns)], f.merchants.labels[i/len(f.columns)], number(value)}
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, l := range f.late {
		if value := l.value.Load(); value != 0 {
			to <- &sample{f, l.labels, nil, number(value)}
		}
	}
}

// Most values are zero. They share these, which nobody changes: a scrape of many merchants takes
// a third less memory.
var zeroCounter, zeroGauge = &dto.Counter{Value: new(float64)}, &dto.Gauge{Value: new(float64)}

// sample is a series' value at the moment of a scrape.
type sample struct {
	*Family
	tags     []*dto.LabelPair
	merchant *dto.LabelPair // has a free place among the labels
	value    float64
}

func (s *sample) Desc() *prometheus.Desc { return s.desc }

// Write is Prometheus'.
func (s *sample) Write(m *dto.Metric) error {
	m.Label = slices.Clone(s.tags)
	if at := slices.Index(m.Label, nil); at >= 0 {
		m.Label[at] = s.merchant
	}
	switch {
	case s.counter && s.value == 0:
		m.Counter = zeroCounter
	case s.counter:
		m.Counter = &dto.Counter{Value: &s.value}
	case s.value == 0:
		m.Gauge = zeroGauge
	default:
		m.Gauge = &dto.Gauge{Value: &s.value}
	}
	return nil
}
