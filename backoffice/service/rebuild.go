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

// Rebuild empties the books and reads everything again: all that stands in the topics when it begins. What comes meanwhile may be
// left to whoever runs. It says on out how far it is.
func (s *Service) Rebuild(ctx context.Context, out io.Writer) error {
	defer s.Close()
	if err := s.open(ctx); err != nil {
		return err
	}
	defer s.books.Close() //nolint:errcheck // each page is committed, or is read again
	if problems := s.missingTopics(ctx); len(problems) > 0 {
		return errors.Join(problems...)
	}
	starts, ends, whole, err := s.bounds(ctx)
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
		behind, err := s.behind(context.WithoutCancel(ctx), ends)
		reasons := s.readers.unready()
		switch {
		case err != nil:
			return err
		case ctx.Err() != nil:
			return fmt.Errorf("stopped with %d records yet to read; backoffice run goes on where this ended", behind)
		case len(reasons) > 0:
			fmt.Fprintf(out, "waiting: %s\n", reasons[0])
		case behind > 0:
			fmt.Fprintf(out, "%d records yet to read\n", behind)
		default:
			fmt.Fprintf(out, "the books are whole, after %v\n", time.Since(began).Round(time.Second))
			return nil
		}
	}
}

// behind is how many records the books have yet to read up to some ends, whoever reads them. A lag doesn't tell that: while
// payouts flow there is always something to read.
func (s *Service) behind(ctx context.Context, ends map[place]int64) (n int64, err error) {
	for at, end := range ends {
		p, err := s.books.Progress(ctx, at.topic, at.number)
		if err != nil {
			return 0, err
		}
		n += max(0, end-p.Next)
	}
	return n, nil
}

// bounds are the offsets from which on Kafka can be read, and those of the ends. whole tells that the books have read nothing that
// is gone there. Of a topic that was made anew nothing can be read again.
func (s *Service) bounds(ctx context.Context) (starts books.Starts, ends map[place]int64, whole bool, err error) {
	starts, ends, whole = books.Starts{}, map[place]int64{}, true
	for topic, name := range s.names {
		count, err := partition.Count(ctx, s.client, name)
		if err != nil {
			return nil, nil, false, fmt.Errorf("ask for the partitions of %s: %w", name, err)
		}
		starts[topic] = map[int]int64{}
		for number := range count {
			source := partition.Source{Client: s.client, Topic: name, Partition: number}
			start, end, err := source.Bounds(ctx)
			if err != nil {
				return nil, nil, false, fmt.Errorf("ask where %s/%d begins: %w", name, number, err)
			}
			if end > start { // else there is nothing, and nothing is noted of it
				ends[place{topic, number}] = end
			}
			p, err := s.books.Progress(ctx, topic, number)
			if err != nil {
				return nil, nil, false, err
			}
			anchor, _ := partition.ParseAnchor(p.Anchor)
			var other *partition.Other
			if err := source.Check(ctx, anchor); p.Next > end || errors.As(err, &other) {
				whole = false
				continue
			} else if err != nil {
				return nil, nil, false, err
			}
			starts[topic][number] = start
			whole = whole && (p.Since.IsZero() || start <= p.Begun)
		}
	}
	return starts, ends, whole, nil
}
