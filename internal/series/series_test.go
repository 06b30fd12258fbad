package series

import (
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

// What a scrape shows is what a vector of the client library would show.
func TestSeriesAreThoseOfAVector(t *testing.T) {
	columns := [][]string{{"send", "accepted"}, {"send", "refused"}, {"query", "paid"}}
	f := Of("a", "b", "a").Counters("calls_total", "Calls.", []string{"operation", "finding"}, columns...)
	v := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "calls_total", Help: "Calls."}, []string{"merchant", "operation", "finding"})
	for _, c := range []struct {
		by                           float64
		merchant, operation, finding string
	}{
		{0, "a", "send", "accepted"}, {1, "a", "send", "refused"}, {2.5, "a", "send", "refused"}, {3, "b", "query", "paid"},
		{1, "gone", "send", "accepted"}, {1, "a", "query", "new"}, {1, "gone", "query", "new"}, {0, "late", "query", "new"},
	} {
		f.Add(c.by, c.merchant, c.operation, c.finding)
		v.WithLabelValues(c.merchant, c.operation, c.finding).Add(c.by)
	}
	want := page(t, v)
	if got := page(t, f); got != want {
		t.Errorf("shown:\n%s\nwanted:\n%s", got, want)
	}
}

// page is what a scrape of a collector shows.
func page(t *testing.T, c prometheus.Collector) string {
	t.Helper()
	r := prometheus.NewPedanticRegistry()
	r.MustRegister(c)
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var s strings.Builder
	for _, family := range families {
		fmt.Fprintln(&s, family.GetName(), family.GetHelp(), family.GetType())
		for _, m := range family.GetMetric() {
			for _, l := range m.GetLabel() {
				fmt.Fprintf(&s, "%s=%s ", l.GetName(), l.GetValue())
			}
			fmt.Fprintln(&s, m.GetCounter().GetValue(), m.GetGauge().GetValue())
		}
	}
	return s.String()
}

func TestGaugesAreSetBeforeTheyAreRead(t *testing.T) {
	var f *Family
	n := 0.0
	f = Of("a").Gauges("depth", "Depth.", func() { n++; f.Set(n, "a") }, nil)
	for _, want := range []string{"merchant=a 0 1", "merchant=a 0 2"} {
		if got := page(t, f); !strings.Contains(got, want) {
			t.Errorf("%s, not %s", got, want)
		}
	}
	f.refresh = nil
	for value, want := range map[float64]string{-1.5: "merchant=a 0 -1.5", 0: "merchant=a 0 0"} {
		f.Set(value, "a")
		if got := page(t, f); !strings.Contains(got, want) {
			t.Errorf("%s, not %s", got, want)
		}
	}
}

func TestManyCountAtOnce(t *testing.T) {
	f := Of("a").Counters("n_total", "N.", []string{"of"}, []string{"x"})
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 1000 {
				f.Add(1, "a", "x")
				f.Add(1, "late", "y")
			}
		})
	}
	group.Wait()
	if got := page(t, f); strings.Count(got, "8000") != 2 {
		t.Error(got)
	}
}

// A merchant's series take eight bytes each, and its name.
func TestWhatASeriesTakes(t *testing.T) {
	const merchants, series = 1000, 40
	names, columns := make([]string, merchants), make([][]string, series)
	for i := range names {
		names[i] = fmt.Sprintf("m%04d", i)
	}
	for i := range columns {
		columns[i] = []string{fmt.Sprintf("c%d", i)}
	}
	before := live()
	f := Of(names...).Counters("n_total", "N.", []string{"of"}, columns...)
	for _, name := range names {
		for _, values := range columns {
			f.Add(0, name, values...)
		}
	}
	if each := (live() - before) / merchants; each > 8*series+300 {
		t.Errorf("a merchant takes %d bytes", each)
	}
	runtime.KeepAlive(f)
}

func live() int {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}
