package service

import (
	"path/filepath"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"disburser/config"
	"disburser/payout/secrets"
)

// An alert hears of books that may not be believed: before the partitions are known, and while the database is away.
func TestTheMetricSaysWhetherTheBooksMayBeBelieved(t *testing.T) {
	c := config.Default()
	c.Backoffice.Database = secrets.New("sqlite:" + filepath.Join(t.TempDir(), "books.db"))
	registry := prometheus.NewRegistry()
	s, err := New(c, nil, Options{Registry: registry, LogTo: t.Output()})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.open(t.Context()); err != nil {
		t.Fatal(err)
	}
	says := func(want float64) {
		t.Helper()
		families, err := registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range families {
			if f.GetName() == "backoffice_ready" && f.GetMetric()[0].GetGauge().GetValue() == want {
				return
			}
		}
		t.Errorf("backoffice_ready is not %v", want)
	}
	says(0)
	s.readers.trouble = ""
	says(1)
	if err := s.books.Close(); err != nil {
		t.Fatal(err)
	}
	says(0)
}
