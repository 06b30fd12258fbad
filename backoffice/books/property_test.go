package books_test

import (
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"disburser/backoffice/books"
	"disburser/backoffice/books/bookstest"
	"disburser/payout/secrets"
)

var key = secrets.New("a key of payees for tests")

// In whatever order the topics are read, and however often a page is read or fails, the tables are the same.
func TestTheOrderOfTopicsChangesNothing(t *testing.T) {
	runs, orders := 12, 12
	if testing.Short() {
		runs, orders = 4, 6
	}
	for seed := range runs {
		rng := rand.New(rand.NewPCG(uint64(seed), 1))
		run := bookstest.NewRun(rng, 150, 1+seed%4, true)
		first := ""
		for order := range orders {
			m := bookstest.NewMemory()
			bookstest.Feed(t, rand.New(rand.NewPCG(uint64(seed), uint64(order))), run, m, key, nil)
			dump := withoutTold(m.Dump())
			if first == "" {
				first = dump
			}
			if dump != first {
				t.Fatalf("seed %d, order %d:\n%s", seed, order, firstDifference(first, dump))
			}
		}
	}
}

// withoutTold leaves out what depends on the moment by its nature. While nobody knows which of two contents counts, a
// batch may be told of a payout that turns out to be another one's.
func withoutTold(dump string) string {
	var lines []string
	for line := range strings.Lines(dump) {
		if before, _, is := strings.Cut(line, " Told:"); is {
			line = before + "\n"
		}
		if !strings.HasPrefix(line, "event ") {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "")
}

func firstDifference(a, b string) string {
	as, bs := strings.Split(a, "\n"), strings.Split(b, "\n")
	for i := range min(len(as), len(bs)) {
		if as[i] != bs[i] {
			return as[i] + "\n" + bs[i]
		}
	}
	return "one has more lines"
}

// At every moment what was ordered is what is open and what has ended, by batch and currency.
func TestConservationHoldsAtEveryMoment(t *testing.T) {
	for seed := range 4 {
		rng := rand.New(rand.NewPCG(uint64(seed), 2))
		run := bookstest.NewRun(rng, 60, 3, true)
		m := bookstest.NewMemory()
		bookstest.Feed(t, rng, run, m, key, func() {
			if err := m.Conserved(); err != nil {
				t.Fatal(err)
			}
			if have, want := m.Totals(), m.Recounted(); have != want {
				t.Fatalf("seed %d:\n%s\nbut counted anew:\n%s", seed, have, want)
			}
		})
	}
}

// Each batch is announced as opened, a quarter, a half, three quarters and closed, once each, in any order of topics.
func TestTheEventsOfABatchComeOnce(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 3))
	run := bookstest.NewRun(rng, 150, 3, false)
	first := ""
	for range 5 {
		m := bookstest.NewMemory()
		bookstest.Feed(t, rng, run, m, key, nil)
		dump := m.Dump()
		if first == "" {
			first = dump
		}
		if n := strings.Count(dump, "\nevent "); n != 3*5 || dump != first {
			t.Fatalf("%d events\n%s", n, firstDifference(first, dump))
		}
	}
}

// A result that is announced again, and a command that is carried forward, change nothing.
func TestRepeatsChangeNothing(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 4))
	run := bookstest.NewRun(rng, 30, 2, false)
	m := bookstest.NewMemory()
	bookstest.Feed(t, rng, run, m, key, nil)
	before := m.Dump()
	for part, records := range maps.Clone(run) {
		if part.Topic == books.Commands || part.Topic == books.Results {
			for _, r := range records {
				r.Offset = int64(len(run[part]))
				if part.Topic == books.Commands {
					r.Headers = append(slices.Clip(r.Headers), bookstest.CarriedHeader)
				}
				run[part] = append(run[part], r)
			}
		}
	}
	bookstest.Feed(t, rng, run, m, key, nil)
	if after := m.Dump(); after != before {
		t.Fatal(firstDifference(before, after))
	}
}
