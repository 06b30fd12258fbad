package service

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"disburser/backoffice/books"
	"disburser/internal/partition"
)

// tellEvery is how often a rebuild says how far it is.
const tellEvery = 2 * time.Second

// Rebuild empties the books and reads everything again, until nothing is left to read. It says on out how far it is.
func (s *Service) Rebuild(ctx context.Context, out io.Writer) error {
	defer s.Close()
	if err := s.open(ctx); err != nil {
		return err
	}
	defer s.books.Close() //nolint:errcheck // each page is committed, or is read again
	if problems := s.missingTopics(ctx); len(problems) > 0 {
		return errors.Join(problems...)
	}
	starts, whole, err := s.starts(ctx)
	if err != nil {
		return err
	}
	kept, err := s.books.Rebuild(ctx, starts, whole)
	if err != nil {
		return err
	}
	if !whole {
		fmt.Fprintf(out, "Kafka no longer holds all that the books have read: of %d payouts that is kept\n", kept)
	}
	ctx, stop := context.WithCancel(ctx)
	var group sync.WaitGroup
	group.Go(func() { s.readers.run(ctx) })
	defer group.Wait()
	defer stop()
	for began := time.Now(); ; {
		pause(ctx, tellEvery)
		behind, known := int64(0), len(s.readers.unready()) == 0
		for _, l := range s.readers.lags() {
			behind += max(0, l.Lag)
		}
		switch {
		case ctx.Err() != nil:
			return fmt.Errorf("stopped with %d records yet to read; backoffice run goes on where this ended", behind)
		case known && behind == 0:
			fmt.Fprintf(out, "the books are whole, after %v\n", time.Since(began).Round(time.Second))
			return nil
		case known:
			fmt.Fprintf(out, "%d records yet to read\n", behind)
		default:
			fmt.Fprintf(out, "waiting: %s\n", s.readers.unready()[0])
		}
	}
}

// starts are the offsets from which on Kafka can be read. whole tells that the books have read nothing that is gone there. Of
// a topic that was made anew nothing can be read again.
func (s *Service) starts(ctx context.Context) (starts books.Starts, whole bool, err error) {
	starts, whole = books.Starts{}, true
	for topic, name := range s.names {
		count, err := partition.Count(ctx, s.client, name)
		if err != nil {
			return nil, false, fmt.Errorf("ask for the partitions of %s: %w", name, err)
		}
		starts[topic] = map[int]int64{}
		for number := range count {
			source := partition.Source{Client: s.client, Topic: name, Partition: number}
			start, end, err := source.Bounds(ctx)
			if err != nil {
				return nil, false, fmt.Errorf("ask where %s/%d begins: %w", name, number, err)
			}
			p, err := s.books.Progress(ctx, topic, number)
			if err != nil {
				return nil, false, err
			}
			anchor, _ := partition.ParseAnchor(p.Anchor)
			var other *partition.Other
			if err := source.Check(ctx, anchor); p.Next > end || errors.As(err, &other) {
				whole = false
				continue
			} else if err != nil {
				return nil, false, err
			}
			starts[topic][number] = start
			whole = whole && (p.Since.IsZero() || start <= p.Begun)
		}
	}
	return starts, whole, nil
}
