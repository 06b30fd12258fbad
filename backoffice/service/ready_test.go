package service

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"disburser/backoffice/books"
	"disburser/config"
	"disburser/payout/secrets"
)

func opened(t *testing.T, o Options) *Service {
	t.Helper()
	c := config.Default()
	c.Backoffice.Database = secrets.New("sqlite:" + filepath.Join(t.TempDir(), "books.db"))
	o.LogTo = t.Output()
	s, err := New(c, nil, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	if err := s.open(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

// A rebuild is over when all is read that stood there at its beginning. What comes meanwhile never ends, on a pay day.
func TestARebuildWaitsForWhatStoodThere(t *testing.T) {
	s := opened(t, Options{})
	ends := map[place]int64{{books.Commands, 0}: 7, {books.Results, 1}: 3}
	reads := func(topic books.Topic, number int, from, next int64) {
		t.Helper()
		page := books.Page{Topic: topic, Partition: number, From: from, To: books.Progress{Next: next, Since: time.UnixMilli(1)}}
		if err := books.Write(t.Context(), s.books, page, time.UnixMilli(1)); err != nil {
			t.Fatal(err)
		}
	}
	behind := func(want int64) {
		t.Helper()
		if n, err := s.behind(t.Context(), ends); err != nil || n != want {
			t.Errorf("%d records, want %d: %v", n, want, err)
		}
	}
	behind(10)
	reads(books.Commands, 0, 0, 5)
	behind(5)
	reads(books.Commands, 0, 5, 900) // more came, and somebody else has read it
	behind(3)
	reads(books.Results, 1, 0, 3)
	reads(books.Commands, 1, 0, 1)
	behind(0)
}

// An alert hears of books that may not be believed: before the partitions are known, and while the database is away.
func TestTheMetricSaysWhetherTheBooksMayBeBelieved(t *testing.T) {
	registry := prometheus.NewRegistry()
	s := opened(t, Options{Registry: registry})
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
