package bookstest

import (
	"context"
	"errors"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"disburser/backoffice/books"
	"disburser/payout/secrets"
)

// failing is a store whose transactions fail while it is told to, before anything is done or at their end.
type failing struct {
	books.Store
	now, early bool
}

var errMade = errors.New("made by the test")

// Write fails before the work, or after everything is done but the commit.
func (f *failing) Write(ctx context.Context, topic books.Topic, number int, from int64, to books.Progress, work func(books.Tx) error) error {
	return f.Store.Write(ctx, topic, number, from, to, func(tx books.Tx) error {
		if f.now && f.early {
			return errMade
		}
		if err := work(tx); err != nil || !f.now {
			return err
		}
		return errMade
	})
}

// Feed reads a run into a store: random pages of random partitions, some of them twice, and some transactions fail.
func Feed(t testing.TB, rng *rand.Rand, run Run, store books.Store, key secrets.Secret, after func()) {
	t.Helper()
	feed(t, rng, run, store, key, nil, after)
}

// FeedFrom is Feed of a Kafka that has lost what stands before starts.
func FeedFrom(t testing.TB, rng *rand.Rand, run Run, store books.Store, key secrets.Secret, starts books.Starts) {
	t.Helper()
	feed(t, rng, run, store, key, starts, nil)
}

func feed(t testing.TB, rng *rand.Rand, run Run, store books.Store, key secrets.Secret, starts books.Starts, after func()) {
	t.Helper()
	ctx, into := context.Background(), &failing{Store: store}
	parts := slices.SortedFunc(maps.Keys(run), func(a, b Part) int {
		return strings.Compare(string(a.Topic), string(b.Topic))*100 + a.Partition - b.Partition
	})
	for len(parts) > 0 {
		at := rng.IntN(len(parts))
		part := parts[at]
		p, err := into.Progress(ctx, part.Topic, part.Partition)
		if err != nil {
			t.Fatal(err)
		}
		from := p.Next
		if p.Since.IsZero() {
			p.Next = starts[part.Topic][part.Partition]
		}
		records := run[part][p.Next:]
		if len(records) == 0 {
			parts = slices.Delete(parts, at, at+1)
			continue
		}
		records = records[:1+rng.IntN(min(len(records), 40))]
		d := books.NewDecoder(part.Topic, part.Partition, Resolve, key)
		if p.Fences != nil {
			d.Fences = p.Fences
		}
		page := books.Page{Topic: part.Topic, Partition: part.Partition, From: from, Facts: d.Page(records)}
		page.To = books.Progress{Next: p.Next + int64(len(records)), Fences: d.Fences, Since: Start}
		into.now, into.early = rng.IntN(10) == 0, !into.early
		if err = books.Write(ctx, into, page, Start); err != nil && !errors.Is(err, errMade) || (err != nil) != into.now {
			t.Fatal(err)
		}
		if !into.now && rng.IntN(5) == 0 { // another instance has read the same page
			if err := books.Write(ctx, into, page, Start); !errors.Is(err, books.ErrMoved) {
				t.Fatalf("a page was written twice: %v", err)
			}
		}
		if after != nil {
			after()
		}
	}
}
